"""Another tool's database, read from a private copy of the file and its write-ahead log. Changes nothing of it.

What it returns is unchecked. A rollback journal beside it is never used: it could rewrite what is read.
"""

from __future__ import annotations

import shutil
import tempfile
from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any

from kore_ls.errors import ImportInvalid, StoreFull
from kore_ls.model.problems import Problems
from kore_ls.storage.files import beside, signature
from kore_ls.storage.foreign_reader import copy_database
from kore_ls.storage.foreign_table import READ_ERRORS, ForeignDatabase, Row
from kore_ls.storage.regular_file import open_regular

MOST_BYTES = 4 << 30
READING_SECONDS = 3_600.0
_ATTEMPTS = 5
_PASSES = 6
"""How often a file may be read over: once for the numbers, once for the rows, of several tables."""


class ForeignHistory:
    """The tables of one database; use it as a context manager, in one thread.

    Raises ImportInvalid (place `path`) for what is no database of at most 4 GiB, StoreFull if the copy finds no room.
    """

    def __init__(self, path: Path, problems: Problems) -> None:
        self._path = path
        self._problems = problems
        self._folder = tempfile.TemporaryDirectory(prefix="kore-")
        self._database: ForeignDatabase | None = None

    def __enter__(self) -> ForeignHistory:
        try:
            copy = Path(self._folder.name) / "copy.db"
            size = self._copy(copy)
            self._database = ForeignDatabase(
                f"{copy.as_uri()}?mode=rw",
                seconds=READING_SECONDS,
                most_bytes=_PASSES * size + (1 << 20),
                problems=self._problems,
            )
        except READ_ERRORS:
            self._folder.cleanup()
            raise ImportInvalid("path: is too damaged to be read", place="path") from None
        except BaseException:
            self._folder.cleanup()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._database is not None:
            self._database.close()
        self._folder.cleanup()

    def _copy(self, copy: Path) -> int:
        """Copy the file and its log as they are at one moment; their bytes."""
        log, log_copy = beside(self._path, "-wal"), beside(copy, "-wal")
        for attempt in range(_ATTEMPTS):
            before = signature(self._path)
            needed = sum(each[0] for each in before if each is not None)
            if shutil.disk_usage(self._folder.name).free < needed + (64 << 20):
                raise StoreFull("no room for a copy of the file")
            for stale in (copy, log_copy):
                stale.unlink(missing_ok=True)
            size = copy_database(self._path, copy, MOST_BYTES)
            if log.exists():
                size += _copy_log(log, log_copy)
            if signature(self._path) == before:
                break
            if attempt == _ATTEMPTS - 1:
                self._problems.note(f"{self._path.name}: was being written to; what was read may lack the newest")
        return size

    def has(self, table: str, *columns: str) -> bool:
        """Whether there is a plain table of this name with all of these columns."""
        try:
            return self._db.has_table(table) and set(columns) <= set(self._db.columns(table))
        except READ_ERRORS:
            return False

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Row]:
        """All rows that can be read, with those of the columns that exist; texts stored as bytes are decoded."""
        for _, row in self._numbered(table, columns):
            yield row

    def numbers(
        self, table: str, group: str, order: Sequence[str], wanted: Callable[[str], bool]
    ) -> dict[str, array[int]]:
        """The numbers of a table's rows by their value of `group`, where that is wanted; each list in its order."""
        found: dict[str, array[int]] = {}
        keys: dict[str, list[tuple[Any, ...]]] = {}
        for number, row in self._numbered(table, (group, *order)):
            value = str(row.get(group))
            if wanted(value):
                found.setdefault(value, array("q")).append(number)
                if order:
                    keys.setdefault(value, []).append(tuple(_sortable(row.get(name)) for name in order))
        for value, unordered in keys.items():
            if any(one > other for one, other in pairwise(unordered)):
                places = sorted(range(len(unordered)), key=unordered.__getitem__)
                found[value] = array("q", (found[value][place] for place in places))
            unordered.clear()
        return found

    def fetch(self, table: str, columns: Sequence[str], numbers: Sequence[int]) -> Iterator[Row]:
        """The rows with these numbers, in this order; those that can't be read are noted and passed over."""
        for _, row in self.fetch_numbered(table, columns, numbers):
            yield row

    def fetch_numbered(self, table: str, columns: Sequence[str], numbers: Sequence[int]) -> Iterator[tuple[int, Row]]:
        """As `fetch`, each row with its number."""
        for number in numbers:
            row = self._db.row(table, columns, number)
            if row is None:
                self._problems.note(f"{self._path.name}: a row of {table} can't be read")
            else:
                yield number, _decoded(row)

    def _numbered(self, table: str, columns: Sequence[str]) -> Iterator[tuple[int, Row]]:
        try:
            for number, row in self._db.numbered(table, columns):
                yield number, _decoded(row)
        except READ_ERRORS:
            self._problems.note(f"{self._path.name}: {table} is too damaged to be read to its end")

    @property
    def _db(self) -> ForeignDatabase:
        assert self._database is not None, "used outside of its block"
        return self._database


def _copy_log(log: Path, copy: Path) -> int:
    with open_regular(log, most=MOST_BYTES) as source:
        try:
            with copy.open("xb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
                return target.tell()
        except OSError:
            raise StoreFull("no room for a copy of the file") from None


def _decoded(row: Row) -> Row:
    return {
        name: value.decode("utf-8", "replace") if isinstance(value, bytes) else value for name, value in row.items()
    }


def _sortable(value: Any) -> tuple[int, Any]:
    """A key by which numbers come before texts, and what is neither comes first."""
    if isinstance(value, int | float):
        return (1, value)
    return (2, value) if isinstance(value, str) else (0, 0)
