"""The tool `move`: another name for a file or a directory; never over something that is there."""

from __future__ import annotations

import asyncio

from kore_ls.agents import anchored
from kore_ls.agents.paths import Access
from kore_ls.agents.problem import ToolProblem
from kore_ls.agents.tools.changing import finished
from kore_ls.agents.tools.tool import Aim, Parameter, Shape, Tool, ToolResult
from kore_ls.agents.tools.trees import Tree, arrivals, tree_of
from kore_ls.model.message import ToolKind


class Move(Tool):
    """Moves or renames; a symlink is moved as such."""

    name = "move"
    kind = ToolKind.MOVE
    about = "Move or rename a file or directory of the workspace."
    parameters = (
        Parameter("source", Shape.TEXT, "what is there, relative to the workspace folder"),
        Parameter("target", Shape.TEXT, "its new path; nothing may be there, or a directory to put it into"),
    )

    async def aim(self) -> Aim:
        """Both paths, and what is protected inside of a directory, by its old names or by its new ones."""
        self.tree: Tree = await tree_of(self.desk, self.given["source"])
        source = self.tree.place
        self.target = self.desk.place(self.given["target"], Access.WRITE, follow=False)
        if self.target.is_folder:
            within = self.target.path / source.path.name
            self.target = self.desk.place(str(within), Access.WRITE, follow=False)
        if source.path == self.target.path or source.path in self.target.path.parents:
            raise ToolProblem("It can't be moved into itself.")
        special = await asyncio.to_thread(arrivals, self.desk, source.path, self.target.path)
        action = self.action(source, self.target, *self.tree.protected, *special)
        return Aim(action=action, title=self.title(path=source.relative, target=self.target.relative))

    async def run(self) -> ToolResult:
        """Move it."""
        source = self.tree.place
        files = await self.tree.contents(self.desk)
        for path, content in files.items():
            arrival = self.target.path / path.relative_to(source.path)
            await self.desk.around.snapshots.keep(self.desk.turn_id, path, before=content, after=None)
            await self.desk.around.snapshots.keep(self.desk.turn_id, arrival, before=None, after=content)
        for path, link in (await self.tree.unkept()).items():
            await self.desk.around.snapshots.lose(self.desk.turn_id, path, link=link)
            if link is not None:
                arrival = self.target.path / path.relative_to(source.path)
                await self.desk.around.snapshots.arrive(self.desk.turn_id, arrival, link=link)
        await finished(anchored.rename, source, self.target)
        facts = {"paths": [str(source.path), str(self.target.path)]}
        return ToolResult(text=f"Moved {source.relative} to {self.target.relative}.", facts=facts)
