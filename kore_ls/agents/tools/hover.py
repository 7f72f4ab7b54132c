"""The tool `hover`: what the editor's language server says of a place. Knows no language itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kore_ls.agents.tools.language import LanguageTool
from kore_ls.agents.tools.tool import ToolResult


class Hover(LanguageTool):
    """Type, signature, documentation."""

    name = "hover"
    about = "Show type and documentation of what stands at a place, as the editor's language server knows it."

    async def run(self) -> ToolResult:
        """The server's text."""
        answer = await self.ask("hover", position=await self.position())
        contents = answer.get("contents") if isinstance(answer, Mapping) else None
        return ToolResult(text=_text(contents).strip() or "Nothing found.")


def _text(contents: Any) -> str:
    """MarkupContent, MarkedString or a list of them."""
    if isinstance(contents, str):
        return contents
    if isinstance(contents, list):
        return "\n\n".join(_text(each) for each in contents)
    value = contents.get("value") if isinstance(contents, Mapping) else None
    return value if isinstance(value, str) else ""
