"""The tool `references`: asked of the editor's own language servers. Knows no language itself."""

from __future__ import annotations

from kore_ls.agents.tools.language import LanguageTool, described
from kore_ls.agents.tools.tool import ToolResult


class References(LanguageTool):
    """Find all uses of what stands at a place."""

    name = "references"
    about = "Find all uses of what stands at a place, as the editor's language server knows it."

    async def run(self) -> ToolResult:
        """One place per line."""
        answer = await self.ask("references", position=await self.position(), context={"includeDeclaration": True})
        found = await described(self.desk, answer)
        return ToolResult(text="\n".join(found) or "Nothing found.", facts={"places": len(found)})
