"""Bringing a session's numbering and counters back in step with the messages there are. Run inside a transaction."""

from __future__ import annotations

import sqlite3

from kore_ls.model.ids import SessionId
from kore_ls.model.session import preview_of
from kore_ls.storage.codec import codec_of
from kore_ls.storage.columns import SEALED
from kore_ls.storage.rows import sealed_preview
from kore_ls.storage.sealing import moved

_MISCOUNTED = (
    "SELECT s.id FROM sessions s WHERE s.hidden = 0 AND (s.message_count, s.last_seq, s.last_seq) <> ("
    "SELECT count(*), count(*), coalesce(max(m.seq), 0) FROM messages m WHERE m.session_id = s.id)"
)


def miscounted(db: sqlite3.Connection, limit: int = -1) -> list[SessionId]:
    """Sessions whose counters do not match their messages, or whose messages are not numbered 1, 2, 3 ..."""
    return [SessionId(row[0]) for row in db.execute(f"{_MISCOUNTED} LIMIT ?", (limit,)).fetchall()]


def recount(db: sqlite3.Connection, session_id: SessionId) -> None:
    """Number the session's messages from 1 without gaps, in their order, and set its counters."""
    rows = db.execute("SELECT id, seq FROM messages WHERE session_id = ? ORDER BY seq", (session_id,)).fetchall()
    renumbered = [(number, row[0]) for number, row in enumerate(rows, start=1) if row[1] != number]
    codec = codec_of(db)
    # Two steps, because two messages must not have the same number in between.
    if codec is None:
        db.executemany("UPDATE messages SET seq = -? WHERE id = ?", renumbered)
    else:
        names = ", ".join(SEALED["messages"].columns)
        values = moved("messages", names, seq="?1")
        db.executemany(f"UPDATE messages AS t SET seq = -?1, ({names}) = (SELECT {values}) WHERE id = ?2", renumbered)
    db.executemany("UPDATE messages SET seq = ? WHERE id = ?", renumbered)
    last: tuple[str | int | bytes | None, ...] = (None, None, None)
    if rows:
        role, content, timestamp, uid, seq = db.execute(
            "SELECT role, content, timestamp, uid, seq FROM messages WHERE id = ?", (rows[-1][0],)
        ).fetchone()
        if codec is None:
            last = (role, preview_of(content), timestamp)
        else:
            text = codec.open(codec.place("messages", uid, session_id, role, seq), "content", content) or ""
            last = (role, sealed_preview(codec, session_id, preview_of(text)), timestamp)
    db.execute(
        "UPDATE sessions SET message_count = ?, last_seq = ?, last_role = ?, last_preview = ?, last_timestamp = ? "
        "WHERE id = ?",
        (len(rows), len(rows), *last, session_id),
    )
