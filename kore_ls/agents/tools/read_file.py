"""The tool `read_file`: a text file or some of its lines, as the user sees it in the editor."""

from __future__ import annotations

from kore_ls.agents.budget import RESULT_CHARS
from kore_ls.agents.paths import Access
from kore_ls.agents.problem import ToolProblem
from kore_ls.agents.tools.changing import current_text
from kore_ls.agents.tools.tool import Aim, Parameter, Shape, Tool, ToolResult
from kore_ls.model.message import ToolKind

NO_SUCH_FILE = "There is no such file."


class ReadFile(Tool):
    """Reads; lines count from 1, both ends included."""

    name = "read_file"
    kind = ToolKind.READ
    about = "Read a text file of the workspace, or some of its lines."
    parameters = (
        Parameter("path", Shape.TEXT, "the file, relative to the workspace folder"),
        Parameter("first", Shape.INTEGER, "the first line, from 1", required=False),
        Parameter("last", Shape.INTEGER, "the last line, included", required=False),
    )

    async def aim(self) -> Aim:
        """Nothing but the path."""
        self.place = self.desk.place(self.given["path"], Access.READ)
        return Aim(action=self.action(self.place), title=self.title(path=self.place.relative))

    async def run(self) -> ToolResult:
        """The text, cut at the end of a line where it is too long."""
        text = (await current_text(self.desk, self.place)).text
        if text is None:
            raise ToolProblem(NO_SUCH_FILE)
        lines = text.splitlines(keepends=True)
        first, last = self.given.get("first", 1), self.given.get("last", len(lines))
        if first < 1 or last < first - 1 or (first > len(lines) and lines):
            raise ToolProblem(f"There are no such lines: the file has {len(lines)}.")
        chosen: list[str] = []
        size = 0
        for line in lines[first - 1 : last]:
            size += len(line)
            if size > RESULT_CHARS - 200 and chosen:
                break
            chosen.append(line[:RESULT_CHARS])
        end = first - 1 + len(chosen)
        shown = "".join(chosen)
        if end < min(last, len(lines)):
            shown += f"[... line {end} of {len(lines)}; read on from line {end + 1} ...]\n"
        return ToolResult(text=shown, facts={"firstLine": first, "lastLine": end, "lines": len(lines)})
