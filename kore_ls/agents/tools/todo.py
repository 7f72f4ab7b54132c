"""The tool `todo`: the session's list of what is still to be done; kept with it in the store."""

from __future__ import annotations

from kore_ls.agents.problem import ToolProblem
from kore_ls.agents.tools.tool import Aim, Parameter, Shape, Tool, ToolResult
from kore_ls.model.message import ToolKind

_MOST = 200
_LONGEST = 500
_DONE = "[x] "
_OPEN = "[ ] "


class Todo(Tool):
    """Shows the list, after adding to it or ticking something off."""

    name = "todo"
    kind = ToolKind.THINK
    about = "Show the session's to-do list; add something to it, or tick something off."
    parameters = (
        Parameter("text", Shape.TEXT, "what to add", required=False),
        Parameter("done", Shape.INTEGER, "the number of what is done, from 1", required=False),
    )

    async def aim(self) -> Aim:
        """It touches no file."""
        return Aim(action=self.action(), title=self.title())

    async def run(self) -> ToolResult:
        """The whole list, numbered."""
        items = await self.desk.around.todos.todo()
        text, done = self.given.get("text", "").strip(), self.given.get("done")
        if text:
            if len(items) >= _MOST or len(text) > _LONGEST:
                raise ToolProblem("The list takes 200 entries of at most 500 characters.")
            items.append(_OPEN + " ".join(text.split()))
        if done is not None:
            if not 1 <= done <= len(items):
                raise ToolProblem("The list has no such entry.")
            items[done - 1] = _DONE + items[done - 1][len(_OPEN) :]
        if text or done is not None:
            await self.desk.around.todos.keep_todo(items)
        lines = [f"{number}. {item}" for number, item in enumerate(items, 1)]
        return ToolResult(text="\n".join(lines) or "The list is empty.", facts={"items": list(items)})
