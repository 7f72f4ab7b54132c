"""The tool `diagnostics`: errors and warnings as the editor shows them. Knows no language itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kore_ls.agents.paths import Access
from kore_ls.agents.tools.language import LanguageTool, path_of, span_of
from kore_ls.agents.tools.tool import Aim, Parameter, Shape, ToolResult

_MOST = 500
_SEVERITIES = {1: "error", 2: "warning", 3: "information", 4: "hint"}


class Diagnostics(LanguageTool):
    """Lists what is wrong in a file, or in all files that the editor knows of."""

    name = "diagnostics"
    about = "List errors and warnings of a file (or of the workspace), as the editor shows them."
    parameters = (Parameter("path", Shape.TEXT, "the file, relative to the workspace folder", required=False),)

    async def aim(self) -> Aim:
        """Nothing but the path."""
        self.place = self.desk.place(self.given.get("path", "."), Access.READ)
        return Aim(action=self.action(self.place), title=self.title(path=self.place.relative))

    async def run(self) -> ToolResult:
        """`path:line:column: severity: message`, one per line."""
        answer = await self.ask("diagnostics")
        found = list(self._lines(answer, str(self.place.path)))[:_MOST]
        return ToolResult(text="\n".join(found) or "Nothing is wrong.", facts={"diagnostics": len(found)})

    def _lines(self, answer: Any, path: str) -> Iterator[str]:
        """A report `{items}`, a list of diagnostics, or a list of `{uri, diagnostics | items}`."""
        if isinstance(answer, Mapping):
            path = path_of(answer.get("uri")) or path
            answer = answer.get("items", answer.get("diagnostics"))
        for each in answer if isinstance(answer, list) else ():
            if isinstance(each, Mapping) and ("items" in each or "diagnostics" in each):
                yield from self._lines(each, path)
            elif isinstance(each, Mapping):
                yield from self._line(each, path)

    def _line(self, diagnostic: Mapping[str, Any], path: str) -> Iterator[str]:
        span, message = span_of(path, diagnostic.get("range")), diagnostic.get("message")
        if span is None or not isinstance(message, str):
            return
        where = Path(path)
        folder = self.desk.folder
        name = where.relative_to(folder).as_posix() if where.is_relative_to(folder) else path
        severity = diagnostic.get("severity")
        word = _SEVERITIES.get(severity if isinstance(severity, int) else 1, "error")
        yield f"{name}:{span.line + 1}:{span.character + 1}: {word}: {' '.join(message.split())[:500]}"
