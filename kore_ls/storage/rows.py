"""Rows to values and back; the one place that knows column order."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from kore_ls.errors import StoreDamaged
from kore_ls.model.ids import MessageId, SessionId, TurnId
from kore_ls.model.message import Message, MessageState, Role, ToolCall, ToolKind, ToolStatus
from kore_ls.model.mode import AgentMode
from kore_ls.model.session import AgentChoice, LastMessage, SessionRecord, SessionStatus, Usage
from kore_ls.model.turn import AuditEntry, Draft, FileSnapshot, StopReason, Turn, TurnState

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
TURN_COLUMNS = "id, session_id, state, stop_reason, started_at, ended_at, first_seq, last_seq, changed_files"
DRAFT_COLUMNS = "turn_id, session_id, message_id, content, thinking, tool_calls"
AUDIT_COLUMNS = "id, session_id, turn_id, tool_call, agent_mode, decision, rule, outcome, timestamp"
SNAPSHOT_COLUMNS = "turn_id, path, before, after, kept, taken_at"

Row = tuple[Any, ...]
_decode = json.JSONDecoder().raw_decode
_MODES = {mode.value: mode for mode in AgentMode}
_STATUSES = {status.value: status for status in SessionStatus}
_ROLES = {role.value: role for role in Role}
P = ParamSpec("P")
V = TypeVar("V")


def _damage_named(read: Callable[P, V]) -> Callable[P, V]:
    """What can't be read back as a value was not written by us, or has rotted."""

    @wraps(read)
    def reading(*args: P.args, **kwargs: P.kwargs) -> V:
        try:
            return read(*args, **kwargs)
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            raise StoreDamaged("the store holds a row that can't be read", reason="row") from error

    return reading


def marks(columns: str) -> str:
    """`?, ?, ...`: one for each of the columns."""
    return ", ".join("?" for _ in columns.split(","))


def to_json(value: Any) -> str | None:
    """Compact JSON text; None for what is empty, which most metadata is."""
    if value is None or value == {} or value == ():
        return None
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def from_json(text: str | None) -> Any:
    """What `to_json` stored."""
    if text is None:
        return None
    value, end = _decode(text)  # `json.loads` takes thrice as long, for the sake of white space
    if end != len(text):
        raise ValueError
    return value


def _object(text: str | None) -> dict[str, Any] | None:
    value = from_json(text)
    if value is not None and not isinstance(value, dict):
        raise TypeError
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int):
        raise TypeError
    return value


def session_row(record: SessionRecord) -> Row:
    """The values of SESSION_COLUMNS."""
    last = record.last_message
    return (
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


def editable_row(record: SessionRecord) -> Row:
    """The values of EDITABLE_COLUMNS."""
    return (
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


@_damage_named
def session_of(row: Row) -> SessionRecord:
    """A row of SESSION_COLUMNS as a value."""
    usage, agent = _object(row[20]), _object(row[21])
    last = None
    if row[17] is not None:
        last = LastMessage(seq=row[16], role=_ROLES[row[17]], preview=_text(row[18]), timestamp=_number(row[19]))
    return SessionRecord(
        id=SessionId(_text(row[0])),
        name=_text(row[1]),
        agent_mode=_MODES[row[2]],
        status=_STATUSES[row[3]],
        created_at=_number(row[4]),
        updated_at=_number(row[5]),
        metadata=_object(row[6]) or {},
        tags=tuple(from_json(row[7]) or ()),
        description=row[8],
        pinned=bool(row[9]),
        archived=bool(row[10]),
        deleted_at=row[11],
        imported=bool(row[12]),
        parent_id=row[13],
        forked_at_seq=row[14],
        message_count=_number(row[15]),
        last_seq=_number(row[16]),
        last_message=last,
        usage=Usage(**usage) if usage else None,
        agent=AgentChoice(**agent) if agent else None,
        config=_object(row[22]),
    )


def message_row(message: Message) -> Row:
    """The values of MESSAGE_COLUMNS but the first."""
    return (
        message.session_id,
        message.role.value,
        message.content,
        message.timestamp,
        to_json(message.metadata),
        message.id,
        message.seq,
        message.turn_id,
        message.state and message.state.value,
        message.thinking,
        len(message.tool_calls or ()),
    )


@_damage_named
def message_of(row: Row, tool_calls: tuple[ToolCall, ...] | None) -> Message:
    """A row of MESSAGE_COLUMNS, with its tool calls, as a value."""
    return Message(
        id=MessageId(_text(row[6])),
        session_id=SessionId(_text(row[1])),
        seq=_number(row[7]),
        role=_ROLES[row[2]],
        content=_text(row[3]),
        timestamp=_number(row[4]),
        metadata=_object(row[5]) or {},
        turn_id=cast(TurnId | None, row[8]),
        state=MessageState(row[9]) if row[9] else None,
        thinking=row[10],
        tool_calls=tool_calls,
    )


def tool_call_row(message_row_id: int, position: int, call: ToolCall) -> Row:
    """The values of TOOL_CALL_COLUMNS."""
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


@_damage_named
def tool_call_of(row: Row, message_id: MessageId) -> ToolCall:
    """A row of TOOL_CALL_COLUMNS as a value."""
    return ToolCall(
        id=_text(row[2]),
        message_id=message_id,
        name=_text(row[3]),
        kind=ToolKind(row[4]),
        title=_text(row[5]),
        arguments=_object(row[6]) or {},
        status=ToolStatus(row[7]),
        result=from_json(row[8]),
        started_at=row[9],
        ended_at=row[10],
    )


def turn_row(turn: Turn) -> Row:
    """The values of TURN_COLUMNS."""
    return (
        turn.turn_id,
        turn.session_id,
        turn.state.value,
        turn.stop_reason and turn.stop_reason.value,
        turn.started_at,
        turn.ended_at,
        turn.first_seq,
        turn.last_seq,
        to_json(turn.changed_files),
    )


@_damage_named
def turn_of(row: Row) -> Turn:
    """A row of TURN_COLUMNS as a value."""
    return Turn(
        turn_id=TurnId(_text(row[0])),
        session_id=SessionId(_text(row[1])),
        state=TurnState(row[2]),
        stop_reason=StopReason(row[3]) if row[3] else None,
        started_at=_number(row[4]),
        ended_at=row[5],
        first_seq=_number(row[6]),
        last_seq=row[7],
        changed_files=tuple(from_json(row[8]) or ()),
    )


def draft_row(turn_id: TurnId, session_id: SessionId, draft: Draft) -> Row:
    """The values of DRAFT_COLUMNS; its tool calls are rows of TOOL_CALL_COLUMNS."""
    calls = [tool_call_row(0, position, call) for position, call in enumerate(draft.calls)]
    return (turn_id, session_id, draft.message_id, draft.text, draft.thinking or None, to_json(tuple(calls)))


@_damage_named
def draft_of(row: Row) -> Draft:
    """A row of DRAFT_COLUMNS as a value."""
    message_id = MessageId(_text(row[2]))
    calls = tuple(tool_call_of(tuple(call), message_id) for call in from_json(row[5]) or ())
    return Draft(message_id=message_id, text=_text(row[3]), thinking=row[4] or "", calls=calls)


def audit_row(entry: AuditEntry) -> Row:
    """The values of AUDIT_COLUMNS but the first."""
    call = json.dumps(entry.tool_call, ensure_ascii=False)
    return (
        entry.session_id,
        entry.turn_id,
        call,
        entry.mode.value,
        entry.decision,
        entry.rule,
        entry.outcome,
        entry.timestamp,
    )


@_damage_named
def audit_of(row: Row) -> AuditEntry:
    """A row of AUDIT_COLUMNS as a value."""
    return AuditEntry(
        id=_number(row[0]),
        session_id=SessionId(_text(row[1])),
        turn_id=TurnId(_text(row[2])),
        tool_call=_object(row[3]) or {},
        mode=_MODES[row[4]],
        decision=_text(row[5]),
        rule=_text(row[6]),
        outcome=row[7],
        timestamp=_number(row[8]),
    )


@_damage_named
def snapshot_of(row: Row) -> FileSnapshot:
    """A row of SNAPSHOT_COLUMNS as a value."""
    return FileSnapshot(path=_text(row[1]), before=row[2], after=row[3], kept=bool(row[4]))


def _usage_object(usage: Usage | None) -> dict[str, Any] | None:
    if usage is None:
        return None
    return {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens, "cost": usage.cost}


def _agent_object(agent: AgentChoice | None) -> dict[str, Any] | None:
    if agent is None:
        return None
    return {"backend": agent.backend, "name": agent.name, "model": agent.model}
