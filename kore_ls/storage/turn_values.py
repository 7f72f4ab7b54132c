"""Rows of turns, drafts, decisions and before-images to values and back; the other half of `rows`."""

from __future__ import annotations

import json

from kore_ls.model.ids import MessageId, SessionId, TurnId
from kore_ls.model.turn import (
    AuditEntry,
    Draft,
    FileSnapshot,
    Prompt,
    StopReason,
    Turn,
    TurnState,
    context_from,
    context_json,
)
from kore_ls.storage.codec import Codec
from kore_ls.storage.rows import (
    MODES,
    Row,
    as_number,
    as_text,
    damage_named,
    from_json,
    json_object,
    opened_row,
    sealed_columns,
    sealed_row,
    to_json,
    tool_call_of,
    tool_call_values,
)

TURN_COLUMNS = "id, session_id, state, stop_reason, started_at, ended_at, first_seq, last_seq, changed_files"
DRAFT_COLUMNS = "turn_id, session_id, message_id, content, thinking, tool_calls"
AUDIT_COLUMNS = "id, session_id, turn_id, tool_call, agent_mode, decision, rule, outcome, timestamp"
PROMPT_COLUMNS = "turn_id, session_id, content, context"
SNAPSHOT_COLUMNS = "turn_id, path, before, after, kept, taken_at, mode"

_TURN_SEALED = sealed_columns("turns", TURN_COLUMNS)
_DRAFT_SEALED = sealed_columns("drafts", DRAFT_COLUMNS)
_AUDIT_SEALED = sealed_columns("audit", AUDIT_COLUMNS)
_PROMPT_SEALED = sealed_columns("prompts", PROMPT_COLUMNS)
_ENTRY_SEALED = tuple((index - 1, name) for index, name in _AUDIT_SEALED)


def turn_row(turn: Turn, codec: Codec | None = None) -> Row:
    """The values of TURN_COLUMNS."""
    row: Row = (
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
    if codec is None:
        return row
    return sealed_row(codec, codec.place("turns", turn.turn_id, turn.session_id), row, _TURN_SEALED)


@damage_named
def turn_of(row: Row, codec: Codec | None = None) -> Turn:
    """A row of TURN_COLUMNS as a value."""
    if codec is not None:
        row = opened_row(codec, codec.place("turns", row[0], row[1]), row, _TURN_SEALED)
    return Turn(
        turn_id=TurnId(as_text(row[0])),
        session_id=SessionId(as_text(row[1])),
        state=TurnState(row[2]),
        stop_reason=StopReason(row[3]) if row[3] else None,
        started_at=as_number(row[4]),
        ended_at=row[5],
        first_seq=as_number(row[6]),
        last_seq=row[7],
        changed_files=tuple(from_json(row[8]) or ()),
    )


def draft_row(turn_id: TurnId, session_id: SessionId, draft: Draft, codec: Codec | None = None) -> Row:
    """The values of DRAFT_COLUMNS; its tool calls are rows of TOOL_CALL_COLUMNS."""
    calls = [tool_call_values(0, position, call) for position, call in enumerate(draft.calls)]
    row: Row = (turn_id, session_id, draft.message_id, draft.text, draft.thinking or None, to_json(tuple(calls)))
    if codec is None:
        return row
    return sealed_row(codec, codec.place("drafts", turn_id, session_id), row, _DRAFT_SEALED)


@damage_named
def draft_of(row: Row, codec: Codec | None = None) -> Draft:
    """A row of DRAFT_COLUMNS as a value."""
    if codec is not None:
        row = opened_row(codec, codec.place("drafts", row[0], row[1]), row, _DRAFT_SEALED)
    message_id = MessageId(as_text(row[2]))
    calls = tuple(tool_call_of(tuple(call), message_id) for call in from_json(row[5]) or ())
    return Draft(message_id=message_id, text=as_text(row[3]), thinking=row[4] or "", calls=calls)


def audit_row(entry: AuditEntry, codec: Codec | None = None) -> Row:
    """The values of AUDIT_COLUMNS but the first."""
    call = json.dumps(entry.tool_call, ensure_ascii=False)
    row: Row = (
        entry.session_id,
        entry.turn_id,
        call,
        entry.mode.value,
        entry.decision,
        entry.rule,
        entry.outcome,
        entry.timestamp,
    )
    if codec is None:
        return row
    place = _audit_place(codec, (None, *row))
    return sealed_row(codec, place, row, _ENTRY_SEALED)


def _audit_place(codec: Codec, row: Row) -> str:
    """What a decision was is bound to what it was about; see `columns`."""
    return codec.place("audit", row[2], row[1], f"{row[4]} {row[5]} {row[7] or ''}", row[8])


@damage_named
def audit_of(row: Row, codec: Codec | None = None) -> AuditEntry:
    """A row of AUDIT_COLUMNS as a value."""
    if codec is not None:
        row = opened_row(codec, _audit_place(codec, row), row, _AUDIT_SEALED)
    return AuditEntry(
        id=as_number(row[0]),
        session_id=SessionId(as_text(row[1])),
        turn_id=TurnId(as_text(row[2])),
        tool_call=json_object(as_text(row[3])) or {},
        mode=MODES[row[4]],
        decision=as_text(row[5]),
        rule=as_text(row[6]),
        outcome=row[7],
        timestamp=as_number(row[8]),
    )


def snapshot_row(turn_id: TurnId, snapshot: FileSnapshot, taken_at: int, codec: Codec | None = None) -> Row:
    """The values of SNAPSHOT_COLUMNS."""
    row: Row = (turn_id, snapshot.path, snapshot.before, snapshot.after, snapshot.kept, taken_at, snapshot.mode)
    if codec is None:
        return row
    before, after = codec.hide(snapshot.before), codec.hide(snapshot.after)
    place = _snapshot_place(codec, (turn_id, None, before, after, snapshot.kept, taken_at, snapshot.mode))
    return (turn_id, codec.seal(place, "path", snapshot.path), before, after, snapshot.kept, taken_at, snapshot.mode)


def _snapshot_place(codec: Codec, row: Row) -> str:
    """A file's path is bound to what was in it; see `columns`."""
    turn_id, _, before, after, kept, taken_at, mode = row
    words = (before or "", after or "", str(int(kept)), "" if mode is None else str(mode))
    return codec.place("file_snapshots", turn_id, "", " ".join(words), taken_at)


@damage_named
def snapshot_of(row: Row, codec: Codec | None = None) -> FileSnapshot:
    """A row of SNAPSHOT_COLUMNS as a value."""
    _, path, before, after, kept, _, mode = row
    if codec is not None:
        path = codec.open(_snapshot_place(codec, row), "path", path)
        before, after = codec.reveal(before), codec.reveal(after)
    return FileSnapshot(path=as_text(path), before=before, after=after, kept=bool(kept), mode=mode)


def prompt_row(turn_id: TurnId, session_id: SessionId, prompt: Prompt, codec: Codec | None = None) -> Row:
    """The values of PROMPT_COLUMNS."""
    context = json.dumps(context_json(prompt.context), ensure_ascii=False) if prompt.context else None
    row: Row = (turn_id, session_id, prompt.text, context)
    if codec is None:
        return row
    return sealed_row(codec, codec.place("prompts", turn_id, session_id), row, _PROMPT_SEALED)


@damage_named
def prompt_of(row: Row, codec: Codec | None = None) -> Prompt:
    """A row of PROMPT_COLUMNS as a value."""
    if codec is not None:
        row = opened_row(codec, codec.place("prompts", row[0], row[1]), row, _PROMPT_SEALED)
    return Prompt(text=as_text(row[2]), context=context_from(from_json(row[3]) or []))


def todo_row(session_id: SessionId, items: list[str], codec: Codec | None = None) -> Row:
    """A session's id and its list."""
    text = json.dumps(items, ensure_ascii=False)
    if codec is None:
        return (session_id, text)
    return (session_id, codec.seal(codec.place("todos", session_id, session_id), "items", text))


@damage_named
def todo_of(row: Row, codec: Codec | None = None) -> list[str]:
    """The list in what `todo_row` made."""
    text = row[1] if codec is None else codec.open(codec.place("todos", row[0], row[0]), "items", row[1])
    return [as_text(each) for each in from_json(as_text(text))]
