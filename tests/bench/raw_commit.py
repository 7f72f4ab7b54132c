"""The yardstick: what the machine's SQLite needs to commit one message, without any of our code around it."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from kore_ls.storage.migrations import MIGRATIONS
from tests.bench.clock import microseconds

TEXT = ("Please add a login form, and tests for it. " * 12)[:500]
"""500 bytes."""
WHAT = (
    "BEGIN IMMEDIATE, one INSERT of a 500-byte message, COMMIT by sqlite3 in this process; our messages table with its "
    "indexes, WAL, synchronous NORMAL, no foreign keys checked, nothing else written"
)
_INSERT = (
    "INSERT INTO messages (session_id, role, content, timestamp, metadata, uid, seq, turn_id, state, thinking, "
    "tool_calls) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_SESSION = "01a2022b-6a93-7193-b610-6371ceaa94bd"


class RawCommits:
    """A database of its own in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._db = sqlite3.connect(directory / "raw.db", isolation_level=None)
        self._seq = 0
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        for statement in (each for step in MIGRATIONS for each in step):
            if "messages" in statement.partition("(")[0]:
                self._db.execute(statement)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()

    def commit(self) -> None:
        """Store one message durably."""
        self._seq += 1
        execute = self._db.execute
        execute("BEGIN IMMEDIATE")
        uid = f"01a2022b-6a93-7193-b610-{self._seq:012x}"
        now = time.time_ns() // 1_000_000
        execute(_INSERT, (_SESSION, "user", TEXT, now, None, uid, self._seq, None, None, None, 0))
        execute("COMMIT")

    def times(self, count: int) -> list[float]:
        """Microseconds of so many commits."""
        return [microseconds(self.commit) for _ in range(count)]
