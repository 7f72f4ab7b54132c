"""The tool `list_dir`: the names in a directory."""

from __future__ import annotations

import asyncio

from kore_ls.agents import anchored
from kore_ls.agents.paths import Access
from kore_ls.agents.problem import ToolProblem
from kore_ls.agents.tools.tool import Aim, Parameter, Shape, Tool, ToolResult
from kore_ls.model.message import ToolKind

_MOST = 2_000


class ListDir(Tool):
    """Lists; directories end with `/`."""

    name = "list_dir"
    kind = ToolKind.READ
    about = "List the names in a directory of the workspace."
    parameters = (Parameter("path", Shape.TEXT, "the directory, relative to the workspace folder", required=False),)

    async def aim(self) -> Aim:
        """Nothing but the path."""
        self.place = self.desk.place(self.given.get("path", "."), Access.READ)
        return Aim(action=self.action(self.place), title=self.title(path=self.place.relative))

    async def run(self) -> ToolResult:
        """One name per line, in order."""
        if not self.place.is_folder:
            raise ToolProblem("There is no such directory.")
        names = await asyncio.to_thread(anchored.list_names, self.place, most=_MOST + 1)
        lines = [name.replace("\n", "\ufffd") + "/" * is_folder for name, is_folder in names[:_MOST]]
        if len(names) > _MOST:
            lines.append("[... the rest is left out ...]")
        text = "\n".join(lines).encode("utf-8", "replace").decode()
        return ToolResult(text=text or "(empty)", facts={"entries": min(len(names), _MOST)})
