"""The agent interface: what a session needs of whatever answers it, and what an answer is made of."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from attrs import field, frozen

from kore_ls.agents.sandbox.kinds import Sandbox
from kore_ls.model.message import Message, ToolCall
from kore_ls.model.session import SessionRecord, Usage
from kore_ls.model.turn import Prompt, StopReason


@frozen(kw_only=True)
class TextDelta:
    """More of the answer's text."""

    text: str


@frozen(kw_only=True)
class ThinkingDelta:
    """More of the agent's thinking."""

    text: str


@frozen(kw_only=True)
class StepEnded:
    """A step of the agent is complete: its text, thinking and tool calls become one message.

    `note` is kept with it for the agent alone: what it needs to go on exactly as before. It is never shown or exported.
    """

    note: str | None = field(default=None, repr=False)


@frozen(kw_only=True)
class UsageReported:
    """What was used since the last report."""

    usage: Usage


@frozen(kw_only=True)
class ToolReported:
    """A tool call that the agent makes by itself, as it stands now; the same `call.id` again updates it."""

    call: ToolCall


@frozen(kw_only=True)
class AnswerEnded:
    """The last event of an answer; one that ends without it ended well (`endTurn`). `note` is as in `StepEnded`."""

    stop_reason: StopReason
    note: str | None = field(default=None, repr=False)


AgentEvent: TypeAlias = TextDelta | ThinkingDelta | StepEnded | UsageReported | ToolReported | AnswerEnded


@frozen(kw_only=True)
class ToolOutcome:
    """What the agent learns of a tool call: text, as the model sees it; also why it was refused or failed."""

    call: ToolCall
    text: str


@frozen(kw_only=True)
class Workplace:
    """Where an external agent would work; `internal` are Kore's own directories."""

    folder: Path
    trusted: bool
    sandbox: Sandbox
    internal: tuple[Path, ...] = ()


@frozen(kw_only=True)
class Leave:
    """Whether an external agent may do what it asked for, and why not."""

    allowed: bool
    reason: str = ""


ELSEWHERE = "elsewhere"
"""The note that holds how an external agent knows the session."""


class AnsweredTurn(Protocol):
    """What an agent has at hand while it answers. All of it ends with CancelledError once the turn is cancelled."""

    @property
    def prompt(self) -> Prompt:
        """What to answer."""

    @property
    def session(self) -> SessionRecord:
        """The session as it is now; its mode may change in mid-turn."""

    def history(self) -> AsyncIterator[Message]:
        """All messages before the prompt's, in order, from the store."""

    async def notes(self, name: str | None = None) -> Mapping[str, str]:
        """What the session's agents noted, by message id or the name of `keep`; all, or one."""

    async def keep(self, name: str, content: str | None) -> None:
        """Keep a note of the session; None removes it."""

    async def workplace(self) -> Workplace:
        """Where the session's folder is, and what can be relied on there. Raises AgentUnavailable without a folder."""

    async def permit(
        self, call: ToolCall, *, paths: Sequence[str], argv: Sequence[str], diff: str | None, confined: bool
    ) -> Leave:
        """Ask the gate, and through it the user, about something that an external agent does by itself.

        What it says of its call can only make the answer stricter. `confined`: its process is in the sandbox.
        """

    async def ready(self) -> None:
        """To be awaited before each model request: waits while the session is paused."""

    async def use_tool(self, name: str, arguments: Mapping[str, Any], *, call_id: str | None = None) -> ToolOutcome:
        """Use a tool through the permission gate; waits while the session is paused.

        Never raises for what the tool or the gate says: a refusal and a failure are outcomes. Raises AgentFailed for
        arguments that are not JSON.
        """


class Agent(Protocol):
    """One session's own agent. It lives from the session's loading to its closing, unloading or shutdown."""

    def answer(self, turn: AnsweredTurn) -> AsyncIterator[AgentEvent]:
        """Answer one turn; one at a time. Cancelling it must stop all work within a second, child processes too.

        What it raises ends the turn as an error: a KoreError is told as it is, anything else as `AgentFailed`.
        """

    async def close(self) -> None:
        """Let go of everything; called once."""


AgentFactory: TypeAlias = Callable[[SessionRecord], Agent | Awaitable[Agent]]
"""Makes the agent of a session, at once or later; what it raises becomes `AgentFailed`."""
