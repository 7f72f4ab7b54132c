"""The tool `definition`: asked of the editor's own language servers. Knows no language itself."""

from __future__ import annotations

from kore_ls.agents.tools.language import LanguageTool, described
from kore_ls.agents.tools.tool import ToolResult


class Definition(LanguageTool):
    """Find where what stands at a place is defined."""

    name = "definition"
    about = "Find where what stands at a place is defined, as the editor's language server knows it."

    async def run(self) -> ToolResult:
        """One place per line."""
        answer = await self.ask("definition", position=await self.position())
        found = await described(self.desk, answer)
        return ToolResult(text="\n".join(found) or "Nothing found.", facts={"places": len(found)})
