"""Facts that have happened and were committed, as they are streamed to clients."""

from __future__ import annotations

from enum import Enum

from attrs import field, frozen

from kore_ls.errors import KoreError
from kore_ls.model.ids import MessageId, SessionId, TurnId
from kore_ls.model.limits import JsonObject
from kore_ls.model.message import Message, ToolCall
from kore_ls.model.session import SessionRecord, Usage
from kore_ls.model.turn import StopReason


class EventType(Enum):
    """Every kind of fact a client can subscribe to."""

    SESSION_CREATED = "session.created"
    SESSION_UPDATED = "session.updated"
    SESSION_SWITCHED = "session.switched"
    SESSION_CLOSED = "session.closed"
    SESSION_DELETED = "session.deleted"
    SESSION_RESTORED = "session.restored"
    SESSION_REWOUND = "session.rewound"
    MESSAGE_ADDED = "message.added"
    MESSAGE_STREAMING = "message.streaming"
    AGENT_THINKING = "agent.thinking"
    AGENT_IDLE = "agent.idle"
    AGENT_ERROR = "agent.error"
    TURN_STARTED = "turn.started"
    TURN_FINISHED = "turn.finished"
    TOOL_START = "tool.start"
    TOOL_UPDATE = "tool.update"
    TOOL_OUTPUT = "tool.output"
    TOOL_COMPLETE = "tool.complete"
    TOOL_ERROR = "tool.error"
    PERMISSION_ASKED = "permission.asked"
    PERMISSION_RESOLVED = "permission.resolved"
    STORE_CHANGED = "store.changed"
    STORE_LOCKED = "store.locked"
    STORE_ERROR = "store.error"


class Speech(Enum):
    """What a streamed piece of an answer is."""

    TEXT = "text"
    THINKING = "thinking"


@frozen(kw_only=True)
class StreamedText:
    """More of an answer that is being given; `offset` counts the UTF-16 units of its kind that came before."""

    message_id: MessageId
    kind: Speech
    offset: int
    delta: str


@frozen(kw_only=True)
class StreamedOutput:
    """More of what a running tool prints; `offset` counts the UTF-16 units that came before."""

    tool_call_id: str
    offset: int
    chunk: str


class AgentActivity(Enum):
    """Whether a session's agent is at work."""

    THINKING = "thinking"
    IDLE = "idle"


@frozen(kw_only=True)
class AgentStatus:
    """What a session's agent does."""

    status: AgentActivity


@frozen(kw_only=True)
class AgentFault:
    """Why an agent failed: the kind of an error, its text, and the facts to word it in the user's language.

    These are the error's `data.params`: `reason` (a word of a fixed set), and where known `provider`, `variable`,
    `status`, `install` and `retryAfter`, in how many seconds the provider wants to be asked again.
    """

    kind: str
    message: str
    params: JsonObject = field(factory=dict)


def fault_of(error: KoreError) -> AgentFault:
    """What is told of an error that ended a turn, or would."""
    return AgentFault(kind=error.kind, message=error.message, params=error.params)


@frozen(kw_only=True)
class TurnStarted:
    """A turn has begun."""

    turn_id: TurnId


@frozen(kw_only=True)
class TurnFinished:
    """A turn has ended. `message` is the last one that it made, if its end made one."""

    stop_reason: StopReason
    message: Message | None = None
    usage: Usage | None = None
    changed_files: tuple[str, ...] | None = None


@frozen(kw_only=True)
class ToolCallChanged:
    """A tool call as it stands now."""

    tool_call: ToolCall


@frozen(kw_only=True)
class RequestResolved:
    """A permission request that is answered: by an option's kind, or `cancelled`."""

    request_id: str
    outcome: str


@frozen(kw_only=True)
class Event:
    """One fact. Which of the optional fields are set follows from the type; `origin` is who asked for it, if known.

    `data` is what a type of event says by itself: one of the values above.
    """

    type: EventType
    timestamp: int
    session_id: SessionId | None = None
    turn_id: TurnId | None = None
    session: SessionRecord | None = None
    previous_id: SessionId | None = None
    kept_id: SessionId | None = None
    message: Message | None = None
    sessions: tuple[SessionId, ...] = ()
    kinds: tuple[str, ...] = field(default=())
    error_kind: str | None = None
    data: object | None = None
    origin: object | None = field(default=None, eq=False, repr=False)
