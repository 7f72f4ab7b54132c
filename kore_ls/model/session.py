"""A session as it is stored: one conversation's identity, mode, status and counters; never its messages."""

from __future__ import annotations

from enum import Enum

from attrs import field, frozen

from kore_ls.errors import BadTransition, SessionClosed
from kore_ls.model.ids import MessageId, SessionId
from kore_ls.model.limits import JsonObject
from kore_ls.model.message import Role
from kore_ls.model.mode import AgentMode


class SessionStatus(Enum):
    """Where a session is in its life."""

    IDLE = "idle"
    RUNNING = "running"
    PAUSED = "paused"
    CLOSED = "closed"


TRANSITIONS: dict[SessionStatus, frozenset[SessionStatus]] = {
    SessionStatus.IDLE: frozenset({SessionStatus.RUNNING, SessionStatus.PAUSED, SessionStatus.CLOSED}),
    SessionStatus.RUNNING: frozenset({SessionStatus.IDLE, SessionStatus.PAUSED, SessionStatus.CLOSED}),
    SessionStatus.PAUSED: frozenset({SessionStatus.IDLE, SessionStatus.RUNNING, SessionStatus.CLOSED}),
    SessionStatus.CLOSED: frozenset({SessionStatus.IDLE}),
}
"""The only status changes there are; `closed -> idle` is a switch to a closed session."""

PREVIEW_CHARS = 120


def check_transition(session_id: SessionId, before: SessionStatus, after: SessionStatus) -> None:
    """Raise SessionClosed or BadTransition unless the table allows the step."""
    if after in TRANSITIONS[before]:
        return
    if before is SessionStatus.CLOSED:
        raise SessionClosed(sessionId=session_id)
    raise BadTransition(sessionId=session_id, status=before.value, wanted=after.value)


@frozen(kw_only=True)
class LastMessage:
    """What a list shows of a session's newest message; `preview` is at most 120 characters of it, on one line."""

    seq: int
    role: Role
    preview: str
    timestamp: int


@frozen(kw_only=True)
class Usage:
    """Tokens (and, where known, money in US dollars) that a session's turns have used."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None


@frozen(kw_only=True)
class AgentChoice:
    """Which agent a session wants; commands, addresses and keys never live here."""

    backend: str
    name: str | None = None
    model: str | None = None


@frozen(kw_only=True)
class SessionRecord:
    """One row of the store. Times are Unix milliseconds; `deleted_at` is set on a deleted, restorable session."""

    id: SessionId
    name: str
    agent_mode: AgentMode
    status: SessionStatus = SessionStatus.IDLE
    created_at: int
    updated_at: int
    metadata: JsonObject = field(factory=dict)
    tags: tuple[str, ...] = ()
    description: str | None = None
    pinned: bool = False
    archived: bool = False
    deleted_at: int | None = None
    imported: bool = False
    parent_id: SessionId | None = None
    forked_at_seq: int | None = None
    message_count: int = 0
    last_seq: int = 0
    last_message: LastMessage | None = None
    usage: Usage | None = None
    agent: AgentChoice | None = None
    config: JsonObject | None = None


@frozen(kw_only=True)
class ForkPoint:
    """Where a fork ends: at a message (included), before the first one (`empty`), or after the last one (neither)."""

    message_id: MessageId | None = None
    empty: bool = False


def preview_of(content: str) -> str:
    """The start of a message on one line, for lists."""
    for chars in (PREVIEW_CHARS + 40, PREVIEW_CHARS * 4):  # the first is enough for all but odd texts
        line = " ".join(content[:chars].split())[:PREVIEW_CHARS]
        if len(line) == PREVIEW_CHARS or len(content) <= chars:
            break
    return line
