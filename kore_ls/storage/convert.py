"""Encrypting a store, decrypting it, giving it another key: all values anew, in a file beside, then in the live one.

Others may write all the while: what they did after the copy was made is taken along while the live file is ours alone.
Killed anywhere, the old or the new store is whole, and of a decrypted copy nothing is left: its file has no name.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from kore_ls.errors import StoreBusy, StoreDamaged
from kore_ls.model.event import EventType
from kore_ls.model.ids import now_ms
from kore_ls.storage.changes import append_changes
from kore_ls.storage.cipher import Cipher, WrappedKey
from kore_ls.storage.codec import Codec, StoreConnection
from kore_ls.storage.database import BUSY_TIMEOUT_MS, prepare
from kore_ls.storage.faults import FAULTS, is_busy, translated
from kore_ls.storage.files import create_private
from kore_ls.storage.keys import (
    generation,
    insert_key,
    new_key,
    note_converting,
    read_wrapped,
    replace_key,
)
from kore_ls.storage.maintenance import damage_in, sealed_problems, sweep
from kore_ls.storage.migrations import APPLICATION_ID, check_schema, migrate
from kore_ls.storage.recoding import Recoding
from kore_ls.storage.sealing import install
from kore_ls.storage.unlocking import Access, note_generation, unlock

if TYPE_CHECKING:
    from kore_ls.storage.backups import SafeCopy

PREFIX = ".converting-"
_PAGES = 8
"""Pages per step: fewer than an empty store has, so that the first step is never the last one."""
_LOCKED_TRIES = 40
_SWEEP_S = 10.0

Step = Callable[[str, int], None]
"""Told what is being done and how many per cent of it are; what it raises before "switched" ends all unchanged."""


def convert(
    path: Path, old: Access, new: Cipher | None, now: int, step: Step = lambda *_: None, safe: SafeCopy | None = None
) -> bool:
    """Store everything anew under a new random key, wrapped with `new` (None: plain).

    `safe` gets a copy of the new form before the live file is changed.
    False: another process goes on reading what was there before, so that it is still in the log.
    Raises StoreLocked, WrongKey, StoreDamaged (a value can't be read; nothing was changed), StoreBusy, StoreFull.
    """
    try:
        with closing(_connect(path)) as live:
            check_schema(live)
            key, at = unlock(live, old, read_only=True)
            conversion = _Conversion(path, live, None if key is None else key.codec(), at)
            with _noted(live):
                conversion.run(new, now, step, safe)
            step("switched", 100)
            if safe is not None:
                safe.switched(live)
            swept = _sweep(live)
            step("swept", 100)
            return swept
    except FAULTS as error:
        if is_busy(error):
            raise StoreBusy from error
        raise translated(error) from error


def rewrap(path: Path, old: WrappedKey, new: WrappedKey) -> bool:
    """Keep the store's key wrapped otherwise. False: another process reads what was there before, as in `convert`.

    Raises StoreBusy where the store is not as `old` says any more.
    """
    try:
        with closing(_connect(path)) as live:
            live.execute("BEGIN IMMEDIATE")
            if read_wrapped(live) != old:
                raise StoreBusy("another process encrypts, decrypts or rekeys the store")
            replace_key(live, new)
            note_generation(live, generation(live) + 1)
            append_changes(live, "", [(None, EventType.STORE_CHANGED.value)])
            live.execute("COMMIT")
            return _sweep(live)
    except FAULTS as error:
        if is_busy(error):
            raise StoreBusy from error
        raise translated(error) from error


@contextmanager
def _noted(live: sqlite3.Connection) -> Iterator[None]:
    """So that those wait who want to write while the store is ours alone; the new store does not say it."""
    note_converting(live, now_ms())
    try:
        yield
    except BaseException:
        with suppress(*FAULTS):  # the note is old in time
            note_converting(live, None)
        raise


class _Conversion:
    """One go. `at`: the store's generation before."""

    def __init__(self, path: Path, live: sqlite3.Connection, codec: Codec | None, at: int) -> None:
        self._path = path
        self._live = live
        self._old = codec
        self._at = at
        self._rows: Recoding | None = None

    def run(self, cipher: Cipher | None, now: int, step: Step, safe: SafeCopy | None) -> None:
        """Run, and say which session it is if a row can't be read, which SQLite does not pass on."""
        try:
            self._run(cipher, now, step, safe)
        except FAULTS:
            if self._rows is not None and self._rows.unreadable is not None:
                raise self._rows.unreadable from None
            raise

    def _run(self, cipher: Cipher | None, now: int, step: Step, safe: SafeCopy | None) -> None:
        key = None if cipher is None else new_key(cipher, self._at + 1)
        new = None if key is None else key.codec()
        with _nameless(self._path) as fresh:
            fresh.execute(f"PRAGMA page_size = {self._live.execute('PRAGMA page_size').fetchone()[0]}")
            fresh.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            migrate(fresh)
            fresh.execute("PRAGMA foreign_keys = OFF")
            fresh.execute("ATTACH ? AS live", (f"{self._path.absolute().as_uri()}?mode=rw",))
            if key is not None:
                insert_key(fresh, key.wrapped, now)
            rows = self._rows = Recoding(fresh, self._old, new, self._at)
            rows.copy(lambda done: step("copying", done))
            if new is not None:
                install(fresh, new)
            if damage_in(fresh) or sealed_problems(fresh):
                raise StoreDamaged("the converted store is not sound", reason="convert")
            step("copied", 100)
            if safe is not None:
                safe.keep(fresh)
                step("kept", 100)
            fresh.backup(self._live, pages=_PAGES, progress=self._switching(rows, step))

    def _switching(self, rows: Recoding, step: Step) -> Callable[[int, int, int], None]:
        """For the backup, which after its first step has the live file's write lock."""
        refused = 0
        caught_up = False

        def progress(status: int, remaining: int, total: int) -> None:
            nonlocal refused, caught_up
            if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                refused += 1
                if refused > _LOCKED_TRIES:
                    raise StoreBusy
            elif not caught_up:
                step("locked", 0)
                rows.catch_up()
                caught_up = True
                step("caught up", 0)
            else:
                step("writing", 100 - 100 * remaining // max(total, 1))

        return progress


@contextmanager
def _nameless(path: Path) -> Iterator[StoreConnection]:
    """An empty database beside `path` that is gone when this process is; in memory where files keep their names."""
    name: Path | None = None
    if os.name == "posix":
        for left in path.parent.glob(PREFIX + "*"):  # empty: of one that was killed before its file lost its name
            left.unlink(missing_ok=True)
        name = path.with_name(PREFIX + secrets.token_hex(8))
        create_private(name)
    db = sqlite3.connect(
        ":memory:" if name is None else f"{name.absolute().as_uri()}?mode=rw",
        uri=True,
        isolation_level=None,
        factory=StoreConnection,
        check_same_thread=False,
    )
    with closing(db):
        db.execute("PRAGMA journal_mode = MEMORY")  # opens the file
        if name is not None:
            name.unlink()
        prepare(db)
        db.execute("PRAGMA synchronous = OFF")
        yield db


def _connect(path: Path) -> StoreConnection:
    uri = f"{path.absolute().as_uri()}?mode=rw"
    db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_MS / 1000, factory=StoreConnection)
    prepare(db)
    db.execute("PRAGMA secure_delete = ON")
    db.execute("PRAGMA journal_mode").fetchone()
    return db


def _sweep(live: sqlite3.Connection) -> bool:
    """Empty the log into the file, waiting a while for those who still read from it."""
    until = time.monotonic() + _SWEEP_S
    while not sweep(live):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
