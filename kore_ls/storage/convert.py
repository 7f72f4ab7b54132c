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
from typing import TYPE_CHECKING, Any

from kore_ls.errors import StoreBusy, StoreDamaged
from kore_ls.model.event import EventType
from kore_ls.model.ids import now_ms
from kore_ls.storage.changes import append_changes
from kore_ls.storage.cipher import Cipher, WrappedKey
from kore_ls.storage.codec import Codec, StoreConnection
from kore_ls.storage.columns import CONTENTS, HIDDEN_NAMES, SEALED
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
    reserve,
    used,
)
from kore_ls.storage.maintenance import damage_in, sealed_problems, sweep
from kore_ls.storage.migrations import APPLICATION_ID, check_schema, migrate
from kore_ls.storage.rows import unreadable_row
from kore_ls.storage.sealing import install, sealed_value
from kore_ls.storage.unlocking import Access, note_generation, unlock

if TYPE_CHECKING:
    from kore_ls.storage.backups import SafeCopy

PREFIX = ".converting-"
_PAGES = 8
"""Pages per step: fewer than an empty store has, so that the first step is never the last one."""
_CHUNK = 500
_LOCKED_TRIES = 40
_SWEEP_S = 10.0
_OWN_META = "('converting', 'store_generation', 'index_version', 'indexed_message', 'index_gaps', 'indexed_session')"

_KEYS = {"messages": "id", "tool_calls": "message_id, position"}
_MARKS = {"messages": ("id, session_id, uid", "id, session_id, seq"), "tool_calls": ("message_id, position",)}
"""By what a row of a large table is known to be the same: what is encrypted in it never changes by itself.

All of each stands in an index, so that no row need be read for it. Other tables are copied once more.
"""

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
        self._new: Codec | None = None
        self._at = at
        self.unreadable: StoreDamaged | None = None

    def run(self, cipher: Cipher | None, now: int, step: Step, safe: SafeCopy | None) -> None:
        """Run, and say which session it is if a row can't be read, which SQLite does not pass on."""
        try:
            self._run(cipher, now, step, safe)
        except FAULTS:
            if self.unreadable is not None:
                raise self.unreadable from None
            raise

    def _run(self, cipher: Cipher | None, now: int, step: Step, safe: SafeCopy | None) -> None:
        key = None if cipher is None else new_key(cipher, self._at + 1)
        self._new = None if key is None else key.codec()
        with _nameless(self._path) as fresh:
            fresh.execute(f"PRAGMA page_size = {self._live.execute('PRAGMA page_size').fetchone()[0]}")
            fresh.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            migrate(fresh)
            fresh.execute("PRAGMA foreign_keys = OFF")
            fresh.execute("ATTACH ? AS live", (f"{self._path.absolute().as_uri()}?mode=rw",))
            fresh.create_function("converted", -1, self._converted)
            fresh.create_function("renamed", 1, self._renamed)
            if key is not None:
                insert_key(fresh, key.wrapped, now)
            self._copy(fresh, lambda done: step("copying", done))
            if self._new is not None:
                install(fresh, self._new)
            if damage_in(fresh) or sealed_problems(fresh):
                raise StoreDamaged("the converted store is not sound", reason="convert")
            step("copied", 100)
            if safe is not None:
                safe.keep(fresh)
                step("kept", 100)
            fresh.backup(self._live, pages=_PAGES, progress=self._switching(fresh, step))

    def _switching(self, fresh: sqlite3.Connection, step: Step) -> Callable[[int, int, int], None]:
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
                self._catch_up(fresh)
                caught_up = True
                step("caught up", 0)
            else:
                step("writing", 100 - 100 * remaining // max(total, 1))

        return progress

    def _copy(self, fresh: sqlite3.Connection, told: Callable[[int], None]) -> None:
        fresh.execute("BEGIN")
        for table in _tables(fresh):
            if table == "messages":
                self._copy_messages(fresh, told)
            else:
                self._insert(fresh, table)
        self._keep_books(fresh)
        fresh.execute("COMMIT")

    def _copy_messages(self, fresh: sqlite3.Connection, told: Callable[[int], None]) -> None:
        """In chunks, for the sake of those who wait and want to see something."""
        last = fresh.execute("SELECT coalesce(max(id), 0) FROM live.messages").fetchone()[0]
        for start in range(0, last, _CHUNK):
            told(99 * start // last)
            self._insert(fresh, "messages", f"WHERE t.id > {start} AND t.id <= {start + _CHUNK}")

    def _insert(self, fresh: sqlite3.Connection, table: str, where: str = "") -> None:
        columns = [row[1] for row in fresh.execute(f"PRAGMA main.table_info({table})")]
        sealed = SEALED.get(table)
        join = "" if sealed is None else sealed.join.replace(" messages ", " live.messages ")
        values = ", ".join(self._value(table, column) for column in columns)
        fresh.execute(
            f"INSERT INTO main.{table} ({', '.join(columns)}) SELECT {values} FROM live.{table} t {join} {where}"
        )

    def _value(self, table: str, column: str) -> str:
        if column in HIDDEN_NAMES.get(table, ()):
            return f"renamed(t.{column})"
        sealed = SEALED.get(table)
        if sealed is None or column not in sealed.columns:
            return f"t.{column}"
        old = ", ".join(sealed.place)
        new = old
        for name in HIDDEN_NAMES.get(table, ()):
            new = new.replace(f"t.{name}", f"renamed(t.{name})")
        value = f"t.{column}" if self._old is None else sealed_value(f"t.{column}")
        return f"converted('{table}', '{column}', {value}, {old}, {new})"

    def _converted(self, table: str, column: str, value: object, *places: Any) -> str | bytes | None:
        """A value anew; `places`: what it is bound to, before and after."""
        if value is None:
            return None
        if self._old is not None:
            try:
                value = self._old.open_bytes(self._old.place(table, *places[:4]), column, value)
            except StoreDamaged as error:
                self.unreadable = unreadable_row(f"row of {table}", places[1])
                raise self.unreadable from error
        elif isinstance(value, str | int | float):  # SQLite makes a number of JSON that is one
            value = str(value).encode()
        if not isinstance(value, bytes):
            raise StoreDamaged("the store holds a row that can't be read", reason="row")
        if self._new is not None:
            return self._new.seal_bytes(self._new.place(table, *places[4:]), column, value)
        return value if table in CONTENTS else value.decode()

    def _renamed(self, name: str | None) -> str | None:
        if self._old is not None:
            name = self._old.reveal(name)
        return name if self._new is None else self._new.hide(name)

    def _catch_up(self, fresh: sqlite3.Connection) -> None:
        """Take along what others did since the copy; nobody writes to the live file now."""
        changed = fresh.execute("SELECT value FROM live.meta WHERE key = 'store_generation'").fetchone()
        if (changed or (0,))[0] != self._at:
            raise StoreBusy("another process encrypts, decrypts or rekeys the store")
        fresh.execute("BEGIN")
        for table in _tables(fresh):
            if table in _MARKS or table in CONTENTS:
                self._catch_up_rows(fresh, table)
            else:
                fresh.execute(f"DELETE FROM main.{table}")
                self._insert(fresh, table)
        self._keep_books(fresh)
        for table in ("sessions", "messages"):
            counts = f"SELECT (SELECT count(*) FROM main.{table}) = (SELECT count(*) FROM live.{table})"
            if not fresh.execute(counts).fetchone()[0]:
                raise StoreDamaged("the converted store is not sound", reason="convert")
        fresh.execute("COMMIT")

    def _catch_up_rows(self, fresh: sqlite3.Connection, table: str) -> None:
        """Rows whose encrypted values never change by themselves: those that are gone, new, or moved."""
        if table in CONTENTS:
            self._insert(fresh, table, f"WHERE renamed(t.name) NOT IN (SELECT name FROM main.{table})")
            return
        keys = _KEYS[table]
        for marks in _MARKS[table]:
            same = " AND ".join(f"o.{column} = t.{column}" for column in marks.split(", "))
            gone = f"SELECT {keys} FROM main.{table} t WHERE NOT EXISTS (SELECT 1 FROM live.{table} o WHERE {same})"
            fresh.execute(f"DELETE FROM main.{table} WHERE ({keys}) IN ({gone})")
        if table == "messages":  # tool calls are bound to their message, which may have moved
            fresh.execute("DELETE FROM main.tool_calls WHERE message_id NOT IN (SELECT id FROM main.messages)")
        same = " AND ".join(f"o.{column} = n.{column}" for column in keys.split(", "))
        new = f"SELECT {keys} FROM live.{table} n WHERE NOT EXISTS (SELECT 1 FROM main.{table} o WHERE {same})"
        at = ", ".join(f"t.{column}" for column in keys.split(", "))
        self._insert(fresh, table, f"WHERE ({at}) IN ({new})")

    def _keep_books(self, fresh: sqlite3.Connection) -> None:
        """What the store notes of itself, without what belongs to the old form."""
        fresh.execute("DELETE FROM main.meta")
        fresh.execute(f"INSERT INTO main.meta SELECT key, value FROM live.meta WHERE key NOT IN {_OWN_META}")
        note_generation(fresh, self._at + 1)
        fresh.execute("DELETE FROM main.sqlite_sequence")
        fresh.execute("INSERT INTO main.sqlite_sequence (name, seq) SELECT name, seq FROM live.sqlite_sequence")
        append_changes(fresh, "", [(None, EventType.STORE_CHANGED.value)])
        if self._new is not None:
            key_id = self._new.key_id
            reserve(fresh, key_id, self._new.sealed - used(fresh, key_id))


def _tables(db: sqlite3.Connection) -> list[str]:
    """The tables whose rows are copied, parents before what is joined to them."""
    rows = db.execute("SELECT name FROM main.sqlite_master WHERE type = 'table' ORDER BY rowid").fetchall()
    return [row[0] for row in rows if not row[0].startswith("sqlite_") and row[0] not in ("keys", "meta")]


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
