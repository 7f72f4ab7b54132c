"""The full-text index: two contentless FTS5 tables, filled after the fact up to a watermark. Run inside a hop.

A message commits first and is indexed later, in a transaction that also moves the watermark, so that a crash can't put
the two out of step. The index is never the truth: missing, damaged or outdated it is dropped and filled again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from attrs import frozen

from kore_ls.model.session import SessionRecord
from kore_ls.storage.migrations import SEARCH_TABLES
from kore_ls.storage.rows import SESSION_COLUMNS, session_of
from kore_ls.storage.segment import SEGMENTER_VERSION, index_text

MESSAGES = "messages_fts"
SESSIONS = "sessions_fts"
_VERSION, _MESSAGES_UPTO, _SESSIONS_UPTO = "index_version", "indexed_message", "indexed_session"
_SEPARATOR = " \u00b7 "


@frozen
class Watermarks:
    """The last message (by row id) and the last session (by number) that are indexed."""

    message: int
    session: int


def watermarks(db: sqlite3.Connection) -> Watermarks | None:
    """How far the index reaches; None: there is none, or one of another segmenter."""
    found = dict(
        db.execute(
            "SELECT key, value FROM meta WHERE key IN (?, ?, ?)", (_VERSION, _MESSAGES_UPTO, _SESSIONS_UPTO)
        ).fetchall()
    )
    if found.get(_VERSION) != SEGMENTER_VERSION:
        return None
    return Watermarks(found[_MESSAGES_UPTO], found[_SESSIONS_UPTO])


def create_index(db: sqlite3.Connection) -> Watermarks:
    """Make an empty index in place of whatever is there."""
    for name, definition in SEARCH_TABLES.items():
        db.execute(f"DROP TABLE IF EXISTS {name}")
        db.execute(definition)
    _keep(db, {_VERSION: SEGMENTER_VERSION, _MESSAGES_UPTO: 0, _SESSIONS_UPTO: 0})
    return Watermarks(0, 0)


def index_step(db: sqlite3.Connection, rows: int) -> int:
    """Index up to `rows` sessions and messages more, in this transaction; how many there were."""
    marks = watermarks(db) or create_index(db)
    sessions = db.execute(
        f"SELECT num, {SESSION_COLUMNS} FROM sessions WHERE num > ? ORDER BY num LIMIT ?", (marks.session, rows)
    ).fetchall()
    for row in sessions:
        _insert(db, SESSIONS, row[0], session_text(session_of(row[1:])))
    messages = db.execute(
        "SELECT id, content FROM messages WHERE id > ? ORDER BY id LIMIT ?", (marks.message, rows)
    ).fetchall()
    for row_id, content in messages:
        _insert(db, MESSAGES, row_id, index_text(content))
    if sessions or messages:
        _keep(
            db,
            {
                _SESSIONS_UPTO: sessions[-1][0] if sessions else marks.session,
                _MESSAGES_UPTO: messages[-1][0] if messages else marks.message,
            },
        )
    return len(sessions) + len(messages)


def behind(db: sqlite3.Connection) -> int:
    """How many messages are not indexed yet."""
    marks = watermarks(db)
    upto = marks.message if marks else 0
    return int(db.execute("SELECT count(*) FROM messages WHERE id > ?", (upto,)).fetchone()[0])


def session_text(record: SessionRecord) -> tuple[str, str]:
    """What of a session is searched as its name: name, description and tags."""
    parts = [index_text(text) for text in (record.name, record.description or "", *record.tags) if text]
    return _SEPARATOR.join(text for text, _ in parts), _SEPARATOR.join(whole for _, whole in parts if whole)


def reindex_session(db: sqlite3.Connection, before: SessionRecord, after: SessionRecord | None) -> None:
    """Bring a session's name in the index in step with a change, or (None) with its removal, in the same transaction.

    A contentless row can only be deleted by the very text that was inserted, so the change has to be known here.
    """
    old = session_text(before)
    new = session_text(after) if after is not None else None
    if old == new:
        return
    marks = watermarks(db)
    row = db.execute("SELECT num FROM sessions WHERE id = ?", (before.id,)).fetchone()
    if marks is None or row is None or row[0] > marks.session:
        return
    _delete(db, SESSIONS, row[0], old)
    if new is not None:
        _insert(db, SESSIONS, row[0], new)


def unindex_messages(db: sqlite3.Connection, messages: Iterable[tuple[int, str]]) -> None:
    """Take messages (row id, content) that are about to be deleted out of the index."""
    marks = watermarks(db)
    for row_id, content in messages:
        if marks is not None and row_id <= marks.message:
            _delete(db, MESSAGES, row_id, index_text(content))


def _insert(db: sqlite3.Connection, table: str, row_id: int, texts: tuple[str, str]) -> None:
    db.execute(f"INSERT INTO {table} (rowid, text, whole) VALUES (?, ?, ?)", (row_id, *texts))


def _delete(db: sqlite3.Connection, table: str, row_id: int, texts: tuple[str, str]) -> None:
    db.execute(f"INSERT INTO {table} ({table}, rowid, text, whole) VALUES ('delete', ?, ?, ?)", (row_id, *texts))


def _keep(db: sqlite3.Connection, values: dict[str, int]) -> None:
    db.executemany(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        list(values.items()),
    )
