"""The tool `rename`: another name for what stands at a place, everywhere it is used, worked out by the editor.

The editor says what would change; each file of that is a place for the gate, and the change is made as any edit is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kore_ls.agents.paths import Access, Place
from kore_ls.agents.problem import ToolProblem
from kore_ls.agents.tools.changing import Current, change_text, current_text
from kore_ls.agents.tools.language import AT_PLACE, LanguageTool, Span, offset_of, path_of, span_of
from kore_ls.agents.tools.tool import Aim, Parameter, Shape, ToolResult
from kore_ls.agents.unified import diff_of
from kore_ls.model.message import ToolKind

_MOST_FILES = 200


class Rename(LanguageTool):
    """Renames a symbol in all files, or in none where one of them does not fit."""

    name = "rename"
    kind = ToolKind.EDIT
    about = "Rename what stands at a place everywhere, as the editor's language server works it out."
    parameters = (*AT_PLACE, Parameter("new_name", Shape.TEXT, "its new name"))

    async def aim(self) -> Aim:
        """Ask what would change; nothing does yet."""
        self.place = self.desk.place(self.given["path"], Access.READ)
        self.changes: dict[str, tuple[Place, list[tuple[Span, str]]]] = {}
        if self.place.inside and not self.place.guards:
            answer = await self.ask("rename", position=await self.position(), newName=self.given["new_name"])
            for path, span, text in _edits(answer):
                place = self.desk.place(path, Access.WRITE)
                self.changes.setdefault(str(place.path), (place, []))[1].append((span, text))
        if len(self.changes) > _MOST_FILES:
            raise ToolProblem("This would change too many files at once.")
        places = [place for place, _ in self.changes.values()] or [self.desk.place(self.given["path"], Access.WRITE)]
        return Aim(action=self.action(*places), title=self.title(path=f"{self.place.relative}:{self.given['line']}"))

    async def preview(self) -> str:
        """All files' changes."""
        return "".join([diff_of(before.text, after, place.relative) for place, before, after in await self._texts()])

    async def run(self) -> ToolResult:
        """Change one file after another."""
        texts = await self._texts()
        for place, before, after in texts:
            await change_text(self.desk, place, before, after)
        names = [place.relative for place, _, _ in texts]
        facts = {"paths": [str(place.path) for place, _, _ in texts]}
        return ToolResult(text=f"Renamed in {len(names)} files:\n" + "\n".join(names), facts=facts)

    async def _texts(self) -> list[tuple[Place, Current, str]]:
        if not self.changes:
            raise ToolProblem("There is nothing to rename at this place.")
        found = []
        for place, edits in self.changes.values():
            before = await current_text(self.desk, place)
            found.append((place, before, _applied(before.text or "", edits)))
        return found


def _edits(answer: Any) -> Iterator[tuple[str, Span, str]]:
    """Path, span and new text of each edit in a WorkspaceEdit. Raises ToolProblem for more than edits of texts."""
    if not isinstance(answer, Mapping):
        return
    groups: list[tuple[Any, Any]] = []
    for each in answer.get("documentChanges") or ():
        if not isinstance(each, Mapping) or "kind" in each or not isinstance(each.get("textDocument"), Mapping):
            raise ToolProblem("The editor would do more than change texts; that is not possible here.")
        groups.append((each["textDocument"].get("uri"), each.get("edits")))
    if not groups and isinstance(answer.get("changes"), Mapping):
        groups = list(answer["changes"].items())
    for uri, edits in groups:
        path = path_of(uri)
        for edit in edits if isinstance(edits, list) else ():
            span = span_of(path or "", edit.get("range") if isinstance(edit, Mapping) else None)
            if path is None or span is None or not isinstance(edit.get("newText"), str):
                raise ToolProblem("The editor's answer can't be understood.")
            yield path, span, edit["newText"]


def _applied(text: str, edits: list[tuple[Span, str]]) -> str:
    """The text with all edits, which must not overlap."""
    lines = text.split("\n")
    places = sorted(
        (offset_of(lines, span.line, span.character), offset_of(lines, span.end_line, span.end_character), new)
        for span, new in edits
    )
    end = 0
    pieces = []
    for start, stop, new in places:
        if start < end or stop < start:
            raise ToolProblem("The editor's answer can't be understood.")
        pieces += [text[end:start], new]
        end = stop
    return "".join([*pieces, text[end:]])
