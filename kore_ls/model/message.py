"""A message of a session, and the tool calls made in it."""

from __future__ import annotations

from enum import Enum
from typing import Any

from attrs import field, frozen

from kore_ls.model.ids import MessageId, SessionId, TurnId
from kore_ls.model.limits import JsonObject


class Role(Enum):
    """Who speaks. `tool` comes only from imports and from clients that keep their own agent."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"
    TOOL = "tool"


class MessageState(Enum):
    """How an unfinished message ended; a finished one has no state."""

    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"


class ToolKind(Enum):
    """What a tool does, in the words of the Agent Client Protocol."""

    READ = "read"
    SEARCH = "search"
    EDIT = "edit"
    DELETE = "delete"
    MOVE = "move"
    EXECUTE = "execute"
    FETCH = "fetch"
    THINK = "think"
    OTHER = "other"


class ToolStatus(Enum):
    """How far a tool call got."""

    PENDING = "pending"
    IN_PROGRESS = "inProgress"
    COMPLETED = "completed"
    FAILED = "failed"
    DENIED = "denied"
    CANCELLED = "cancelled"


def _role(value: Role | str) -> Role:
    """What `Role` does, which takes thrice as long for what is one."""
    return value if type(value) is Role else Role(value)


_NO_MESSAGE = MessageId("")
_NO_SESSION = SessionId("")

UNFINISHED = frozenset({ToolStatus.PENDING, ToolStatus.IN_PROGRESS})


@frozen(kw_only=True)
class ToolCall:
    """One use of a tool, with its result inside once there is one."""

    id: str
    message_id: MessageId
    name: str
    kind: ToolKind
    title: str
    arguments: JsonObject
    status: ToolStatus
    result: Any = None
    started_at: int | None = None
    ended_at: int | None = None


@frozen(kw_only=True)
class Message:
    """One message. Without id, seq and timestamp it is new; the store gives them and returns the stored one.

    `seq` counts a session's messages from 1 without gaps and is their order; `timestamp` is Unix milliseconds and
    orders nothing.
    """

    id: MessageId = _NO_MESSAGE
    session_id: SessionId = _NO_SESSION
    seq: int = 0
    role: Role = field(converter=_role)
    content: str
    timestamp: int = 0
    metadata: JsonObject = field(factory=dict)
    turn_id: TurnId | None = None
    state: MessageState | None = None
    thinking: str | None = None
    tool_calls: tuple[ToolCall, ...] | None = None
