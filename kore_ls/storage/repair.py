"""Mending a damaged store of our own: the damaged files are kept, what can be read goes into a sound file.

The sound content is written into the live file, so that other processes that have it open see a change like any other;
only a file that SQLite takes for no database any more is replaced.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from kore_ls.errors import StoreBusy, StoreDamaged, StoreFull, StoreLocked
from kore_ls.storage.codec import StoreConnection
from kore_ls.storage.database import BUSY_TIMEOUT_MS
from kore_ls.storage.faults import FAULTS, is_busy, translated
from kore_ls.storage.files import SUFFIXES, beside, create_private
from kore_ls.storage.home import make_dated_directory
from kore_ls.storage.keys import StoreKey, generation, insert_key, new_key, reserve, used
from kore_ls.storage.leftovers import FRESH, READING
from kore_ls.storage.maintenance import damage_in, problems_in
from kore_ls.storage.migrations import APPLICATION_ID, migrate
from kore_ls.storage.salvage import salvage
from kore_ls.storage.sealing import install
from kore_ls.storage.unlocking import ROTATE_AT, Access, holds_sealed, note_generation, open_store_key

_PAGE = 4096
_PAGE_COUNT_AT = 28
_LOCKED_TRIES = 3
_TREES = (b"\2", b"\5", b"\x0a", b"\x0d")
"""What the first byte of a page is that holds part of a table or an index."""


def key_of(path: Path, access: Access, now: int) -> tuple[StoreKey | None, int]:
    """The key and the generation in a damaged file; where they are lost, and all with them, new ones.

    Raises StoreLocked (also where a key is lost, and there is none to make the new one with), WrongKey, StoreBusy.
    """
    later = now // 1000  # than any number that counts changes: nobody who has the file open takes it for the same
    try:
        with closing(_connect(path)) as db:
            return _unlocked(db, access, later)
    except (StoreDamaged, *FAULTS) as error:
        _only_damage(error)
    try:
        with _readable(path) as db:
            return _unlocked(db, access, later)
    except (StoreDamaged, *FAULTS) as error:
        _only_damage(error)
        lost = isinstance(error, StoreDamaged) and error.params.get("reason") == "key"
    if access.ciphers:
        return new_key(access.ciphers[0], later), later
    if lost:  # what is written next must not be plain for that
        raise StoreLocked("the store was encrypted, and its key is lost; unlock it, and a repair makes a new one")
    return None, 0


def _unlocked(db: sqlite3.Connection, access: Access, later: int) -> tuple[StoreKey | None, int]:
    """The key, and the generation or, where that alone is lost, another."""
    try:
        at = generation(db)
    except StoreDamaged:
        at = later
    key = open_store_key(db, access)
    if key is None and holds_sealed(db):
        raise StoreDamaged("the store's key was taken out", reason="key")
    return key, at


def _only_damage(error: Exception) -> None:
    ours = translated(error) if isinstance(error, FAULTS) else error
    if not isinstance(ours, StoreDamaged):
        raise ours from error


def repair_file(path: Path, now: int, key: StoreKey | None = None, at: int = 0) -> list[str]:
    """Mend a store that no connection of this object has open; what was done and lost. `now`: Unix milliseconds.

    `key` and the generation `at`: those of an encrypted store, which stays so.

    Raises StoreFull (nothing was changed), StoreBusy (also where its key was changed meanwhile), StoreDamaged where
    the outcome would not be sound.
    """
    before = _generation_of(path)
    kept = _keep_aside(path)
    fresh = path.with_name(f"{FRESH}{secrets.token_hex(8)}.db")
    try:
        create_private(fresh)
        with closing(sqlite3.connect(fresh, isolation_level=None, factory=StoreConnection)) as target:
            _make(target, incremental=False)
            with _readable(kept / path.name) as source:
                if key is not None:
                    for db in (source, target):
                        install(db, key.codec())
                    insert_key(target, key.wrapped, now)
                    reserve(target, key.wrapped.key_id, _used(source, key.wrapped.key_id))
                if at:
                    note_generation(target, at)
                found = salvage(source, target, now)
            if problems_in(target):
                raise StoreDamaged("what could be saved is not sound", reason="repair")
            if _generation_of(path) != before:  # what was saved is of another key, or none, by now
                raise StoreBusy("the store was encrypted, decrypted or given another key meanwhile")
            done = _write_into(path, target)
        if not done:
            _replace(path, fresh)
    except FAULTS as error:
        raise translated(error) from error
    finally:
        for suffix in SUFFIXES:
            beside(fresh, suffix).unlink(missing_ok=True)
    return [f"the damaged files are kept in {kept.name}", *found.texts()]


def _keep_aside(path: Path) -> Path:
    kept: Path | None = None
    try:
        kept = make_dated_directory(path.parent, "damaged")
        for suffix in SUFFIXES:
            if beside(path, suffix).exists():
                target = beside(kept / path.name, suffix)
                shutil.copyfile(beside(path, suffix), target)
                target.chmod(0o600)
    except OSError as error:
        if kept is not None:
            shutil.rmtree(kept, ignore_errors=True)
        raise StoreFull("no room to keep the damaged files", reason=os.strerror(error.errno or 0)) from error
    return kept


@contextmanager
def _scratch(beside: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=beside, prefix=READING) as folder:
        yield Path(folder)


def _make(db: sqlite3.Connection, *, incremental: bool) -> None:
    """An empty store."""
    db.execute(f"PRAGMA auto_vacuum = {'INCREMENTAL' if incremental else 'NONE'}")
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    migrate(db)


@contextmanager
def _readable(damaged: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a copy of the damaged file; if its first page is lost, with that of a new store in its place."""
    with _scratch(damaged.parent) as folder:
        copy = folder / "copy.db"
        for suffix in SUFFIXES:
            if beside(damaged, suffix).exists():
                shutil.copyfile(beside(damaged, suffix), beside(copy, suffix))
        if not _has_tables(copy):
            for suffix in SUFFIXES[1:]:
                beside(copy, suffix).unlink(missing_ok=True)
            _transplant(damaged, copy)
        with closing(_connect(copy)) as db:
            yield db


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, factory=StoreConnection)
    for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "query_only = ON"):
        db.execute(f"PRAGMA {pragma}")
    return db


def _generation_of(path: Path) -> int | None:
    """How often the store's encryption was changed; None where that can't be read."""
    try:
        with closing(_connect(path)) as db:
            return generation(db)
    except (StoreDamaged, *FAULTS):
        return None


def _used(db: sqlite3.Connection, key_id: int) -> int:
    """How much the key was used; where that is lost, so much that it is renewed soon."""
    try:
        return used(db, key_id)
    except (StoreDamaged, *FAULTS):
        return ROTATE_AT


def _has_tables(path: Path) -> bool:
    try:
        with closing(_connect(path)) as db:
            rows = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    except FAULTS:
        return False
    return {"sessions", "messages"} <= {row[0] for row in rows}


def _transplant(damaged: Path, copy: Path) -> None:
    """Every store makes its tables in the same order, so that the first page of one tells where they are in another.

    Some stores have a map of pages as their second page, others a table.
    """
    pages = damaged.read_bytes()[_PAGE:]
    model = copy.with_name("model.db")
    with closing(sqlite3.connect(model, isolation_level=None, factory=StoreConnection)) as db:
        _make(db, incremental=pages[:1] not in _TREES)
    first = bytearray(model.read_bytes()[:_PAGE])
    first[_PAGE_COUNT_AT : _PAGE_COUNT_AT + 4] = (1 + len(pages) // _PAGE).to_bytes(4, "big")
    copy.write_bytes(bytes(first) + pages)


def _write_into(path: Path, content: sqlite3.Connection) -> bool:
    """Overwrite the live database with `content`; False if it can't be opened as one. Raises StoreBusy, StoreFull."""
    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT_MS / 1000)) as live:
            live.execute("PRAGMA journal_mode").fetchone()
            content.backup(live, progress=_only_so_long())
            live.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            if damage_in(live):
                raise StoreDamaged("the repaired store is not sound", reason="repair")
            return True
    except FAULTS as error:
        if is_busy(error):
            raise StoreBusy from error
        ours = translated(error)
        if isinstance(ours, StoreDamaged):
            return False
        raise ours from error


def _only_so_long() -> Callable[[int, int, int], None]:
    """For a backup, which would otherwise wait for ever for a process that keeps the file locked."""
    tries = iter(range(_LOCKED_TRIES))

    def progress(status: int, _remaining: int, _total: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and next(tries, None) is None:
            raise StoreBusy

    return progress


def _replace(path: Path, fresh: Path) -> None:
    try:
        for suffix in SUFFIXES[1:]:
            beside(path, suffix).unlink(missing_ok=True)
        fresh.replace(path)
    except OSError as error:
        raise StoreFull("the sound file can't be put in place", reason=os.strerror(error.errno or 0)) from error
