"""Contents in a damaged store, found without the index by their names, which may be what is damaged. Reads only."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from functools import cached_property

from kore_ls.errors import StoreDamaged
from kore_ls.storage.codec import codec_of
from kore_ls.storage.contents import content_name, opened_content
from kore_ls.storage.faults import FAULTS
from kore_ls.storage.rows import Row

Rows = Callable[[sqlite3.Connection, str, str, int], Iterator[Row | None]]
"""Every row of a table that can be reached, None for each that can't be read: table, columns, a last row id."""


class SavedContents:
    """The contents of one of the tables in `columns.CONTENTS`."""

    def __init__(self, source: sqlite3.Connection, table: str, rows: Rows) -> None:
        self._source, self._table, self._rows = source, table, rows

    def named(self, name: str) -> bytes | None:
        """What `content_name` gave this name."""
        codec = codec_of(self._source)
        return self.find(name if codec is None else codec.hide(name))

    def find(self, stored: object) -> bytes | None:
        """What has this name in the file, if it is that still."""
        codec = codec_of(self._source)
        try:
            row = self._source.execute(
                f"SELECT content FROM {self._table} WHERE rowid = ?", (self._places.get(stored),)
            ).fetchone()
            if row is None:
                return None
            content = opened_content(codec, self._table, str(stored), row[0])
        except (StoreDamaged, TypeError, *FAULTS):
            return None
        name = content_name(content)
        return content if (name if codec is None else codec.hide(name)) == stored else None

    @cached_property
    def _places(self) -> dict[object, object]:
        found = self._rows(self._source, self._table, "name, rowid", 0)
        return dict(row[:2] for row in found if row is not None)
