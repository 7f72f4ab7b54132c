"""Looking after a store's file: checkpoint, check, verified backup. Synchronous, run inside a hop."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from kore_ls.errors import KoreError, StoreDamaged
from kore_ls.storage.counting import miscounted
from kore_ls.storage.faults import FAULTS
from kore_ls.storage.migrations import check_schema

_SHOWN = 20


def checkpoint(db: sqlite3.Connection) -> None:
    """Move the log into the file as far as readers allow, without waiting for them."""
    db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def problems_in(db: sqlite3.Connection) -> list[str]:
    """What is wrong with an open store; empty when it is sound."""
    return damage_in(db) or miscounts_in(db)


def damage_in(db: sqlite3.Connection) -> list[str]:
    """What is wrong with the file itself: pages, indexes, rows without their parents, the schema."""
    problems: list[str] = []
    try:
        found = [str(row[0]) for row in db.execute(f"PRAGMA integrity_check({_SHOWN})").fetchall()]
        problems += [line for line in found if line != "ok"]
        broken = db.execute("PRAGMA foreign_key_check").fetchmany(_SHOWN)
        problems += [f"{row[0]}: a row without its parent" for row in broken]
        check_schema(db)
    except FAULTS as error:
        problems.append(_unreadable(error))
    except KoreError as error:
        problems.append(error.message)
    return problems


def miscounts_in(db: sqlite3.Connection) -> list[str]:
    """Sessions whose counters do not match their messages, or whose messages are not numbered 1, 2, 3 ..."""
    try:
        found = miscounted(db, _SHOWN)
    except FAULTS as error:
        return [_unreadable(error)]
    return [f"session {session_id}: its counters do not match its messages" for session_id in found]


def _unreadable(error: Exception) -> str:
    return f"the file can't be read through: {getattr(error, 'sqlite_errorname', None) or 'bad text'}"


def backup_to(db: sqlite3.Connection, target: Path) -> int:
    """Write a compact copy to a new file (0600), check it, and return its bytes.

    Raises FileExistsError, other OSErrors, StoreDamaged.
    """
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        db.execute("PRAGMA query_only = OFF")  # VACUUM counts as writing, even into another file
        try:
            db.execute("VACUUM INTO ?", (str(target),))
        finally:
            db.execute("PRAGMA query_only = ON")
        with closing(sqlite3.connect(f"{target.absolute().as_uri()}?mode=ro", uri=True)) as copy:
            if problems_in(copy):
                raise StoreDamaged("the copy of the store is damaged", reason="copy")
        _to_disk(target)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return target.stat().st_size


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
