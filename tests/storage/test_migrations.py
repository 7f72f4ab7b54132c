from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from kore_ls.errors import StoreDamaged, UnsupportedStore
from kore_ls.storage.migrations import MIGRATIONS, SCHEMA_VERSION, SEARCH_TABLES, check_schema, migrate, user_version

SEED = {
    "sessions": ("id", "name", "agent_mode", "status", "created_at", "updated_at", "metadata"),
    "messages": ("id", "session_id", "role", "content", "timestamp", "metadata"),
}


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        yield db


def test_an_empty_file_becomes_a_store_of_the_newest_version(db: sqlite3.Connection) -> None:
    migrate(db)
    migrate(db)

    assert user_version(db) == SCHEMA_VERSION
    check_schema(db)


@pytest.mark.parametrize("table", SEED)
def test_the_seed_s_tables_and_columns_keep_their_names(db: sqlite3.Connection, table: str) -> None:
    migrate(db)

    columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
    indexes = {row[1] for row in db.execute("PRAGMA index_list(messages)")}

    assert set(SEED[table]) <= set(columns)
    assert {"idx_messages_session_id", "idx_messages_timestamp"} <= indexes


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, 2**31 - 1, -1])
def test_a_version_that_is_not_known_is_refused(db: sqlite3.Connection, version: int) -> None:
    migrate(db)
    db.execute(f"PRAGMA user_version = {version}")

    with pytest.raises(UnsupportedStore):
        migrate(db)


def test_what_stands_in_a_file_without_version_is_not_built_upon(db: sqlite3.Connection) -> None:
    db.execute("CREATE VIEW v AS SELECT 1")

    with pytest.raises(StoreDamaged):
        migrate(db)


def test_an_index_for_search_may_be_there_or_not(db: sqlite3.Connection) -> None:
    migrate(db)
    for definition in SEARCH_TABLES.values():
        db.execute(definition)
        check_schema(db)


def test_a_step_that_fails_leaves_nothing(db: sqlite3.Connection) -> None:
    statements: list[str] = []

    def refuse(action: int, name: str | None, *_: object) -> int:
        statements.append(name or "")
        return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_CREATE_TABLE and name == "changes" else sqlite3.SQLITE_OK

    db.set_authorizer(refuse)
    with pytest.raises(sqlite3.DatabaseError):
        migrate(db)
    db.set_authorizer(None)

    assert "sessions" in statements
    assert not db.in_transaction
    assert user_version(db) == 0
    assert db.execute("SELECT * FROM sqlite_master").fetchall() == []
    migrate(db)


def test_several_at_once_make_one_store(tmp_path: Path) -> None:
    def make(_: int) -> int:
        with closing(sqlite3.connect(tmp_path / "s.db", isolation_level=None, timeout=30)) as db:
            migrate(db)
            check_schema(db)
            return user_version(db)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(make, range(8))) == {SCHEMA_VERSION}


def test_no_statement_needs_a_newer_sqlite_than_3_31() -> None:
    source = Path(migrate.__code__.co_filename).parent
    statements = " ".join(path.read_text(encoding="utf-8") for path in source.glob("*.py"))

    assert not re.search(r"\bRETURNING\b|\bSTRICT\b|->>|contentless_delete|INSERT OR REPLACE", statements)
    assert all(re.match(r"CREATE |ALTER TABLE \w+ ADD COLUMN ", statement) for step in MIGRATIONS for statement in step)
