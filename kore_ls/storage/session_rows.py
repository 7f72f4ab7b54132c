"""Statements about sessions; synchronous, run inside a hop. A hidden session (being imported or purged) is nowhere."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from enum import IntEnum
from typing import Any

from attrs import frozen

from kore_ls.errors import SessionExists, SessionNotFound, StoreDamaged
from kore_ls.model.ids import SessionId, is_id
from kore_ls.model.limits import JsonObject
from kore_ls.model.mode import AgentMode
from kore_ls.model.session import SessionRecord, SessionStatus
from kore_ls.storage.codec import OVERHEAD_BYTES, codec_of
from kore_ls.storage.keys import LINEAGE, new_lineage
from kore_ls.storage.rows import (
    EDITABLE_COLUMNS,
    SESSION_COLUMNS,
    Row,
    editable_row,
    marks,
    session_of,
    session_row,
    unreadable_row,
)
from kore_ls.storage.sealing import unsealed_in_session
from kore_ls.storage.search_index import reindex_session, unindex_messages

log = logging.getLogger(__name__)

_SCAN = 200
_SCAN_LIMIT = 5_000
_REMOVE_ROWS = 500
_EDIT = ", ".join(f"{column.strip()} = ?" for column in EDITABLE_COLUMNS.split(","))


class Hidden(IntEnum):
    """Why a session row is not to be seen."""

    NO = 0
    IMPORTING = 1
    PURGING = 2


Position = tuple[bool, int, SessionId]
"""A place in a list: (pinned, updated_at, id), newest first."""


@frozen(kw_only=True)
class SessionQuery:
    """Which sessions to list, and after which place. `metadata` and `tags` must all match."""

    statuses: tuple[SessionStatus, ...] = ()
    modes: tuple[AgentMode, ...] = ()
    tags: tuple[str, ...] = ()
    metadata: JsonObject | None = None
    archived: bool = False
    deleted: bool = False
    limit: int = 50
    after: Position | None = None


@frozen(kw_only=True)
class SessionPage:
    """Sessions in list order; `position` is where to go on (None: that was all). May be short of the limit.

    `damaged`: those among them whose row can't be read; they are left out, as one must not hide the others.
    """

    sessions: tuple[SessionRecord, ...] = ()
    position: Position | None = None
    damaged: tuple[SessionId, ...] = ()


def position_of(record: SessionRecord) -> Position:
    """Where a session stands in a list."""
    return (record.pinned, record.updated_at, record.id)


def insert_session(db: sqlite3.Connection, record: SessionRecord, hidden: Hidden = Hidden.NO, now: int = 0) -> None:
    """Store a new session. Raises SessionExists (`deleted` in params where that one can be restored)."""
    found = db.execute("SELECT deleted_at, hidden FROM sessions WHERE id = ?", (record.id,)).fetchone()
    if found is not None:
        if found[1] != Hidden.PURGING:
            raise SessionExists(sessionId=record.id, deleted=True if found[0] is not None else None)
        remove_rows(db, record.id)
    number = int(read_meta(db, "sessions_made") or 0) + 1
    write_meta(db, "sessions_made", number)
    if number == 1:
        write_meta(db, LINEAGE, new_lineage())
    db.execute(
        f"INSERT INTO sessions ({SESSION_COLUMNS}, num, hidden, hidden_at) VALUES ({marks(SESSION_COLUMNS)}, ?, ?, ?)",
        (*session_row(record, codec_of(db)), number, hidden, now if hidden else None),
    )


def remove_rows(db: sqlite3.Connection, session_id: SessionId) -> None:
    """Delete a session and its messages now, from the tables and from the index."""
    while _remove_messages(db, session_id, _REMOVE_ROWS):
        pass
    row = db.execute(f"SELECT {SESSION_COLUMNS} FROM sessions WHERE id = ?", (session_id,)).fetchone()
    if row is not None:
        if codec_of(db) is None:  # else there is no index in the file, and a row that can't be read must go as well
            reindex_session(db, session_of(row), None)
        db.execute("DELETE FROM sessions WHERE id = ?", (session_id,))


def _remove_messages(db: sqlite3.Connection, session_id: SessionId, rows: int) -> bool:
    """Delete up to `rows` messages of a session; whether there were any."""
    found = db.execute("SELECT id FROM messages WHERE session_id = ? LIMIT ?", (session_id, rows)).fetchall()
    done = unindex_messages(db, [row[0] for row in found])
    db.executemany("DELETE FROM messages WHERE id = ?", [(row_id,) for row_id in done])
    return bool(done)


def load_session(db: sqlite3.Connection, session_id: SessionId, *, deleted: bool = False) -> SessionRecord:
    """Raises SessionNotFound, StoreDamaged; a deleted session is found only where `deleted` says so."""
    row = db.execute(f"SELECT {SESSION_COLUMNS} FROM sessions WHERE id = ? AND hidden = 0", (session_id,)).fetchone()
    if row is None:
        raise SessionNotFound(sessionId=session_id)
    record = _session(db, row)
    if record.deleted_at is not None and not deleted:
        raise SessionNotFound(sessionId=session_id, deleted=True)
    return record


def _session(db: sqlite3.Connection, row: Row) -> SessionRecord:
    try:
        return session_of(row, codec_of(db))
    except StoreDamaged as error:
        raise unreadable_row("session", row[0]) from error


def update_session(db: sqlite3.Connection, before: SessionRecord, after: SessionRecord) -> None:
    """Write what may be edited; counters and the last message belong to the messages."""
    values = editable_row(after, codec_of(db))
    db.execute(f"UPDATE sessions SET {_EDIT} WHERE id = ? AND hidden = 0", (*values, after.id))
    reindex_session(db, before, after)
    if after.imported and before.deleted_at is not None and after.deleted_at is None:
        db.execute("DELETE FROM history_files")  # what its source got while it was deleted was passed over


def change_session(
    db: sqlite3.Connection,
    session_id: SessionId,
    change: Callable[[SessionRecord], SessionRecord],
    *,
    deleted: bool = False,
) -> tuple[SessionRecord, SessionRecord]:
    """Read, change, write in one transaction; (before, after)."""
    before = load_session(db, session_id, deleted=deleted)
    after = change(before)
    if after != before:
        update_session(db, before, after)
    return before, after


def list_sessions(db: sqlite3.Connection, query: SessionQuery) -> SessionPage:
    """A page by keyset, so that any depth costs the same; scans at most 5,000 rows for a filter's sake."""
    found: list[SessionRecord] = []
    damaged: list[SessionId] = []
    position, scanned = query.after, 0
    while len(found) < query.limit and scanned < _SCAN_LIMIT:
        chunk = _SCAN if query.tags or query.metadata else query.limit - len(found)
        rows = _list_rows(db, query, position, chunk)
        scanned += len(rows)
        for row in rows:
            position = (bool(row[9]), row[5], row[0])
            try:
                record = _session(db, row)
            except StoreDamaged:
                damaged.append(row[0])
                # An id with bad bytes comes back as another one, which must not stand before it in the list.
                position = (bool(row[9]), row[5], SessionId(str(row[0]).replace("\ufffd", "?")))
                continue
            if _matches(record, query):
                found.append(record)
                if len(found) == query.limit:
                    break
        else:
            if len(rows) < chunk:
                position = None
                break
    return SessionPage(sessions=tuple(found), position=position, damaged=tuple(filter(is_id, damaged)))


def _list_rows(db: sqlite3.Connection, query: SessionQuery, after: Position | None, limit: int) -> list[Any]:
    where = ["hidden = 0"]
    values: list[Any] = []
    if query.deleted:
        where.append("deleted_at IS NOT NULL")
    else:
        where.append(f"deleted_at IS NULL AND archived = {int(query.archived)}")
    if query.statuses:
        where.append(f"status IN ({', '.join('?' * len(query.statuses))})")
        values += [status.value for status in query.statuses]
    if query.modes:
        where.append(f"agent_mode IN ({', '.join('?' * len(query.modes))})")
        values += [mode.value for mode in query.modes]
    if after is not None:
        where.append("(pinned, updated_at, id) < (?, ?, ?)")
        values += after
    return db.execute(
        f"SELECT {SESSION_COLUMNS} FROM sessions WHERE {' AND '.join(where)} "
        "ORDER BY pinned DESC, updated_at DESC, id DESC LIMIT ?",
        (*values, limit),
    ).fetchall()


def _matches(record: SessionRecord, query: SessionQuery) -> bool:
    if not set(query.tags) <= set(record.tags):
        return False
    wanted = query.metadata or {}
    return all(key in record.metadata and _same(record.metadata[key], value) for key, value in wanted.items())


def _same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal; in Python, true would also be 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


def next_default_name(db: sqlite3.Connection, prefix: str) -> str:
    """The prefix and a number that no session of this store has."""
    number = int(read_meta(db, "session_number") or 0)
    while True:
        number += 1
        name = f"{prefix} {number}"
        if not _is_named(db, name):
            write_meta(db, "session_number", number)
            return name


def _is_named(db: sqlite3.Connection, name: str) -> bool:
    """Whether a session has this name."""
    if codec_of(db) is None:
        return db.execute("SELECT 1 FROM sessions WHERE name = ?", (name,)).fetchone() is not None
    same_length = len(name.encode()) + OVERHEAD_BYTES
    found = db.execute(
        f"SELECT 1 FROM sessions WHERE length(name) = ? AND {unsealed_in_session('name', 'sessions')} = ?",
        (same_length, name),
    )
    return found.fetchone() is not None


def hide_for_purge(db: sqlite3.Connection, session_id: SessionId, now: int) -> None:
    """Take a session, deleted or not, out of sight for good; its rows go in small steps afterwards."""
    db.execute(
        "UPDATE sessions SET hidden = ?, hidden_at = ? WHERE id = ? AND hidden = 0", (Hidden.PURGING, now, session_id)
    )


def has_long_deleted(db: sqlite3.Connection, deleted_before: int) -> bool:
    """Whether there are any that `hide_long_deleted` would take out of sight."""
    found = db.execute("SELECT 1 FROM sessions WHERE deleted_at < ? AND hidden = 0 LIMIT 1", (deleted_before,))
    return found.fetchone() is not None


def hide_long_deleted(db: sqlite3.Connection, deleted_before: int, now: int) -> None:
    """Take sessions out of sight for good that were deleted so long ago that nobody restores them any more."""
    db.execute(
        "UPDATE sessions SET hidden = ?, hidden_at = ? WHERE deleted_at < ? AND hidden = 0",
        (Hidden.PURGING, now, deleted_before),
    )


def purge_step(db: sqlite3.Connection, abandoned_before: int, rows: int) -> bool:
    """Delete up to `rows` messages of hidden sessions (imports only if abandoned); whether there may be more."""
    found = db.execute(
        "SELECT id FROM sessions WHERE hidden = ? OR (hidden = ? AND hidden_at < ?) LIMIT 1",
        (Hidden.PURGING, Hidden.IMPORTING, abandoned_before),
    ).fetchone()
    if found is None:
        return False
    if not _remove_messages(db, found[0], rows):
        remove_rows(db, found[0])
    return True


def read_meta(db: sqlite3.Connection, key: str) -> Any:
    """A value of the store's own book-keeping, or None."""
    row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return None if row is None else row[0]


def write_meta(db: sqlite3.Connection, key: str, value: Any) -> None:
    """Keep a value under a key."""
    db.execute(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, value),
    )
