"""The handle of one session: what the Python API gives out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from typing import TYPE_CHECKING, Any

from attrs import evolve

from kore_ls.agents.agent import Agent
from kore_ls.model.ids import SessionId
from kore_ls.model.limits import JsonObject
from kore_ls.model.message import Message
from kore_ls.model.mode import AgentMode
from kore_ls.model.session import SessionRecord, SessionStatus

if TYPE_CHECKING:
    from kore_ls.sessions.manager import SessionManager


class MessageHistory:
    """A session's messages in order: `await history` is a list, `async for message in history` goes page by page."""

    def __init__(self, manager: SessionManager, session_id: SessionId) -> None:
        self._manager = manager
        self._session_id = session_id

    def __await__(self) -> Generator[Any, None, list[Message]]:
        return self._manager.get_messages(self._session_id).__await__()

    def __aiter__(self) -> AsyncIterator[Message]:
        return self._manager.iterate_messages(self._session_id)


class Session:
    """One session of a manager. Its fields are those of `record`, the newest state this process knows of."""

    def __init__(self, manager: SessionManager, record: SessionRecord) -> None:
        self._manager = manager
        self.record = record

    def __repr__(self) -> str:
        return f"<Session {self.id} {self.agent_mode.value} {self.status.value}>"

    @property
    def id(self) -> SessionId:
        """The session's identifier."""
        return self.record.id

    @property
    def name(self) -> str:
        """What the session is called."""
        return self.record.name

    @property
    def agent_mode(self) -> AgentMode:
        """How much its agent may do."""
        return self.record.agent_mode

    @property
    def status(self) -> SessionStatus:
        """Where it is in its life."""
        return self.record.status

    @property
    def agent(self) -> Agent | None:
        """Its own agent, while it is loaded."""
        return self._manager.agent_of(self.id)

    @property
    def messages(self) -> MessageHistory:
        """Its messages, read when awaited or iterated."""
        return MessageHistory(self._manager, self.id)

    @property
    def created_at(self) -> int:
        """Unix milliseconds."""
        return self.record.created_at

    @property
    def updated_at(self) -> int:
        """Unix milliseconds of the last message, rename or update."""
        return self.record.updated_at

    @property
    def metadata(self) -> JsonObject:
        """What users and tools attached to it; change it with `SessionManager.update_session`."""
        return self.record.metadata

    def is_active(self) -> bool:
        """Whether it is not closed."""
        return self.status is not SessionStatus.CLOSED

    def evolve(self, **changes: Any) -> SessionRecord:
        """Its record with some fields changed, to be given to `Storage.save_session`."""
        return evolve(self.record, **changes)

    async def add_message(self, message: Message) -> Message:
        """Append a message; see `SessionManager.add_message`."""
        return await self._manager.add_message(self.id, message)

    async def get_messages(self) -> list[Message]:
        """All its messages in order."""
        return await self._manager.get_messages(self.id)

    async def close(self) -> None:
        """Close it; see `SessionManager.close_session`."""
        await self._manager.close_session(self.id)
