"""Statements about files as they were before a turn changed them; each content is stored once. Run inside a hop."""

from __future__ import annotations

import sqlite3

from attrs import evolve

from kore_ls.model.ids import TurnId
from kore_ls.model.turn import FileSnapshot
from kore_ls.storage.codec import codec_of
from kore_ls.storage.contents import content_name, keep_content
from kore_ls.storage.turn_values import SNAPSHOT_COLUMNS, snapshot_of, snapshot_row

MOST_BYTES = 10 << 20
KEPT_MS = 30 * 24 * 3600 * 1000
_PURGE_ROWS = 200


def keep_snapshot(
    db: sqlite3.Connection,
    turn_id: TurnId,
    path: str,
    before: bytes | None,
    after: bytes | None,
    now: int,
    *,
    mode: int | None = None,
    lost: bool = False,
) -> None:
    """Remember that a turn changes a file; of several changes in one turn the first `before` and last `after` count.

    A file beyond 10 MiB is remembered without its content, and so is what is `lost`.
    """
    codec = codec_of(db)
    known = _find(db, turn_id, path)
    if known is not None:
        row_id, taken_at, snapshot = known
        row = snapshot_row(turn_id, evolve(snapshot, after=content_name(after)), taken_at, codec)
        db.execute("UPDATE file_snapshots SET path = ?, after = ? WHERE id = ?", (row[1], row[3], row_id))
        return
    kept = not lost and (before is None or len(before) <= MOST_BYTES)
    if before is not None and kept:
        keep_content(db, "file_contents", before)
    snapshot = FileSnapshot(path=path, before=content_name(before), after=content_name(after), kept=kept, mode=mode)
    db.execute(
        f"INSERT INTO file_snapshots ({SNAPSHOT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
        snapshot_row(turn_id, snapshot, now, codec),
    )


def take_back(db: sqlite3.Connection, turn_id: TurnId, path: str, content: bytes | None) -> None:
    """The last change of a file in a turn did not happen: it still is `content`; forget a file that never changed."""
    known = _find(db, turn_id, path)
    if known is None:
        return
    row_id, taken_at, snapshot = known
    name = content_name(content)
    if name == snapshot.before:
        db.execute("DELETE FROM file_snapshots WHERE id = ?", (row_id,))
        return
    row = snapshot_row(turn_id, evolve(snapshot, after=name), taken_at, codec_of(db))
    db.execute("UPDATE file_snapshots SET path = ?, after = ? WHERE id = ?", (row[1], row[3], row_id))


def _find(db: sqlite3.Connection, turn_id: TurnId, path: str) -> tuple[int, int, FileSnapshot] | None:
    """The row's id, when it was taken, and what it says."""
    rows = db.execute(
        f"SELECT id, taken_at, {SNAPSHOT_COLUMNS} FROM file_snapshots WHERE turn_id = ? ORDER BY id", (turn_id,)
    ).fetchall()
    found = ((row[0], row[1], snapshot_of(row[2:], codec_of(db))) for row in rows)
    return next((each for each in found if each[2].path == path), None)


def list_snapshots(db: sqlite3.Connection, turn_id: TurnId) -> list[FileSnapshot]:
    """The files that a turn changed, in the order of their first change."""
    rows = db.execute(
        f"SELECT {SNAPSHOT_COLUMNS} FROM file_snapshots WHERE turn_id = ? ORDER BY id", (turn_id,)
    ).fetchall()
    return [snapshot_of(row, codec_of(db)) for row in rows]


def purge_snapshots(db: sqlite3.Connection, now: int) -> None:
    """Forget some of what is older than 30 days, and contents that no snapshot names."""
    db.execute(
        "DELETE FROM file_snapshots WHERE id IN (SELECT id FROM file_snapshots WHERE taken_at < ? LIMIT ?)",
        (now - KEPT_MS, _PURGE_ROWS),
    )
    db.execute(
        "DELETE FROM file_contents WHERE name IN (SELECT name FROM file_contents c WHERE NOT EXISTS "
        "(SELECT 1 FROM file_snapshots s WHERE s.before = c.name) LIMIT ?)",
        (_PURGE_ROWS,),
    )
