"""What a tool is: it says what it is about to do, the gate decides, then it does it. No tool here knows the gate."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar

from attrs import field, frozen

from kore_ls.agents.budget import Budget
from kore_ls.agents.gate import Action
from kore_ls.agents.paths import Access, Place, locate, unlocated
from kore_ls.agents.problem import ToolProblem
from kore_ls.agents.surroundings import Surroundings
from kore_ls.agents.words import say
from kore_ls.model.ids import TurnId
from kore_ls.model.limits import unicode_problem
from kore_ls.model.message import ToolKind

_MOST_TEXT = 4 << 20
_MOST_WORDS = 1_000


class Shape(Enum):
    """What an argument looks like; the value is its JSON schema."""

    TEXT = "string"
    INTEGER = "integer"
    FLAG = "boolean"
    WORDS = "words"
    BLOCKS = "blocks"


@frozen
class Parameter:
    """One argument of a tool; `about` is for models."""

    name: str
    shape: Shape
    about: str
    required: bool = True


@frozen(kw_only=True)
class ToolResult:
    """What a tool gives back: text for the agent, and further facts for clients (JSON, kept with the call).

    `failed`: it did run, and what it ran failed.
    """

    text: str
    facts: Mapping[str, Any] = field(factory=dict)
    failed: bool = False


@frozen(kw_only=True)
class Aim:
    """What a call is about to do: for the gate, as a title, and as further words for the question to the user."""

    action: Action
    title: str
    remarks: tuple[str, ...] = ()
    sandboxed: bool = False


@frozen(kw_only=True)
class Desk:
    """What a running tool has at hand. `tell` passes output on; `may` asks the gate (and the user) for more; `located`
    hears each place that the tool looks at, and what it raises keeps the tool from learning more of it.
    """

    around: Surroundings
    turn_id: TurnId
    budget: Budget
    tell: Callable[[str], Awaitable[None]]
    may: Callable[[Action, str], Awaitable[bool]]
    located: Callable[[Place], None] = lambda place: None

    @property
    def folder(self) -> Path:
        """The workspace folder's real path."""
        return self.around.folder

    def place(self, text: str, access: Access, *, follow: bool = True) -> Place:
        """What a path of the agent is. Raises ToolProblem."""
        try:
            place = locate(self.folder, text, access, follow=follow, internal=self.around.internal)
        except ToolProblem:
            outside = unlocated(self.folder, text, access)
            if outside is not None:
                self.located(outside)
            raise
        self.located(place)
        return place


class Tool(ABC):
    """One call of a tool: made with its arguments, aimed, perhaps shown as a diff, run."""

    name: ClassVar[str]
    kind: ClassVar[ToolKind]
    about: ClassVar[str]
    """What it does, for models."""
    parameters: ClassVar[tuple[Parameter, ...]]

    def __init__(self, arguments: Mapping[str, Any], desk: Desk) -> None:
        self.given = read_arguments(self.parameters, arguments)
        self.desk = desk

    @abstractmethod
    async def aim(self) -> Aim:
        """Find out what would be done. Changes nothing, tells nothing of any file's content. Raises ToolProblem."""

    async def preview(self) -> str | None:
        """The change as a unified diff, for the user alone. Raises ToolProblem."""
        return None

    @abstractmethod
    async def run(self) -> ToolResult:
        """Do it. Raises ToolProblem."""

    def title(self, **values: object) -> str:
        """What the call is called, in the user's language."""
        return say(f"title.{self.name}", self.desk.around.locale, **values)

    def title_as_given(self) -> str:
        """The title in the agent's own words, which tells nothing of what is there."""
        path = self.given.get("path", self.given.get("source", "."))
        return self.title(path=path, target=self.given.get("target", ""))

    def action(self, *places: Place, **more: Any) -> Action:
        """This call as the gate sees it."""
        return Action(tool=self.name, kind=self.kind, places=places, **more)


def read_arguments(parameters: Sequence[Parameter], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that a tool knows, checked; others are ignored. Raises ToolProblem naming the place."""
    given: dict[str, Any] = {}
    for parameter in parameters:
        name = parameter.name
        value = arguments.get(name)
        if value is None:
            if parameter.required:
                raise ToolProblem(f"The argument `{name}` is missing.")
            continue
        if isinstance(value, str) and len(value) > _MOST_TEXT:
            raise ToolProblem(f"The argument `{name}` is too long: it may have {_MOST_TEXT:,} characters.")
        if not _fits(parameter.shape, value):
            raise ToolProblem(f"The argument `{name}` is not what it should be: {parameter.about}")
        given[name] = list(value) if isinstance(value, list | tuple) else value
    return given


def _fits(shape: Shape, value: Any) -> bool:
    match shape:
        case Shape.TEXT:
            return isinstance(value, str) and len(value) <= _MOST_TEXT and unicode_problem(value) is None
        case Shape.INTEGER:
            return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 53
        case Shape.FLAG:
            return isinstance(value, bool)
        case Shape.WORDS:
            return _is_list(value) and all(_fits(Shape.TEXT, each) and "\0" not in each for each in value)
        case Shape.BLOCKS:
            return _is_list(value) and all(
                isinstance(each, Mapping) and all(_fits(Shape.TEXT, each.get(key)) for key in ("search", "replace"))
                for each in value
            )


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple) and 0 < len(value) <= _MOST_WORDS


def schema_of(tool: type[Tool]) -> dict[str, Any]:
    """A tool's arguments as a JSON schema, for models."""
    block = {"type": "object", "properties": {key: {"type": "string"} for key in ("search", "replace")}}
    items = {Shape.WORDS: {"type": "string"}, Shape.BLOCKS: block | {"required": ["search", "replace"]}}
    properties = {
        each.name: {"description": each.about}
        | ({"type": "array", "items": items[each.shape]} if each.shape in items else {"type": each.shape.value})
        for each in tool.parameters
    }
    required = [each.name for each in tool.parameters if each.required]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
