"""A store as the version before this one would have left it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from kore_ls.storage.migrations import SCHEMA_VERSION

BEFORE = SCHEMA_VERSION - 1
_UNDO = ("DROP INDEX idx_tool_calls_output", "ALTER TABLE tool_calls DROP COLUMN output", "DROP TABLE outputs")


def take_back(path: Path, *further: str) -> None:
    """Undo the newest migration in a closed store that uses nothing of it, then run `further` statements."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in (*_UNDO, f"PRAGMA user_version = {BEFORE}", *further):
            db.execute(statement)
