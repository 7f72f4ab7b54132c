"""The tool `search_sessions`: what was said in this folder's past conversations."""

from __future__ import annotations

from datetime import UTC, datetime

from kore_ls.agents.problem import ToolProblem
from kore_ls.agents.tools.tool import Aim, Parameter, Shape, Tool, ToolResult
from kore_ls.model.message import ToolKind

_MOST = 20


class SearchSessions(Tool):
    """Searches the store through the port; reads no file."""

    name = "search_sessions"
    kind = ToolKind.SEARCH
    about = "Search this folder's past conversations."
    parameters = (Parameter("query", Shape.TEXT, "words to look for"),)

    async def aim(self) -> Aim:
        """It touches no file."""
        return Aim(action=self.action(), title=self.title())

    async def run(self) -> ToolResult:
        """Session, time, role and the place itself, one match per line."""
        query = self.given["query"].strip()
        if not query or len(query) > 1_000:
            raise ToolProblem("Say what to look for, in at most 1,000 characters.")
        matches = await self.desk.around.past.search(query, limit=_MOST)
        lines = [
            f"{each.session_name} ({datetime.fromtimestamp(each.timestamp / 1000, UTC):%Y-%m-%d}) "
            f"{each.role.value}: {' '.join(each.snippet.split())}"
            for each in matches[:_MOST]
        ]
        facts = {"sessions": list(dict.fromkeys(each.session_id for each in matches[:_MOST]))}
        return ToolResult(text="\n".join(lines) or "No matches.", facts=facts)
