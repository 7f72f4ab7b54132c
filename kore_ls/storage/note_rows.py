"""Statements about agents' notes: what they need to go on exactly as before and nobody else sees; never exported."""

from __future__ import annotations

import sqlite3

from kore_ls.model.ids import SessionId
from kore_ls.storage.codec import codec_of
from kore_ls.storage.columns import SEALED
from kore_ls.storage.rows import as_text, damage_named
from kore_ls.storage.sealing import moved

DEFAULT_NAME = "default-name"
"""The note that holds the name a session was given by Kore itself; no message's id."""

ELSEWHERE = "elsewhere"
"""The note that holds how an external agent knows the session; no message's id."""

_SAVE = (
    "INSERT INTO agent_notes (session_id, name, content) VALUES (?, ?, ?) "
    "ON CONFLICT (session_id, name) DO UPDATE SET content = excluded.content"
)
_COPY = (
    "INSERT INTO agent_notes (session_id, name, content) SELECT ?1, t.name, {content} FROM messages m "
    "CROSS JOIN agent_notes t ON t.session_id = m.session_id AND t.name = m.uid "
    "WHERE m.session_id = ?2 AND m.seq <= ?3"
)


def save_note(db: sqlite3.Connection, session_id: SessionId, name: str, content: str | None) -> None:
    """Keep a note under a message's id or another name, in the place of the one before; None removes it."""
    if content is None:
        db.execute("DELETE FROM agent_notes WHERE session_id = ? AND name = ?", (session_id, name))
        return
    codec = codec_of(db)
    value: str | bytes | None = content
    if codec is not None:
        value = codec.seal(codec.place("agent_notes", name, session_id), "content", content)
    db.execute(_SAVE, (session_id, name, value))


@damage_named
def find_notes(db: sqlite3.Connection, session_id: SessionId, name: str | None = None) -> dict[str, str]:
    """The notes of a session by their names, all or one."""
    codec = codec_of(db)
    rows = db.execute(
        "SELECT name, content FROM agent_notes WHERE session_id = ?1 AND (?2 IS NULL OR name = ?2)", (session_id, name)
    ).fetchall()
    if codec is not None:
        places = [codec.place("agent_notes", row[0], session_id) for row in rows]
        rows = [(row[0], codec.open(place, "content", row[1])) for row, place in zip(rows, places, strict=True)]
    return {as_text(row[0]): as_text(row[1]) for row in rows}


def copy_notes(db: sqlite3.Connection, source: SessionId, target: SessionId, last_seq: int) -> None:
    """Copy what was noted with a session's messages up to `last_seq`; other notes stay with their session."""
    sealed = codec_of(db) is not None
    content = moved("agent_notes", ", ".join(SEALED["agent_notes"].columns), session_id="?1") if sealed else "t.content"
    db.execute(_COPY.format(content=content), (target, source, last_seq))


def forget_elsewhere(db: sqlite3.Connection, session_id: SessionId) -> None:
    """What an external agent knows of the session is not its history any more."""
    save_note(db, session_id, ELSEWHERE, None)
