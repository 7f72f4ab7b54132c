"""What the tools that ask the editor's language servers share: positions in, places out. Asks through the port only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

from attrs import frozen

from kore_ls.agents.paths import Access
from kore_ls.agents.problem import ToolProblem
from kore_ls.agents.protected import Guard
from kore_ls.agents.tools.changing import current_text
from kore_ls.agents.tools.tool import Aim, Desk, Parameter, Shape, Tool
from kore_ls.model.message import ToolKind

NOT_AVAILABLE = "Not available: no connected editor offers this for the file. Use grep and symbols instead."
MOST_PLACES = 200

AT_PLACE = (
    Parameter("path", Shape.TEXT, "the file, relative to the workspace folder"),
    Parameter("line", Shape.INTEGER, "the line, from 1"),
    Parameter("column", Shape.INTEGER, "the character in the line, from 1"),
)
"""The arguments of a tool that asks about a place in a file."""


class LanguageTool(Tool):
    """Asks about one file, or one place in it."""

    kind = ToolKind.SEARCH
    parameters: ClassVar[tuple[Parameter, ...]] = AT_PLACE

    async def aim(self) -> Aim:
        """Nothing but the path."""
        self.place = self.desk.place(self.given["path"], Access.READ)
        where = f"{self.place.relative}:{self.given['line']}" if "line" in self.given else self.place.relative
        return Aim(action=self.action(self.place), title=self.title(path=where))

    async def position(self) -> dict[str, Any]:
        """The place as LSP has it: character in UTF-16 units. Raises ToolProblem."""
        text = (await current_text(self.desk, self.place)).text
        lines = (text or "").split("\n")
        line, column = self.given["line"], self.given["column"]
        if not 1 <= line <= len(lines) or not 1 <= column <= len(lines[line - 1]) + 1:
            raise ToolProblem("There is no such place in the file.")
        return {"line": line - 1, "character": utf16_units(lines[line - 1][: column - 1])}

    async def ask(self, name: str, **params: Any) -> Any:
        """The editor's answer. Raises ToolProblem where there is none to be had."""
        answer = await self.desk.around.editor.language(
            name, {"textDocument": {"uri": self.place.path.as_uri()}, **params}
        )
        if answer is None:
            raise ToolProblem(NOT_AVAILABLE)
        return answer


@frozen(kw_only=True)
class Span:
    """A stretch of a file as LSP has it: lines from 0, characters in UTF-16 units, the end not included."""

    path: str
    line: int
    character: int
    end_line: int
    end_character: int


def utf16_units(text: str) -> int:
    """How many UTF-16 units a text has."""
    return len(text) + sum(each > "\uffff" for each in text)


def offset_of(lines: Sequence[str], line: int, character: int) -> int:
    """The offset in the text (lines joined by LF) of a place; one past the end of its line is its end."""
    if line >= len(lines):
        return sum(len(each) + 1 for each in lines) - 1
    units = place = 0
    while place < len(lines[line]) and units < character:
        units += utf16_units(lines[line][place])
        place += 1
    return sum(len(each) + 1 for each in lines[:line]) + place


def span_of(path: str, value: Any) -> Span | None:
    """An LSP range, if that is what the value is."""
    try:
        start, end = value["start"], value["end"]
        numbers = [start["line"], start["character"], end["line"], end["character"]]
    except (TypeError, LookupError):
        return None
    if not all(type(each) is int and 0 <= each < 1 << 31 for each in numbers):
        return None
    return Span(path=path, line=numbers[0], character=numbers[1], end_line=numbers[2], end_character=numbers[3])


def path_of(uri: Any) -> str | None:
    """The path of a `file:` URI."""
    if not isinstance(uri, str) or not uri.startswith("file:"):
        return None
    path = unquote(urlsplit(uri).path)
    return path if path and "\0" not in path else None


def spans_of(answer: Any) -> Iterator[Span]:
    """The places in an LSP answer: a Location, a LocationLink, or a list of them."""
    for each in answer if isinstance(answer, list) else [answer]:
        if not isinstance(each, Mapping):
            continue
        path = path_of(each.get("uri") or each.get("targetUri"))
        span = None if path is None else span_of(path, each.get("range") or each.get("targetSelectionRange"))
        if span is not None:
            yield span


async def described(desk: Desk, answer: Any) -> list[str]:
    """`path:line:column: text of the line`, one per place, columns as `AT_PLACE` counts them.

    Of a file that is outside or secret only the place is told.
    """
    texts: dict[str, list[str]] = {}
    found = []
    for span in list(spans_of(answer))[:MOST_PLACES]:
        if span.path not in texts:
            texts[span.path] = await _lines(desk, span.path)
        lines = texts[span.path]
        line = lines[span.line] if span.line < len(lines) else ""
        column = offset_of([line], 0, span.character) if line else span.character
        path = Path(span.path)
        name = path.relative_to(desk.folder).as_posix() if path.is_relative_to(desk.folder) else span.path
        found.append(f"{name}:{span.line + 1}:{column + 1}: {line.strip()[:200]}".rstrip(": "))
    return found


async def _lines(desk: Desk, path: str) -> list[str]:
    try:
        place = desk.place(path, Access.READ)
        if not place.inside or Guard.SECRET in place.guards:
            return []
        return ((await current_text(desk, place)).text or "").split("\n")
    except ToolProblem:
        return []
