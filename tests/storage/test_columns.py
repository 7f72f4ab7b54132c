from __future__ import annotations

import sqlite3
from contextlib import closing

from kore_ls.storage.columns import HIDDEN_NAMES, PLAIN_COLUMNS, SEALED
from kore_ls.storage.migrations import migrate


def test_every_column_that_can_keep_a_text_is_encrypted_or_named_as_plain() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        migrate(db)
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        texts = {
            (table, row[1])
            for table in tables
            if not table.startswith("sqlite_")
            for row in db.execute(f"PRAGMA table_info({table})")
            if row[2] != "INTEGER"
        }
    sealed = {(table, column) for table, of in SEALED.items() for column in of.columns}
    hidden = {(table, column) for table, columns in HIDDEN_NAMES.items() for column in columns}
    plain = {(table, column) for table, columns in PLAIN_COLUMNS.items() for column in columns}

    assert sealed | hidden | plain == texts
    assert len(sealed) + len(hidden) + len(plain) == len(texts)


def test_what_a_user_or_an_agent_writes_is_encrypted() -> None:
    for table, column in (
        ("sessions", "name"),
        ("messages", "content"),
        ("tool_calls", "result"),
        ("sessions", "tags"),
    ):
        assert column in SEALED[table].columns
