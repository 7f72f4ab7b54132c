"""Rows to values and back; the one place that knows column order, and where encrypted stores encrypt and decrypt.

With a codec the columns named in `columns.SEALED` are encrypted, each bound to the place of its row.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from kore_ls.errors import StoreDamaged
from kore_ls.model.ids import MessageId, SessionId, TurnId, is_id
from kore_ls.model.message import Message, MessageState, Role, ToolCall, ToolKind, ToolStatus
from kore_ls.model.mode import AgentMode
from kore_ls.model.session import AgentChoice, LastMessage, SessionRecord, SessionStatus, Usage
from kore_ls.storage.attachments import FindText, attached
from kore_ls.storage.codec import Codec
from kore_ls.storage.columns import SEALED

SESSION_COLUMNS = (
    "id, name, agent_mode, status, created_at, updated_at, metadata, tags, description, pinned, archived, deleted_at, "
    "imported, parent_id, forked_at_seq, message_count, last_seq, last_role, last_preview, last_timestamp, "
    "usage, agent, config"
)
EDITABLE_COLUMNS = (
    "name, agent_mode, status, updated_at, metadata, tags, description, pinned, archived, deleted_at, "
    "usage, agent, config"
)
MESSAGE_COLUMNS = "id, session_id, role, content, timestamp, metadata, uid, seq, turn_id, state, thinking, tool_calls"
TOOL_CALL_COLUMNS = "message_id, position, id, name, kind, title, arguments, status, result, started_at, ended_at"
RESULT = 8
"""Where among them the result is."""
STORED_CALL_COLUMNS = f"{TOOL_CALL_COLUMNS}, output"
"""A long result is kept apart, under the name `output`; see `outputs`."""

Row = tuple[Any, ...]
_decode = json.JSONDecoder().raw_decode
MODES = {mode.value: mode for mode in AgentMode}
_STATUSES = {status.value: status for status in SessionStatus}
_ROLES = {role.value: role for role in Role}
_STATES = {state.value: state for state in MessageState}
Sealed = tuple[tuple[int, str], ...]


def sealed_columns(table: str, columns: str) -> Sealed:
    """Those of the columns that are encrypted: where they stand, and their names."""
    own = SEALED[table].columns
    return tuple((index, name) for index, name in enumerate(columns.split(", ")) if name in own)


_SESSION_SEALED = sealed_columns("sessions", SESSION_COLUMNS)
_EDITABLE_SEALED = sealed_columns("sessions", EDITABLE_COLUMNS)
_MESSAGE_SEALED = sealed_columns("messages", MESSAGE_COLUMNS)
_STORED_SEALED = tuple((index - 1, name) for index, name in _MESSAGE_SEALED)
_TOOL_CALL_SEALED = sealed_columns("tool_calls", TOOL_CALL_COLUMNS)
P = ParamSpec("P")
V = TypeVar("V")


def damage_named(read: Callable[P, V]) -> Callable[P, V]:
    """What can't be read back as a value was not written by us, or has rotted."""

    @wraps(read)
    def reading(*args: P.args, **kwargs: P.kwargs) -> V:
        try:
            return read(*args, **kwargs)
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            raise StoreDamaged("the store holds a row that can't be read", reason="row") from error

    return reading


def unreadable_row(what: str, session_id: object, message_id: object = None, seq: object = None) -> StoreDamaged:
    """The error for a session or message (`what`) whose row can't be read, which it names; odd ids are not repeated."""
    return StoreDamaged(
        f"the store holds a {what} that can't be read",
        reason="row",
        sessionId=session_id if isinstance(session_id, str) and is_id(session_id) else None,
        messageId=message_id if isinstance(message_id, str) and is_id(message_id) else None,
        seq=seq if isinstance(seq, int) else None,
    )


def sealed_row(codec: Codec, place: str, row: Row, columns: Sealed) -> Row:
    """A row with some of its columns encrypted."""
    values = list(row)
    for index, column in columns:
        if values[index] is not None:
            values[index] = codec.seal(place, column, values[index])
    return tuple(values)


def opened_row(codec: Codec, place: str, row: Row, columns: Sealed) -> Row:
    """A row as it was before it was encrypted. Raises StoreDamaged."""
    values = list(row)
    for index, column in columns:
        if values[index] is not None:
            values[index] = codec.open(place, column, values[index])
    return tuple(values)


def sealed_preview(codec: Codec, session_id: SessionId, preview: str) -> bytes | None:
    """The column `last_preview` of a session."""
    return codec.seal(codec.place("sessions", session_id, session_id), "last_preview", preview)


def marks(columns: str) -> str:
    """`?, ?, ...`: one for each of the columns."""
    return ", ".join("?" for _ in columns.split(","))


def to_json(value: Any) -> str | None:
    """Compact JSON text; None for what is empty, which most metadata is."""
    if value is None or value == {} or value == ():
        return None
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def from_json(text: str | float | None) -> Any:
    """What `to_json` stored."""
    if text is None or isinstance(text, int | float):  # SQLite makes a number of JSON that is one
        return text
    value, end = _decode(text)  # `json.loads` takes thrice as long, for the sake of white space
    if end != len(text):
        raise ValueError
    return value


def json_object(text: str | None) -> dict[str, Any] | None:
    """A stored object, or nothing. Raises ValueError, TypeError."""
    value = from_json(text)
    if value is not None and not isinstance(value, dict):
        raise TypeError
    return value


def as_text(value: Any) -> str:
    """Raises TypeError for what is no text."""
    if not isinstance(value, str):
        raise TypeError
    return value


def as_number(value: Any) -> int:
    """Raises TypeError for what is no integer."""
    if not isinstance(value, int):
        raise TypeError
    return value


def session_row(record: SessionRecord, codec: Codec | None = None) -> Row:
    """The values of SESSION_COLUMNS."""
    last = record.last_message
    row: Row = (
        record.id,
        record.name,
        record.agent_mode.value,
        record.status.value,
        record.created_at,
        record.updated_at,
        to_json(record.metadata),
        to_json(record.tags),
        record.description,
        record.pinned,
        record.archived,
        record.deleted_at,
        record.imported,
        record.parent_id,
        record.forked_at_seq,
        record.message_count,
        record.last_seq,
        last and last.role.value,
        last and last.preview,
        last and last.timestamp,
        to_json(_usage_object(record.usage)),
        to_json(_agent_object(record.agent)),
        to_json(record.config),
    )
    if codec is None:
        return row
    return sealed_row(codec, codec.place("sessions", record.id, record.id), row, _SESSION_SEALED)


def editable_row(record: SessionRecord, codec: Codec | None = None) -> Row:
    """The values of EDITABLE_COLUMNS."""
    row: Row = (
        record.name,
        record.agent_mode.value,
        record.status.value,
        record.updated_at,
        to_json(record.metadata),
        to_json(record.tags),
        record.description,
        record.pinned,
        record.archived,
        record.deleted_at,
        to_json(_usage_object(record.usage)),
        to_json(_agent_object(record.agent)),
        to_json(record.config),
    )
    if codec is None:
        return row
    return sealed_row(codec, codec.place("sessions", record.id, record.id), row, _EDITABLE_SEALED)


@damage_named
def session_of(row: Row, codec: Codec | None = None) -> SessionRecord:
    """A row of SESSION_COLUMNS as a value."""
    if codec is not None:
        row = opened_row(codec, codec.place("sessions", row[0], row[0]), row, _SESSION_SEALED)
    usage, agent = json_object(row[20]), json_object(row[21])
    last = None
    if row[17] is not None:
        last = LastMessage(seq=row[16], role=_ROLES[row[17]], preview=as_text(row[18]), timestamp=as_number(row[19]))
    return SessionRecord(
        id=SessionId(as_text(row[0])),
        name=as_text(row[1]),
        agent_mode=MODES[row[2]],
        status=_STATUSES[row[3]],
        created_at=as_number(row[4]),
        updated_at=as_number(row[5]),
        metadata=json_object(row[6]) or {},
        tags=tuple(from_json(row[7]) or ()),
        description=row[8],
        pinned=bool(row[9]),
        archived=bool(row[10]),
        deleted_at=row[11],
        imported=bool(row[12]),
        parent_id=row[13],
        forked_at_seq=row[14],
        message_count=as_number(row[15]),
        last_seq=as_number(row[16]),
        last_message=last,
        usage=Usage(**usage) if usage else None,
        agent=AgentChoice(**agent) if agent else None,
        config=json_object(row[22]),
    )


def message_row(message: Message, codec: Codec | None = None, metadata: Any = None) -> Row:
    """The values of MESSAGE_COLUMNS but the first; `metadata`: what is kept of the message's, see `attachments`."""
    row: Row = (
        message.session_id,
        message.role.value,
        message.content,
        message.timestamp,
        to_json(message.metadata if metadata is None else metadata),
        message.id,
        message.seq,
        message.turn_id,
        message.state and message.state.value,
        message.thinking,
        len(message.tool_calls or ()),
    )
    if codec is None:
        return row
    place = codec.place("messages", message.id, message.session_id, message.role.value, message.seq)
    return sealed_row(codec, place, row, _STORED_SEALED)


@damage_named
def message_of(row: Row, tool_calls: tuple[ToolCall, ...] | None, codec: Codec | None, find_text: FindText) -> Message:
    """A row of MESSAGE_COLUMNS, with its tool calls and what was attached to it, as a value."""
    if codec is not None:
        row = opened_row(codec, codec.place("messages", row[6], row[1], row[2], row[7]), row, _MESSAGE_SEALED)
    metadata = from_json(row[5])
    if isinstance(metadata, list):
        metadata = attached(metadata, find_text)
    elif metadata is not None and not isinstance(metadata, dict):
        raise TypeError
    return Message(
        id=MessageId(as_text(row[6])),
        session_id=SessionId(as_text(row[1])),
        seq=as_number(row[7]),
        role=_ROLES[row[2]],
        content=as_text(row[3]),
        timestamp=as_number(row[4]),
        metadata=metadata or {},
        turn_id=cast("TurnId | None", row[8]),
        state=_STATES[row[9]] if row[9] else None,
        thinking=row[10],
        tool_calls=tool_calls,
    )


def sealed_call(row: Row, message: Message, codec: Codec | None) -> Row:
    """Values of STORED_CALL_COLUMNS as they stand in the file."""
    if codec is None:
        return row
    place = codec.place("tool_calls", message.id, message.session_id, row[11] or "", row[1])
    return sealed_row(codec, place, row, _TOOL_CALL_SEALED)


def tool_call_values(message_row_id: int, position: int, call: ToolCall) -> Row:
    """The values of TOOL_CALL_COLUMNS, not encrypted."""
    return (
        message_row_id,
        position,
        call.id,
        call.name,
        call.kind.value,
        call.title,
        json.dumps(call.arguments, ensure_ascii=False),
        call.status.value,
        None if call.result is None else json.dumps(call.result, ensure_ascii=False),
        call.started_at,
        call.ended_at,
    )


@damage_named
def tool_call_of(
    row: Row,
    message_id: MessageId,
    session_id: SessionId | None = None,
    codec: Codec | None = None,
    output: bytes | None = None,
) -> ToolCall:
    """A row of STORED_CALL_COLUMNS, or in a draft of TOOL_CALL_COLUMNS, as a value; `output`: what is kept apart."""
    if codec is not None:
        place = codec.place("tool_calls", message_id, session_id or "", row[11] or "", row[1])
        row = opened_row(codec, place, row, _TOOL_CALL_SEALED)
    return ToolCall(
        id=as_text(row[2]),
        message_id=message_id,
        name=as_text(row[3]),
        kind=ToolKind(row[4]),
        title=as_text(row[5]),
        arguments=json_object(as_text(row[6])) or {},
        status=ToolStatus(row[7]),
        result=from_json(row[RESULT] if output is None else output.decode()),
        started_at=row[9],
        ended_at=row[10],
    )


def _usage_object(usage: Usage | None) -> dict[str, Any] | None:
    if usage is None:
        return None
    return {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens, "cost": usage.cost}


def _agent_object(agent: AgentChoice | None) -> dict[str, Any] | None:
    if agent is None:
        return None
    return {"backend": agent.backend, "name": agent.name, "model": agent.model}
