"""Statements about the audit log: every decision of the permission gate; only ever appended to."""

from __future__ import annotations

import sqlite3

from attrs import frozen

from kore_ls.model.ids import SessionId
from kore_ls.model.turn import AuditEntry
from kore_ls.storage.codec import codec_of
from kore_ls.storage.rows import marks
from kore_ls.storage.turn_values import AUDIT_COLUMNS, audit_of, audit_row

_STORED = AUDIT_COLUMNS.removeprefix("id, ")
_OF_AUDIT = ", ".join(f"a.{column.strip()}" for column in AUDIT_COLUMNS.split(","))


@frozen(kw_only=True)
class AuditPage:
    """Decisions, newest first; `position` is where to go on (None: that was all)."""

    entries: tuple[AuditEntry, ...] = ()
    position: int | None = None


def add_entry(db: sqlite3.Connection, entry: AuditEntry) -> None:
    """Append a decision."""
    db.execute(f"INSERT INTO audit ({_STORED}) VALUES ({marks(_STORED)})", audit_row(entry, codec_of(db)))


def list_entries(db: sqlite3.Connection, session_id: SessionId | None, limit: int, below: int | None) -> AuditPage:
    """Newest first, from below a position; of one session, or of all that are to be seen."""
    where = "" if session_id is None else "AND a.session_id = ? "
    values = (below or 1 << 62, *(() if session_id is None else (session_id,)), limit + 1)
    rows = db.execute(
        f"SELECT {_OF_AUDIT} FROM audit a CROSS JOIN sessions s ON s.id = a.session_id "
        f"WHERE a.id < ? AND s.hidden = 0 AND s.deleted_at IS NULL {where}ORDER BY a.id DESC LIMIT ?",
        values,
    ).fetchall()
    entries = tuple(audit_of(row, codec_of(db)) for row in rows[:limit])
    return AuditPage(entries=entries, position=entries[-1].id if len(rows) > limit else None)
