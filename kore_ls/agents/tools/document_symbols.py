"""The tool `document_symbols`: a file's symbols as the editor's language server has them. Knows no language itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kore_ls.agents.tools.language import LanguageTool, span_of
from kore_ls.agents.tools.tool import Parameter, Shape, ToolResult

_MOST = 2_000
_DEEPEST = 20


class DocumentSymbols(LanguageTool):
    """Lists symbols with their lines."""

    name = "document_symbols"
    about = "List the symbols of a file, as the editor's language server knows them."
    parameters = (Parameter("path", Shape.TEXT, "the file, relative to the workspace folder"),)

    async def run(self) -> ToolResult:
        """`line: name`, indented as it is nested."""
        lines = list(_lines(await self.ask("documentSymbol"), 0))[:_MOST]
        return ToolResult(text="\n".join(lines) or "No symbols.", facts={"symbols": len(lines)})


def _lines(symbols: Any, depth: int) -> Iterator[str]:
    """DocumentSymbol trees, or flat SymbolInformation."""
    for each in symbols if isinstance(symbols, list) else ():
        if not isinstance(each, Mapping) or not isinstance(each.get("name"), str):
            continue
        location = each.get("location")
        whole = location.get("range") if isinstance(location, Mapping) else None
        span = span_of("", each.get("selectionRange") or each.get("range") or whole)
        if span is not None:
            yield f"{span.line + 1}: {'  ' * depth}{each['name'][:200]}"
        if depth < _DEEPEST:
            yield from _lines(each.get("children"), depth + 1)
