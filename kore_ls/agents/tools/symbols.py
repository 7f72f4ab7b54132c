"""The tool `symbols`: what a source file defines, told from its text; Python by its grammar, others by their lines."""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import Iterator

from kore_ls.agents.paths import Access
from kore_ls.agents.problem import ToolProblem
from kore_ls.agents.tools.changing import current_text
from kore_ls.agents.tools.tool import Aim, Parameter, Shape, Tool, ToolResult
from kore_ls.model.message import ToolKind

_MOST = 2_000
_MOST_CHARS = 1 << 20
_DEFINITION = re.compile(
    r"^(?P<indent>[ \t]*)(?:(?:export|default|public|private|protected|internal|static|final|abstract|async"
    r"|pub(?:\([^)]*\))?|unsafe|extern|virtual|override|inline|const|declare|local)\s+)*"
    r"(?P<what>class|interface|struct|enum|trait|impl|type|func|function|fn|def|module|namespace|record|object|protocol)\s+"
    r"(?:\([^)]{0,200}\)\s*)?(?P<name>[\w.:$]+)",
)
_HEADING = re.compile(r"^(?P<level>#{1,6})\s+(?P<name>.+)")


class Symbols(Tool):
    """Lists definitions with their lines."""

    name = "symbols"
    kind = ToolKind.READ
    about = "List what a source file defines: classes, functions, types, headings, each with its line."
    parameters = (Parameter("path", Shape.TEXT, "the file, relative to the workspace folder"),)

    async def aim(self) -> Aim:
        """Nothing but the path."""
        self.place = self.desk.place(self.given["path"], Access.READ)
        return Aim(action=self.action(self.place), title=self.title(path=self.place.relative))

    async def run(self) -> ToolResult:
        """`line: definition`, one per symbol, indented as it is nested."""
        text = (await current_text(self.desk, self.place)).text
        if text is None:
            raise ToolProblem("There is no such file.")
        if len(text) > _MOST_CHARS:
            raise ToolProblem("This file is too big for its symbols.")
        found = await asyncio.to_thread(symbols_of, text, self.place.path.suffix.casefold())
        lines = [f"{line}: {'  ' * depth}{name}" for line, depth, name in found[:_MOST]]
        return ToolResult(text="\n".join(lines) or "No symbols.", facts={"symbols": len(lines)})


def symbols_of(text: str, suffix: str) -> list[tuple[int, int, str]]:
    """Line from 1, depth from 0, and words of each definition in order."""
    if suffix in (".py", ".pyi"):
        try:
            return list(_python(ast.parse(text).body, 0))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            pass
    if suffix in (".md", ".markdown"):
        return list(_headings(text))
    return list(_by_lines(text))


def _python(body: list[ast.stmt], depth: int) -> Iterator[tuple[int, int, str]]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield node.lineno, depth, f"class {node.name}"
            yield from _python(node.body, depth + 1)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, depth, f"def {node.name}"
            yield from _python(node.body, depth + 1)


def _headings(text: str) -> Iterator[tuple[int, int, str]]:
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        elif not fenced and (heading := _HEADING.match(line[:300])):
            yield number, len(heading["level"]) - 1, heading["name"].strip()


def _by_lines(text: str) -> Iterator[tuple[int, int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if definition := _DEFINITION.match(line[:300]):
            indent = len(definition["indent"].expandtabs(4)) // 4
            yield number, indent, f"{definition['what']} {definition['name']}"
