"""A store as an earlier version would have left it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from kore_ls.storage.migrations import SCHEMA_VERSION

BEFORE = SCHEMA_VERSION - 1
_UNDO = {
    9: ("DROP TABLE attachments", "DROP TABLE attached_texts"),
    8: ("DROP INDEX idx_tool_calls_output", "ALTER TABLE tool_calls DROP COLUMN output", "DROP TABLE outputs"),
}


def take_back(path: Path, *further: str, to: int = BEFORE) -> None:
    """Undo migrations down to version `to` in a closed store that uses nothing of them, then run `further`."""
    undo = (statement for version in range(SCHEMA_VERSION, to, -1) for statement in _UNDO[version])
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in (*undo, f"PRAGMA user_version = {to}", *further):
            db.execute(statement)
