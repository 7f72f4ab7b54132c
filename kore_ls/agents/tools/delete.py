"""The tool `delete`: a file, a symlink itself, or a directory with what is in it."""

from __future__ import annotations

from pathlib import Path

from kore_ls.agents import anchored
from kore_ls.agents.paths import entry_of
from kore_ls.agents.tools.changing import finished
from kore_ls.agents.tools.tool import Aim, Parameter, Shape, Tool, ToolResult
from kore_ls.agents.tools.trees import Tree, tree_of
from kore_ls.agents.words import say
from kore_ls.model.display import quoted
from kore_ls.model.message import ToolKind

_NAMED = 20
"""So many of the files that are lost for good are named."""


class Delete(Tool):
    """Deletes a bounded number of files, and says which of them can't be brought back."""

    name = "delete"
    kind = ToolKind.DELETE
    about = "Delete a file or a directory of the workspace."
    parameters = (Parameter("path", Shape.TEXT, "what to delete, relative to the workspace folder"),)

    async def aim(self) -> Aim:
        """The path, and what is protected inside of a directory."""
        self.tree: Tree = await tree_of(self.desk, self.given["path"])
        place = self.tree.place
        self.unkept = await self.tree.unkept()
        self.lost = [path for path, link in self.unkept.items() if link is None]
        self.named = ", ".join(quoted(str(path)) for path in self.lost[:_NAMED])
        words = f"{say('irreversible', self.desk.around.locale)}: {self.named}"
        return Aim(
            action=self.action(place, *self.tree.protected),
            title=self.title(path=place.relative),
            remarks=(words,) if self.lost else (),
        )

    async def run(self) -> ToolResult:
        """Delete it."""
        place = self.tree.place
        for path, content in (await self.tree.contents(self.desk)).items():
            await self.desk.around.snapshots.keep(self.desk.turn_id, path, before=content, after=None)
        for path, link in self.unkept.items():
            await self.desk.around.snapshots.lose(self.desk.turn_id, path, link=link)
        await finished(_delete, place.path)
        text = f"Deleted {place.relative}."
        if self.lost:
            text += f" This can't be taken back (too big, or no regular files; {len(self.lost)} in all): {self.named}"
        return ToolResult(text=text, facts={"paths": [str(place.path)]})


def _delete(path: Path) -> None:
    """Through descriptors all the way, so that no link put in between leads elsewhere."""
    place = entry_of(path)
    if place.is_folder:
        for name, _ in anchored.list_names(place, most=1 << 30):
            _delete(path / name)
    anchored.remove(place)
