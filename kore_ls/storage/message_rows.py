"""Statements about messages and their tool calls; synchronous, run inside a hop."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing

from attrs import frozen

from kore_ls.errors import InvalidParams, MessageNotFound, SessionClosed, SessionNotFound, StoreDamaged
from kore_ls.model.ids import MessageId, SessionId
from kore_ls.model.limits import PAGE_BYTES
from kore_ls.model.message import UNFINISHED, Message, ToolStatus
from kore_ls.model.session import SessionStatus, preview_of
from kore_ls.storage.attachments import FindText, detached, text_finder
from kore_ls.storage.codec import codec_of
from kore_ls.storage.outputs import calls_of, stored_call
from kore_ls.storage.rows import (
    MESSAGE_COLUMNS,
    STORED_CALL_COLUMNS,
    Row,
    marks,
    message_of,
    message_row,
    sealed_preview,
    unreadable_row,
)
from kore_ls.storage.sealing import moved

_STORED = MESSAGE_COLUMNS.removeprefix("id, ")
_STATE = "SELECT status, deleted_at, hidden, last_seq FROM sessions WHERE id = ?"
_INSERT = f"INSERT INTO messages ({_STORED}) VALUES ({marks(_STORED)})"
_INSERT_IF_NEW = f"{_INSERT} ON CONFLICT (session_id, uid) DO NOTHING"
_INSERT_TOOL_CALL = f"INSERT INTO tool_calls ({STORED_CALL_COLUMNS}) VALUES ({marks(STORED_CALL_COLUMNS)})"
_INSERT_ATTACHMENT = "INSERT INTO attachments (message_id, name) VALUES (?, ?)"
_UNFINISHED = ", ".join(sorted(repr(status.value) for status in UNFINISHED))
_COUNT = (
    "UPDATE sessions SET message_count = message_count + ?, last_seq = ?, last_role = ?, last_preview = ?, "
    "last_timestamp = ?, updated_at = max(updated_at, ?) WHERE id = ?"
)
_COPIED_CALL = STORED_CALL_COLUMNS.removeprefix("message_id, ")
_COPIES = "CROSS JOIN messages new ON new.session_id = ?1 AND new.seq = m.seq WHERE m.session_id = ?2 AND m.seq <= ?3"
_COPY_ATTACHMENTS = (
    "INSERT INTO attachments (message_id, name) SELECT new.id, a.name FROM messages m "
    f"CROSS JOIN attachments a ON a.message_id = m.id {_COPIES}"
)


def _copy_calls(columns: str) -> str:
    cancelled = f"CASE WHEN t.status IN ({_UNFINISHED}) THEN 'cancelled' ELSE t.status END"
    return (
        f"INSERT INTO tool_calls (message_id, {_COPIED_CALL}) SELECT new.id, {columns} FROM messages m "
        f"CROSS JOIN tool_calls t ON t.message_id = m.id {_COPIES} AND m.tool_calls > 0"
    ).replace("t.status", cancelled)


_COPY_TOOL_CALLS = _copy_calls(", ".join(f"t.{column}" for column in _COPIED_CALL.split(", ")))
_COPY_TOOL_CALLS_SEALED = _copy_calls(moved("tool_calls", _COPIED_CALL, session_id="?1"))


@frozen(kw_only=True)
class MessagePage:
    """Messages in `seq` order; `has_more` tells whether there are more in the direction asked for."""

    messages: tuple[Message, ...] = ()
    has_more: bool = False


def add_message(db: sqlite3.Connection, message: Message, new_id: MessageId, now: int) -> tuple[Message, bool]:
    """Append to an open session; (stored, whether it is new).

    `new_id` and `now` (Unix milliseconds) are for a message that has no id or no timestamp yet. The same id again
    answers the stored message if role and content agree, else InvalidParams. Raises SessionNotFound, SessionClosed.
    """
    session = db.execute(_STATE, (message.session_id,)).fetchone()
    if session is None or session[2]:
        raise SessionNotFound(sessionId=message.session_id)
    if session[1] is not None:
        raise SessionNotFound(sessionId=message.session_id, deleted=True)
    if session[0] == SessionStatus.CLOSED.value:
        raise SessionClosed(sessionId=message.session_id)
    stored = numbered(message, message.id or new_id, session[3] + 1, message.timestamp or now)
    if not insert_if_new(db, stored):
        known = find_message(db, stored.session_id, stored.id)
        if (known.role, known.content) != (message.role, message.content):
            raise InvalidParams(["params.id: already names another message of this session"])
        return known, False
    count_messages(db, 1, stored, now)
    return stored, True


def append_message(db: sqlite3.Connection, message: Message, now: int) -> Message:
    """Append a message with an id, whatever state its session is in; the caller has seen that the session is there."""
    last = db.execute("SELECT last_seq FROM sessions WHERE id = ?", (message.session_id,)).fetchone()[0]
    stored = numbered(message, message.id, last + 1, message.timestamp or now)
    insert_messages(db, [stored])
    count_messages(db, 1, stored, now)
    return stored


def numbered(message: Message, message_id: MessageId, seq: int, timestamp: int) -> Message:
    """The message with what the store gives it."""
    return Message(  # `evolve` takes twice as long, and this is the path of every message
        id=message_id,
        session_id=message.session_id,
        seq=seq,
        role=message.role,
        content=message.content,
        timestamp=timestamp,
        metadata=message.metadata,
        turn_id=message.turn_id,
        state=message.state,
        thinking=message.thinking,
        tool_calls=message.tool_calls,
    )


def insert_messages(db: sqlite3.Connection, messages: Iterable[Message]) -> None:
    """Store numbered messages as they are; the caller keeps the counters."""
    for message in messages:
        _insert(db, message, _INSERT)


def insert_if_new(db: sqlite3.Connection, message: Message) -> bool:
    """Store a numbered message unless its session has one with its id; whether it was stored."""
    return _insert(db, message, _INSERT_IF_NEW)


def _insert(db: sqlite3.Connection, message: Message, statement: str) -> bool:
    metadata, names = detached(db, message.metadata)
    cursor = db.execute(statement, message_row(message, codec_of(db), metadata))
    if not cursor.rowcount:
        return False
    row_id = cursor.lastrowid or 0
    if message.tool_calls:
        calls = enumerate(message.tool_calls)
        db.executemany(_INSERT_TOOL_CALL, [stored_call(db, row_id, at, call, message) for at, call in calls])
    if names:
        db.executemany(_INSERT_ATTACHMENT, [(row_id, name) for name in sorted(names)])
    return True


def answer_calls(db: sqlite3.Connection, message: Message) -> bool:
    """Give the stored message's cancelled calls the ends that they have in `message`; whether any has one there."""
    row = db.execute(
        "SELECT id FROM messages WHERE session_id = ? AND uid = ?", (message.session_id, message.id)
    ).fetchone()
    if row is None:
        return False
    before = calls_of(db, row[0], message.id, message.session_id)
    ended = {call.id: call for call in message.tool_calls or () if call.status is not ToolStatus.CANCELLED}
    calls = tuple(ended.get(call.id, call) if call.status is ToolStatus.CANCELLED else call for call in before)
    if calls == before:
        return False
    db.execute("DELETE FROM tool_calls WHERE message_id = ?", row)
    rows = [stored_call(db, row[0], at, call, message) for at, call in enumerate(calls)]
    db.executemany(_INSERT_TOOL_CALL, rows)
    return True


def count_messages(db: sqlite3.Connection, added: int, last: Message, now: int) -> None:
    """Bring the session's counters in step with messages just inserted, `last` being the newest."""
    preview, codec = preview_of(last.content), codec_of(db)
    kept = preview if codec is None else sealed_preview(codec, last.session_id, preview)
    db.execute(_COUNT, (added, last.seq, last.role.value, kept, last.timestamp, now, last.session_id))


def list_messages(
    db: sqlite3.Connection, session_id: SessionId, *, after: int | None, before: int | None, limit: int
) -> MessagePage:
    """The oldest after `after` (and before `before`), else the newest before `before`, else the newest.

    A page ends early at 8 MiB and before a message that can't be read, but always holds one message if there is one.
    Raises StoreDamaged where the first message can't be read: its `seq` in params is where to go on.
    """
    forward = after is not None
    rows = db.execute(
        f"SELECT {MESSAGE_COLUMNS} FROM messages WHERE session_id = ? AND seq > ? AND seq < ? "
        f"ORDER BY seq {'ASC' if forward else 'DESC'}",
        (session_id, after or 0, before if before is not None else 1 << 62),
    )
    find_text = text_finder(db)
    found: list[Message] = []
    size = 0
    has_more = False
    with closing(rows):  # an unfinished read would keep the write-ahead log from being reset
        for row in rows:
            try:
                message = _with_tool_calls(db, row, find_text)
            except StoreDamaged:
                if not found:
                    raise
                has_more = True
                break
            size += _size(message)
            if len(found) == limit or (found and size > PAGE_BYTES):
                has_more = True
                break
            found.append(message)
    if not forward:
        found.reverse()
    return MessagePage(messages=tuple(found), has_more=has_more)


def find_message(db: sqlite3.Connection, session_id: SessionId, message_id: MessageId) -> Message:
    """Raises MessageNotFound."""
    message = _message_with_id(db, session_id, message_id)
    if message is None:
        raise MessageNotFound(sessionId=session_id, messageId=message_id)
    return message


def copy_messages(db: sqlite3.Connection, source: SessionId, target: SessionId, last_seq: int) -> None:
    """Copy a session's messages up to `last_seq`; unfinished tool calls become cancelled in the copy."""
    copied = _STORED.removeprefix("session_id, ")
    selected, copy_tool_calls = copied, _COPY_TOOL_CALLS
    if codec_of(db) is not None:
        selected = moved("messages", copied, session_id="?1")
        copy_tool_calls = _COPY_TOOL_CALLS_SEALED
    db.execute(
        f"INSERT INTO messages (session_id, {copied}) SELECT ?1, {selected} FROM messages t "
        "WHERE session_id = ?2 AND seq <= ?3 ORDER BY seq",
        (target, source, last_seq),
    )
    db.execute(copy_tool_calls, (target, source, last_seq))
    db.execute(_COPY_ATTACHMENTS, (target, source, last_seq))


def _message_with_id(db: sqlite3.Connection, session_id: SessionId, message_id: MessageId) -> Message | None:
    row = db.execute(
        f"SELECT {MESSAGE_COLUMNS} FROM messages WHERE session_id = ? AND uid = ?", (session_id, message_id)
    ).fetchone()
    return None if row is None else _with_tool_calls(db, row, text_finder(db))


def _with_tool_calls(db: sqlite3.Connection, row: Row, find_text: FindText) -> Message:
    try:
        calls = calls_of(db, row[0], MessageId(row[6]), SessionId(row[1])) if row[11] else None
        return message_of(row, calls, codec_of(db), find_text)
    except StoreDamaged as error:
        raise unreadable_row("message", row[1], row[6], row[7]) from error


def _size(message: Message) -> int:
    """About the bytes of a message as JSON; exact enough to keep a page within bounds."""
    texts = [message.content, message.thinking or ""]
    texts += [str(call.result) + str(call.arguments) for call in message.tool_calls or ()]
    return sum(len(text) if text.isascii() else len(text.encode()) for text in texts) + 400
