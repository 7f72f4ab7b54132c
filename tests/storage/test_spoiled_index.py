"""A search index that is damaged, missing or outdated is made anew, and keeps nobody from reading or writing."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from kore_ls.errors import StoreDamaged, StoreReadOnly
from kore_ls.model.bundle import OnConflict
from kore_ls.model.ids import SessionId
from kore_ls.model.search import SearchQuery
from kore_ls.storage.store import SQLiteStore
from tests.storage.searching import change, found, in_step, raw, until
from tests.storage.values import bundle, message


def overwrite(path: Path, table: str) -> None:
    """Garbage in place of the leaves of a table."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        try:
            rows = db.execute("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf'", (table,)).fetchall()
        except sqlite3.OperationalError:
            pytest.skip("this SQLite does not tell which pages are whose")
    content = bytearray(path.read_bytes())
    for (number,) in rows:
        content[(number - 1) * 4096 : number * 4096] = random.Random(number).randbytes(4096)
    path.write_bytes(content)


SPOILED: dict[str, Callable[[Path], object]] = {
    "pages": lambda path: overwrite(path, "messages_fts_data"),
    "names": lambda path: overwrite(path, "sessions_fts_data"),
    "blocks": lambda path: raw(path, "UPDATE messages_fts_data SET block = x'01' WHERE id > 10"),
    "missing": lambda path: raw(path, "DROP TABLE messages_fts"),
    "outdated": lambda path: raw(path, "UPDATE meta SET value = 0 WHERE key = 'index_version'"),
    "unknown": lambda path: raw(path, "DELETE FROM meta WHERE key LIKE 'index%'"),
    "half": lambda path: raw(path, "DROP TABLE sessions_fts_config"),
    "numbers": lambda path: overwrite(path, "messages_fts_docsize"),
}
"""The last is only noticed when something is written."""


@pytest.fixture
async def indexed(path: Path) -> Path:
    """A closed store, all of it indexed."""
    store = SQLiteStore(path)
    await store.import_sessions([bundle(f"s{n}", 120, name=f"认证 {n}") for n in range(5)], OnConflict.ERROR)
    await store.search(SearchQuery(text="x", budget=None))
    await store.close()
    assert in_step(path)
    return path


@pytest.mark.parametrize("name", [name for name in SPOILED if name != "numbers"])
async def test_a_spoiled_index_is_made_anew_without_touching_data(indexed: Path, name: str) -> None:
    before = raw(indexed, "SELECT * FROM messages"), raw(indexed, "SELECT * FROM sessions")
    SPOILED[name](indexed)
    store = SQLiteStore(indexed)
    try:
        page = await store.search(SearchQuery(text='"message 7"', budget=None))
        assert sorted(match.seq for hit in page.hits for match in hit.matches) == [7] * 5
        assert await found(store, "认证") == [f"s{n}" for n in range(5)]
        await store.search(SearchQuery(text="x", budget=None))
        assert in_step(indexed)
        assert (raw(indexed, "SELECT * FROM messages"), raw(indexed, "SELECT * FROM sessions")) == before
    finally:
        await store.close()


@pytest.mark.parametrize("name", SPOILED)
async def test_a_spoiled_index_keeps_nobody_from_changing_data(indexed: Path, name: str) -> None:
    SPOILED[name](indexed)
    store = SQLiteStore(indexed)
    try:
        await asyncio.gather(
            store.add_message(message("s0", "用户登录")),
            change(store, "s1", name="改名"),
            store.add_message(message("s2", "用户登录")),
            store.import_sessions([bundle("s3", 4, name="replaced")], OnConflict.REPLACE),
            store.remove_session(SessionId("s4")),
            store.add_message(message("s0", "用户登录")),
        )
        assert await found(store, "登录", budget=None) == ["s0", "s2"]
        assert await found(store, "改名") == ["s1"]
        assert await found(store, "replaced") == ["s3"]
        assert await found(store, "认证") == ["s0", "s2"]
        await until(lambda: raw(indexed, "SELECT count(*) FROM sessions") == [(4,)])
        await found(store, "x", budget=None)
        assert in_step(indexed)
    finally:
        await store.close()


async def test_a_check_mends_an_index_that_is_out_of_step(indexed: Path) -> None:
    """That is no damage: nothing of what users wrote is wrong."""
    raw(indexed, "DELETE FROM messages_fts_docsize WHERE id = 7")
    store = SQLiteStore(indexed)
    try:
        assert await store.check() == []
        await found(store, "x", budget=None)
        assert in_step(indexed)
    finally:
        await store.close()


async def test_damage_that_is_not_the_index_s_is_told(indexed: Path) -> None:
    overwrite(indexed, "messages")
    store = SQLiteStore(indexed)
    try:
        with pytest.raises(StoreDamaged):
            await store.search(SearchQuery(text='"message"'))
    finally:
        await store.close()


# -- read-only stores


@pytest.fixture
def read_only(indexed: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same store where this user may not write; also if the user is root."""
    monkeypatch.setattr("kore_ls.storage.opening.is_writable", lambda _: False)
    return indexed


async def test_a_read_only_store_is_searched_as_it_is(read_only: Path) -> None:
    columns = "session_id, role, content, timestamp, uid, seq"
    raw(read_only, f"INSERT INTO messages ({columns}) VALUES ('s0', 'user', 'new', 1, 'u', 999)")
    store = SQLiteStore(read_only)
    try:
        page = await store.search(SearchQuery(text='"message 7"'))
        assert len(page.hits) == 5
        assert page.truncated, "there is a message that is not indexed, and it can't be"
    finally:
        await store.close()


@pytest.mark.parametrize("name", ["missing", "blocks", "pages"])
async def test_a_read_only_store_without_an_index_says_so(read_only: Path, name: str) -> None:
    SPOILED[name](read_only)
    store = SQLiteStore(read_only)
    try:
        with pytest.raises(StoreReadOnly) as raised:
            await store.search(SearchQuery(text='"message" 认证'))
        assert raised.value.params["reason"] == "index"
        assert len((await store.list_messages(SessionId("s0"))).messages) == 100
    finally:
        await store.close()
