"""Reads a table of a database that nobody vouches for: known columns of a plain table, within limits of time and size.

Writes nothing, uses no view, trigger, index, function or generated column of the file.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from kore_ls.model.limits import CONTENT_BYTES
from kore_ls.model.problems import Problems

Row = dict[str, Any]

STEPS_PER_CHECK = 10_000
MOST_GAPS = 1_000
LONGEST_ROW = 4 * CONTENT_BYTES
"""Bytes: more than any message that an import takes."""

READ_ERRORS = (sqlite3.Error, UnicodeDecodeError, OverflowError)
"""What reading a hostile file may raise: the sqlite3 module fails to decode even some of SQLite's own messages."""

_ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_PRAGMA})
_LAST_ROWID = (1 << 63) - 1
_ROWID_NAMES = ("rowid", "_rowid_", "oid")


class ForeignDatabase:
    """A read-only connection to a private copy of a foreign file.

    Reading stops for good when `seconds` have passed or `most_bytes` of values have been read; `stopped` says so.
    """

    def __init__(self, uri: str, *, seconds: float, most_bytes: int, problems: Problems) -> None:
        self.problems = problems
        self.stopped = False
        self._left = most_bytes
        self._plans: dict[tuple[str, tuple[str, ...]], tuple[list[str], str]] = {}
        self._deadline = time.monotonic() + seconds
        self._db = sqlite3.connect(uri, uri=True, isolation_level=None)
        try:
            self._confine()
        except BaseException:
            self._db.close()
            raise

    def _confine(self) -> None:
        self._db.text_factory = lambda raw: raw.decode("utf-8", "replace")
        self._db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_ROW)
        self._db.set_progress_handler(self._out_of_time, STEPS_PER_CHECK)
        self._db.execute("PRAGMA trusted_schema = OFF")
        for pragma in ("query_only", "cell_size_check", "ignore_check_constraints"):
            self._db.execute(f"PRAGMA {pragma} = ON")
        self._db.execute("PRAGMA mmap_size = 0")
        self._db.set_authorizer(_authorize)

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def has_table(self, name: str) -> bool:
        """Whether there is exactly one entry of this name in the schema, and it is a plain table."""
        entries = self._db.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
        named = [(kind, sql) for kind, entry, sql in entries if isinstance(entry, str) and entry.lower() == name]
        if len(named) != 1:
            return False
        kind, sql = named[0]
        return kind == "table" and isinstance(sql, str) and sql.upper().startswith("CREATE TABLE ")

    def columns(self, table: str) -> list[str]:
        """The names of the table's stored columns; generated ones would run code of the file's author."""
        rows = self._db.execute(f"PRAGMA table_xinfo({table})").fetchall()
        return [row[1].lower() for row in rows if row[6] == 0]

    def rows(self, table: str, wanted: Sequence[str], *, most: int) -> Iterator[Row]:
        """Up to `most` rows in the order of their row numbers, with those of the wanted columns that exist.

        Rows that can't be read are passed over and noted as a problem.
        """
        present = [] if self.stopped else self.columns(table)
        names = [name for name in wanted if name in present]
        if not names:
            return
        for count, (_, row) in enumerate(self._numbered(table, names, present)):
            if count == most:
                self.problems.note(f"{table}: only the first {most} rows were read")
                return
            yield row

    def numbered(self, table: str, wanted: Sequence[str]) -> Iterator[tuple[int, Row]]:
        """As `rows`, all of them, each with its row number, by which `row` finds it again."""
        present = [] if self.stopped else self.columns(table)
        if (names := [name for name in wanted if name in present]) and self._rowid(table, present) is not None:
            yield from self._numbered(table, names, present)

    def row(self, table: str, wanted: Sequence[str], number: int) -> Row | None:
        """One row by its number; None where there is none that can be read."""
        if (known := self._plans.get((table, tuple(wanted)))) is None:
            present = self.columns(table)
            names = [name for name in wanted if name in present]
            selected = ", ".join(f'"{name}"' for name in names)
            rowid = self._rowid(table, present)
            known = names, f"SELECT {selected} FROM {table} NOT INDEXED WHERE {rowid} = ?"
            self._plans[table, tuple(wanted)] = known
        names, statement = known
        found = self._attempt(statement, number)
        return dict(zip(names, found[0], strict=True)) if found and self._affordable(table, found[0]) else None

    def _numbered(self, table: str, names: list[str], present: list[str]) -> Iterator[tuple[int, Row]]:
        selected = ", ".join(f'"{name}"' for name in names)
        for number, values in self._scan(table, selected, present):
            if not self._affordable(table, values):
                return
            yield number, dict(zip(names, values, strict=True))

    def _affordable(self, table: str, values: Sequence[Any]) -> bool:
        self._left -= sum(len(value) for value in values if isinstance(value, str | bytes))
        if self._left < 0:
            self._stop(f"{table}: holds more than its file can; reading stopped")
        return self._left >= 0

    def _rowid(self, table: str, present: list[str]) -> str | None:
        """The name of the table's row numbers; None for a table that has none."""
        rowid = next((name for name in _ROWID_NAMES if name not in present), None)
        if rowid is None or self._attempt(f"SELECT {rowid} FROM {table} LIMIT 0") is None:
            return None
        return rowid

    def check(self, table: str) -> None:
        """Note as problems what SQLite finds wrong with the table's pages."""
        if self.stopped:
            return
        try:
            found = self._db.execute(f"PRAGMA quick_check({table})").fetchall()
        except READ_ERRORS:
            found = [("the check failed",)]
        if found != [("ok",)] and not self.stopped:
            self.problems.note(f"{table}: the file is damaged; what could be read was read")

    def _scan(self, table: str, selected: str, present: list[str]) -> Iterator[tuple[int, tuple[Any, ...]]]:
        rowid = self._rowid(table, present)
        if rowid is None:
            yield from self._scan_without_rowid(table, f"SELECT {selected} FROM {table} NOT INDEXED")
            return
        statement = f"SELECT {rowid}, {selected} FROM {table} NOT INDEXED WHERE {rowid} >= ? ORDER BY {rowid}"
        single = f"{statement} LIMIT 1"
        start, gaps = -_LAST_ROWID - 1, 0
        while gaps < MOST_GAPS:
            try:
                for number, *values in self._db.execute(statement, (start,)):
                    start = number + 1
                    yield number, tuple(values)
                return
            except READ_ERRORS:
                if self.stopped:
                    return
            # The sqlite3 module reads one row ahead, so a bad row takes the good one before it along.
            for number, *values in self._attempt(single, start) or ():
                start = number + 1
                yield number, tuple(values)
            if gaps == 0:
                self.problems.note(f"{table}: some rows can't be read")
            if (after := self._after_gap(single, max(start, 0))) is None:
                return
            start, gaps = after, gaps + 1
        self.problems.note(f"{table}: too damaged to be read to its end")

    def _scan_without_rowid(self, table: str, statement: str) -> Iterator[tuple[int, tuple[Any, ...]]]:
        try:
            yield from enumerate(self._db.execute(statement))
        except READ_ERRORS:
            if not self.stopped:
                self.problems.note(f"{table}: too damaged to be read to its end")

    def _after_gap(self, single: str, bad: int) -> int | None:
        """The lowest row number found from which reading works again, by steps that double and then halve."""
        low, step = bad - 1, 1
        while self._attempt(single, high := min(low + step, _LAST_ROWID)) is None:
            if self.stopped or high == _LAST_ROWID:
                return None
            low, step = high, step * 2
        while low + 1 < high and not self.stopped:
            middle = (low + high) // 2
            low, high = (middle, high) if self._attempt(single, middle) is None else (low, middle)
        return high

    def _attempt(self, statement: str, *values: int) -> list[tuple[Any, ...]] | None:
        with suppress(*READ_ERRORS):
            return self._db.execute(statement, values).fetchall()
        return None

    def _out_of_time(self) -> int:
        if time.monotonic() > self._deadline:
            self._stop("reading took too long and was stopped")
        return int(self.stopped)

    def _stop(self, problem: str) -> None:
        if not self.stopped:
            self.problems.note(problem)
        self.stopped = True


def _authorize(action: int, first: str | None, second: str | None, database: str | None, source: str | None) -> int:
    """Plain reads only, and none on behalf of a view or trigger of the file."""
    return sqlite3.SQLITE_OK if action in _ALLOWED and source is None else sqlite3.SQLITE_DENY
