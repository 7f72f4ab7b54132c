"""What a running turn needs of the manager of its session; implemented by `turns`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from kore_ls.agents.agent import Agent, Leave, ToolOutcome, Workplace
from kore_ls.agents.toolbox import ToolOutput
from kore_ls.errors import KoreError
from kore_ls.model.event import EventType
from kore_ls.model.ids import MessageId, SessionId
from kore_ls.model.message import Message, ToolCall
from kore_ls.model.session import SessionRecord
from kore_ls.storage.turn_store import TurnStore

if TYPE_CHECKING:
    from kore_ls.sessions.turns.runner import RunningTurn


class TurnHost(Protocol):
    """What a running turn needs of the manager of its session."""

    @property
    def turns(self) -> TurnStore:
        """Where it is stored."""

    def new_message_id(self) -> MessageId:
        """The id of the next message."""

    def history(self, session_id: SessionId, before: int) -> AsyncIterator[Message]:
        """The session's messages before a seq."""

    async def agent(self, record: SessionRecord) -> Agent:
        """The session's agent, made now if need be."""

    async def give_up(self, session_id: SessionId) -> None:
        """The agent did not stop when it was told to: let go of it without waiting."""

    async def use_tool(
        self,
        run: RunningTurn,
        name: str,
        arguments: Mapping[str, Any],
        call_id: str | None,
        on_update: Callable[[ToolCall | ToolOutput], Awaitable[None]],
    ) -> ToolOutcome:
        """Use a tool through the permission gate."""

    async def workplace(self, run: RunningTurn) -> Workplace:
        """Where an external agent would work."""

    async def permit(
        self,
        run: RunningTurn,
        call: ToolCall,
        *,
        paths: Sequence[str],
        argv: Sequence[str],
        diff: str | None,
        confined: bool,
    ) -> Leave:
        """Ask the gate about something that an external agent does by itself."""

    async def changed_files(self, run: RunningTurn) -> Sequence[str]:
        """The files that the turn changed."""

    def ended(self, run: RunningTurn) -> None:
        """The session has no turn any more; what is still to be told is told at once."""

    def release_requests(self, run: RunningTurn) -> None:
        """Answer the turn's open permission requests with `cancelled`."""

    def stored(self, record: SessionRecord) -> None:
        """The session is now so."""

    def message_stored(self, message: Message) -> None:
        """A message was committed: tell it."""

    def tell(self, run: RunningTurn, kind: EventType, data: object) -> None:
        """Publish a fact about the turn."""

    def store_failed(self, error: KoreError) -> None:
        """Something could not be stored."""
