"""Looking after a store's file: checkpoint, check, verified backup. Synchronous, run inside a hop."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from kore_ls.errors import KoreError, StoreDamaged
from kore_ls.model.ids import is_id
from kore_ls.storage.codec import StoreConnection, codec_of
from kore_ls.storage.columns import SEALED
from kore_ls.storage.counting import miscounted
from kore_ls.storage.faults import FAULTS, is_busy
from kore_ls.storage.migrations import check_schema
from kore_ls.storage.rows import SESSION_COLUMNS, session_of
from kore_ls.storage.sealing import install, unsealed

_SHOWN = 20


def checkpoint(db: sqlite3.Connection) -> None:
    """Move the log into the file as far as readers allow, without waiting for them."""
    db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def sweep(db: sqlite3.Connection) -> bool:
    """Empty the log into the file, so that nothing of before is left in it; False: another process reads from it.

    Waits for nobody.
    """
    waits = db.execute("PRAGMA busy_timeout").fetchone()[0]
    db.execute("PRAGMA busy_timeout = 0")
    try:
        return not db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.OperationalError as error:
        if not is_busy(error):
            raise
        return False
    finally:
        db.execute(f"PRAGMA busy_timeout = {waits}")


def problems_in(db: sqlite3.Connection) -> list[str]:
    """What is wrong with an open store; empty when it is sound."""
    return damage_in(db) or row_problems(db) or miscounts_in(db)


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


def row_problems(db: sqlite3.Connection) -> list[str]:
    """Rows that say nothing that Kore LS would have stored: sessions, and whatever can't be decrypted."""
    problems = sealed_problems(db)
    if problems:
        return problems
    try:
        with closing(db.execute(f"SELECT {SESSION_COLUMNS} FROM sessions")) as rows:
            for row in rows:
                try:
                    session_of(row, codec_of(db))
                except StoreDamaged:
                    named = f"session {row[0]}" if is_id(str(row[0])) else "a session"
                    problems.append(f"{named}: its row can't be read")
    except FAULTS as error:
        problems.append(_unreadable(error))
    return problems[:_SHOWN]


def sealed_problems(db: sqlite3.Connection) -> list[str]:
    """Rows of an encrypted store that can't be decrypted: changed, moved there from elsewhere, or rotten."""
    if codec_of(db) is None:
        return []
    problems: list[str] = []
    try:
        for table, sealed in SEALED.items():
            opens = " AND ".join(f"(t.{c} IS NULL OR {unsealed(table, c)} IS NOT NULL)" for c in sealed.columns)
            opens += "".join(f" AND NOT (t.{c} IS NULL AND {written})" for c, written in sealed.always.items())
            rows = db.execute(
                f"SELECT {sealed.session_id}, count(*) FROM {table} t {sealed.join} WHERE NOT ({opens}) GROUP BY 1"
            ).fetchmany(_SHOWN)
            problems += [f"session {row[0]}: {row[1]} rows of {table} can't be decrypted" for row in rows]
    except FAULTS as error:
        problems.append(_unreadable(error))
    return problems


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
        uri = f"{target.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, factory=StoreConnection)) as copy:
            if (codec := codec_of(db)) is not None:
                install(copy, codec)
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
