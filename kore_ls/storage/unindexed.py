"""Which messages of an encrypted store its index does not have yet, as stretches of row ids."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from attrs import frozen

from kore_ls.storage.codec import codec_of
from kore_ls.storage.search_index import Gap, Reach, reach

_ALL = 1 << 62


@frozen
class Unindexed:
    """Stretches, newest first: after the first row, up to and with the second. False: there are none."""

    gaps: Sequence[Gap] = ()

    @classmethod
    def of(cls, db: sqlite3.Connection) -> Unindexed:
        """As it is now; of a plain store, whose index is waited for, there are none."""
        if codec_of(db) is None:
            return cls()
        marks = reach(db) or Reach()
        return cls(((marks.message, _ALL), *reversed(marks.gaps)))

    def __bool__(self) -> bool:
        return bool(self.gaps)

    def at(self, row: int) -> bool:
        """Whether a row is in one of them."""
        return any(after < row <= upto for after, upto in self.gaps)

    def border(self, below: int) -> int:
        """Down to which row, from below a row on, all are indexed, or none is."""
        row = below - 1
        for after, upto in self.gaps:
            if after < row <= upto:
                return after + 1
            if upto < row:
                return upto + 1
        return 0
