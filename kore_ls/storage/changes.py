"""The change log: what another process on the same file must know to refresh what its users see."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from attrs import frozen

from kore_ls.model.ids import SessionId

KEPT = 10_000
_TRIM_EVERY = 1_000


@frozen(kw_only=True)
class StoreChange:
    """What other processes changed since the last look; no sessions and no kinds mean: anything may have changed."""

    sessions: tuple[SessionId, ...] = ()
    kinds: tuple[str, ...] = ()


def append_changes(db: sqlite3.Connection, writer: str, changes: Iterable[tuple[SessionId | None, str]]) -> None:
    """Record changes in the transaction that makes them; keeps the newest 10,000 rows."""
    for session_id, kind in changes:
        cursor = db.execute(
            "INSERT INTO changes (writer, session_id, kind) VALUES (?, ?, ?)", (writer, session_id, kind)
        )
        number = cursor.lastrowid or 0
        if number % _TRIM_EVERY == 0:
            db.execute("DELETE FROM changes WHERE n <= ?", (number - KEPT,))


def newest_change(db: sqlite3.Connection) -> int:
    """The number of the newest change."""
    return int(db.execute("SELECT coalesce(max(n), 0) FROM changes").fetchone()[0])


def changes_after(db: sqlite3.Connection, number: int, writer: str) -> tuple[int, StoreChange | None]:
    """The newest number, and what others than `writer` changed after `number` (None: nothing)."""
    rows = db.execute("SELECT n, writer, session_id, kind FROM changes WHERE n > ? ORDER BY n", (number,)).fetchall()
    if not rows:
        newest = newest_change(db)
        return newest, None if newest == number else StoreChange()  # the log of another store, restored or repaired
    if rows[0][0] != number + 1:  # the log was trimmed meanwhile
        return rows[-1][0], StoreChange()
    others = [row for row in rows if row[1] != writer]
    if not others:
        return rows[-1][0], None
    sessions = dict.fromkeys(SessionId(row[2]) for row in others if row[2] is not None)
    return rows[-1][0], StoreChange(sessions=tuple(sessions), kinds=tuple(dict.fromkeys(row[3] for row in others)))
