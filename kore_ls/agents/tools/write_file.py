"""The tool `write_file`: a new file, or a new text for a file that is there."""

from __future__ import annotations

from kore_ls.agents.paths import Access
from kore_ls.agents.problem import ToolProblem
from kore_ls.agents.tools.changing import Current, change_text, current_text
from kore_ls.agents.tools.tool import Aim, Parameter, Shape, Tool, ToolResult
from kore_ls.agents.unified import diff_of
from kore_ls.model.message import ToolKind


class WriteFile(Tool):
    """Writes a whole text file, making the directories it needs."""

    name = "write_file"
    kind = ToolKind.EDIT
    about = "Write a text file of the workspace as a whole. To change parts of a file use edit_file."
    parameters = (
        Parameter("path", Shape.TEXT, "the file, relative to the workspace folder"),
        Parameter("content", Shape.TEXT, "its whole new text"),
    )
    before: Current | None = None

    async def aim(self) -> Aim:
        """Nothing but the path."""
        self.place = self.desk.place(self.given["path"], Access.WRITE)
        if self.place.is_folder:
            raise ToolProblem("This is a directory.")
        return Aim(action=self.action(self.place), title=self.title(path=self.place.relative))

    async def preview(self) -> str:
        """The file's change; what was shown is what will be changed."""
        self.before = await current_text(self.desk, self.place)
        return diff_of(self.before.text, self.given["content"], self.place.relative)

    async def run(self) -> ToolResult:
        """Write it."""
        before = self.before or await current_text(self.desk, self.place)
        await change_text(self.desk, self.place, before, self.given["content"])
        made = "Made" if before.content is None else "Wrote"
        diff = diff_of(before.text, self.given["content"], self.place.relative)
        return ToolResult(text=f"{made} {self.place.relative}.", facts={"diff": diff, "paths": [str(self.place.path)]})
