"""Facts that have happened and were committed, as they are streamed to clients."""

from __future__ import annotations

from enum import Enum

from attrs import field, frozen

from kore_ls.model.ids import SessionId, TurnId
from kore_ls.model.message import Message
from kore_ls.model.session import SessionRecord


class EventType(Enum):
    """Every kind of fact a client can subscribe to."""

    SESSION_CREATED = "session.created"
    SESSION_UPDATED = "session.updated"
    SESSION_SWITCHED = "session.switched"
    SESSION_CLOSED = "session.closed"
    SESSION_DELETED = "session.deleted"
    SESSION_RESTORED = "session.restored"
    MESSAGE_ADDED = "message.added"
    STORE_CHANGED = "store.changed"
    STORE_ERROR = "store.error"


@frozen(kw_only=True)
class Event:
    """One fact. Which of the optional fields are set follows from the type; `origin` is who asked for it, if known."""

    type: EventType
    timestamp: int
    session_id: SessionId | None = None
    turn_id: TurnId | None = None
    session: SessionRecord | None = None
    previous_id: SessionId | None = None
    message: Message | None = None
    sessions: tuple[SessionId, ...] = ()
    kinds: tuple[str, ...] = field(default=())
    error_kind: str | None = None
    origin: object | None = field(default=None, eq=False, repr=False)
