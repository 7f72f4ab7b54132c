"""Looking after a store's file: checkpoint, check, verified backup. Synchronous, run inside a hop."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from kore_ls.errors import StoreDamaged
from kore_ls.storage.migrations import verify_schema

_SHOWN = 20


def checkpoint(db: sqlite3.Connection) -> None:
    """Move the log into the file as far as readers allow, without waiting for them."""
    db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def problems_in(db: sqlite3.Connection) -> list[str]:
    """What is wrong with an open store; empty when it is sound."""
    problems: list[str] = []
    try:
        found = [str(row[0]) for row in db.execute(f"PRAGMA integrity_check({_SHOWN})")]
        problems += [line for line in found if line != "ok"]
        broken = db.execute("PRAGMA foreign_key_check").fetchmany(_SHOWN)
        problems += [f"{row[0]}: a row without its parent" for row in broken]
        verify_schema(db)
        problems += _miscounted(db)
    except sqlite3.DatabaseError as error:
        problems.append(f"the file can't be read through: {getattr(error, 'sqlite_errorname', 'error')}")
    except StoreDamaged as error:
        problems.append(error.message)
    return problems


def _miscounted(db: sqlite3.Connection) -> list[str]:
    rows = db.execute(
        "SELECT s.id FROM sessions s WHERE s.hidden = 0 AND (s.message_count, s.last_seq) <> ("
        "SELECT count(*), coalesce(max(m.seq), 0) FROM messages m WHERE m.session_id = s.id) LIMIT ?",
        (_SHOWN,),
    )
    return [f"session {row[0]}: its counters do not match its messages" for row in rows]


def backup_to(db: sqlite3.Connection, target: Path) -> int:
    """Write a compact copy to a new file (0600), check it, and return its bytes. Raises FileExistsError, StoreDamaged."""
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        db.execute("PRAGMA query_only = OFF")  # VACUUM counts as writing, even into another file
        try:
            db.execute("VACUUM INTO ?", (str(target),))
        finally:
            db.execute("PRAGMA query_only = ON")
        copy = sqlite3.connect(f"{target.absolute().as_uri()}?mode=ro", uri=True)
        try:
            if copy.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise StoreDamaged("the copy of the store is damaged", reason="copy")
        finally:
            copy.close()
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return target.stat().st_size
