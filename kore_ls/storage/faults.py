"""SQLite's errors as ours: one table, so that callers see what went wrong and never an SQL text."""

from __future__ import annotations

import sqlite3

from kore_ls.errors import KoreError, StoreBusy, StoreDamaged, StoreFull, StoreReadOnly

_PRIMARY: dict[int, type[KoreError]] = {
    sqlite3.SQLITE_BUSY: StoreBusy,
    sqlite3.SQLITE_LOCKED: StoreBusy,
    sqlite3.SQLITE_FULL: StoreFull,
    sqlite3.SQLITE_TOOBIG: StoreFull,
    sqlite3.SQLITE_READONLY: StoreReadOnly,
    sqlite3.SQLITE_CANTOPEN: StoreReadOnly,
    sqlite3.SQLITE_PERM: StoreReadOnly,
    sqlite3.SQLITE_CORRUPT: StoreDamaged,
    sqlite3.SQLITE_NOTADB: StoreDamaged,
}
_EXTENDED: dict[int, type[KoreError]] = {
    sqlite3.SQLITE_IOERR_WRITE: StoreFull,
    sqlite3.SQLITE_IOERR_FSYNC: StoreFull,
    sqlite3.SQLITE_IOERR_TRUNCATE: StoreFull,
    sqlite3.SQLITE_IOERR_SHMSIZE: StoreFull,
}


FAULTS = (sqlite3.Error, UnicodeDecodeError)
"""What the sqlite3 module raises; the second where its own message about a damaged schema is no text."""


def is_busy(error: Exception) -> bool:
    """Whether another process held a lock for longer than the busy timeout."""
    return _primary(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _primary(error: Exception) -> int:
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def translated(error: Exception) -> KoreError:
    """The error of ours that means the same; the SQLite error's symbolic name is in params."""
    code = getattr(error, "sqlite_errorcode", None) or 0
    name = getattr(error, "sqlite_errorname", None)
    kind = _EXTENDED.get(code) or _PRIMARY.get(code & 0xFF) or StoreDamaged
    return kind(sqlite=name)
