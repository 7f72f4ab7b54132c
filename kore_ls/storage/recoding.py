"""All rows of a live store into a fresh one, with their values in another form; then what was written meanwhile.

The live store is attached to the fresh one as `live`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from kore_ls.errors import StoreBusy, StoreDamaged
from kore_ls.model.event import EventType
from kore_ls.storage.changes import append_changes
from kore_ls.storage.codec import Codec, StoreConnection
from kore_ls.storage.columns import CONTENTS, HIDDEN_NAMES, SEALED
from kore_ls.storage.keys import reserve, used
from kore_ls.storage.rows import unreadable_row
from kore_ls.storage.sealing import sealed_value
from kore_ls.storage.unlocking import note_generation

_CHUNK = 500
_OWN_META = "('converting', 'store_generation', 'index_version', 'indexed_message', 'index_gaps', 'indexed_session')"

_KEYS = {"messages": "id", "tool_calls": "message_id, position"}
_MARKS = {"messages": ("id, session_id, uid", "id, session_id, seq"), "tool_calls": ("message_id, position",)}
"""By what a row of a large table is known to be the same: what is encrypted in it never changes by itself.

All of each stands in an index, so that no row need be read for it. Other tables are copied once more.
"""


class Recoding:
    """From `old` to `new`, None for plain; `at` is the live store's generation before.

    `unreadable` is what can't be read, once that was met: SQLite does not pass it on.
    """

    def __init__(self, fresh: StoreConnection, old: Codec | None, new: Codec | None, at: int) -> None:
        self._fresh = fresh
        self._old = old
        self._new = new
        self._at = at
        self.unreadable: StoreDamaged | None = None
        fresh.create_function("converted", -1, self._converted)
        fresh.create_function("renamed", 1, self._renamed)

    def copy(self, told: Callable[[int], None]) -> None:
        """Every row; `told` is called with the percentage that is done."""
        self._fresh.execute("BEGIN")
        for table in _tables(self._fresh):
            if table == "messages":
                self._copy_messages(told)
            else:
                self._insert(table)
        self._keep_books()
        self._fresh.execute("COMMIT")

    def _copy_messages(self, told: Callable[[int], None]) -> None:
        """In chunks, for the sake of those who wait and want to see something."""
        last = self._fresh.execute("SELECT coalesce(max(id), 0) FROM live.messages").fetchone()[0]
        for start in range(0, last, _CHUNK):
            told(99 * start // last)
            self._insert("messages", f"WHERE t.id > {start} AND t.id <= {start + _CHUNK}")

    def _insert(self, table: str, where: str = "") -> None:
        columns = [row[1] for row in self._fresh.execute(f"PRAGMA main.table_info({table})")]
        sealed = SEALED.get(table)
        join = "" if sealed is None else sealed.join.replace(" messages ", " live.messages ")
        values = ", ".join(self._value(table, column) for column in columns)
        self._fresh.execute(
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

    def catch_up(self) -> None:
        """Take along what others did since the copy; nobody writes to the live file now. Raises StoreBusy."""
        changed = self._fresh.execute("SELECT value FROM live.meta WHERE key = 'store_generation'").fetchone()
        if (changed or (0,))[0] != self._at:
            raise StoreBusy("another process encrypts, decrypts or rekeys the store")
        self._fresh.execute("BEGIN")
        for table in _tables(self._fresh):
            if table in _MARKS or table in CONTENTS:
                self._catch_up_rows(table)
            else:
                self._fresh.execute(f"DELETE FROM main.{table}")
                self._insert(table)
        self._keep_books()
        for table in ("sessions", "messages"):
            counts = f"SELECT (SELECT count(*) FROM main.{table}) = (SELECT count(*) FROM live.{table})"
            if not self._fresh.execute(counts).fetchone()[0]:
                raise StoreDamaged("the converted store is not sound", reason="convert")
        self._fresh.execute("COMMIT")

    def _catch_up_rows(self, table: str) -> None:
        """Rows whose encrypted values never change by themselves: those that are gone, new, or moved."""
        if table in CONTENTS:
            self._insert(table, f"WHERE renamed(t.name) NOT IN (SELECT name FROM main.{table})")
            return
        keys = _KEYS[table]
        for marks in _MARKS[table]:
            same = " AND ".join(f"o.{column} = t.{column}" for column in marks.split(", "))
            gone = f"SELECT {keys} FROM main.{table} t WHERE NOT EXISTS (SELECT 1 FROM live.{table} o WHERE {same})"
            self._fresh.execute(f"DELETE FROM main.{table} WHERE ({keys}) IN ({gone})")
        if table == "messages":  # tool calls are bound to their message, which may have moved
            self._fresh.execute("DELETE FROM main.tool_calls WHERE message_id NOT IN (SELECT id FROM main.messages)")
        same = " AND ".join(f"o.{column} = n.{column}" for column in keys.split(", "))
        new = f"SELECT {keys} FROM live.{table} n WHERE NOT EXISTS (SELECT 1 FROM main.{table} o WHERE {same})"
        at = ", ".join(f"t.{column}" for column in keys.split(", "))
        self._insert(table, f"WHERE ({at}) IN ({new})")

    def _keep_books(self) -> None:
        """What the store notes of itself, without what belongs to the old form."""
        self._fresh.execute("DELETE FROM main.meta")
        self._fresh.execute(f"INSERT INTO main.meta SELECT key, value FROM live.meta WHERE key NOT IN {_OWN_META}")
        note_generation(self._fresh, self._at + 1)
        self._fresh.execute("DELETE FROM main.sqlite_sequence")
        self._fresh.execute("INSERT INTO main.sqlite_sequence (name, seq) SELECT name, seq FROM live.sqlite_sequence")
        append_changes(self._fresh, "", [(None, EventType.STORE_CHANGED.value)])
        if self._new is not None:
            key_id = self._new.key_id
            reserve(self._fresh, key_id, self._new.sealed - used(self._fresh, key_id))


def _tables(db: sqlite3.Connection) -> list[str]:
    """The tables whose rows are copied, parents before what is joined to them."""
    rows = db.execute("SELECT name FROM main.sqlite_master WHERE type = 'table' ORDER BY rowid").fetchall()
    return [row[0] for row in rows if not row[0].startswith("sqlite_") and row[0] not in ("keys", "meta")]
