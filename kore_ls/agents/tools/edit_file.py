"""The tool `edit_file`: search-and-replace blocks, each of which must fit at exactly one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kore_ls.agents.paths import Access
from kore_ls.agents.problem import ToolProblem
from kore_ls.agents.tools.changing import Current, change_text, current_text
from kore_ls.agents.tools.tool import Aim, Parameter, Shape, Tool, ToolResult
from kore_ls.agents.unified import diff_of
from kore_ls.model.message import ToolKind


class EditFile(Tool):
    """Changes parts of a text file; all blocks or none."""

    name = "edit_file"
    kind = ToolKind.EDIT
    about = "Change a text file by search-and-replace blocks; each search text must occur exactly once."
    parameters = (
        Parameter("path", Shape.TEXT, "the file, relative to the workspace folder"),
        Parameter(
            "edits", Shape.BLOCKS, "a list of {search, replace}, applied one after another; texts as in the file"
        ),
        Parameter("lines", Shape.FLAG, "true: whole lines replaced by nothing leave no empty line", required=False),
    )
    before: Current | None = None

    async def aim(self) -> Aim:
        """Nothing but the path."""
        self.place = self.desk.place(self.given["path"], Access.WRITE)
        return Aim(action=self.action(self.place), title=self.title(path=self.place.relative))

    async def preview(self) -> str:
        """The file's change; what was shown is what will be changed."""
        self.before, after = await self._change()
        return diff_of(self.before.text, after, self.place.relative)

    async def run(self) -> ToolResult:
        """Change it."""
        before, after = await self._change()
        await change_text(self.desk, self.place, before, after)
        diff = diff_of(before.text, after, self.place.relative)
        facts = {"diff": diff, "paths": [str(self.place.path)]}
        return ToolResult(text=f"Changed {self.place.relative}:\n{diff}", facts=facts)

    async def _change(self) -> tuple[Current, str]:
        before = self.before or await current_text(self.desk, self.place)
        if before.text is None:
            raise ToolProblem("There is no such file; use write_file to make one.")
        return before, edited(before.text, self.given["edits"], lines=self.given.get("lines", False))


def edited(text: str, blocks: Sequence[Mapping[str, str]], *, lines: bool = False) -> str:
    """`text` with all blocks applied in order. Raises ToolProblem naming the block that does not fit exactly once.

    `lines`: a block that replaces whole lines by nothing takes the line's end along.
    Where all lines of the text end with CR LF, blocks may be written with LF alone.
    """
    windows = "\r\n" in text and text.count("\n") == text.count("\r\n")
    for number, block in enumerate(blocks, 1):
        search, replace = block["search"], block["replace"]
        if windows and "\r" not in search:
            search, replace = search.replace("\n", "\r\n"), replace.replace("\r\n", "\n").replace("\n", "\r\n")
        if not search:
            raise ToolProblem(f"Block {number}: the search text is empty.")
        found = text.find(search)
        if found < 0:
            raise ToolProblem(f"Block {number}: the search text is not in the file; read it and copy it exactly.")
        if text.find(search, found + 1) >= 0:
            raise ToolProblem(f"Block {number}: the search text is there more than once; take more lines around it.")
        end = found + len(search)
        if lines and not replace and (not found or text[found - 1] == "\n"):
            end += 2 if text.startswith("\r\n", end) else 1 if text.startswith("\n", end) else 0
        text = text[:found] + replace + text[end:]
    return text
