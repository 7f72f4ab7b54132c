"""Searches on an open store: they see what is stored, can be stopped, delay nobody, and mend their index."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kore_ls.errors import KoreError
from kore_ls.model.bundle import OnConflict
from kore_ls.model.ids import SessionId, now_ms
from kore_ls.model.search import SearchPage, SearchQuery
from kore_ls.model.session import ForkPoint
from kore_ls.storage.cipher import Cipher
from kore_ls.storage.database import ConnectionClosed
from kore_ls.storage.opening import OpenStore, open_store
from kore_ls.storage.searcher import Searcher
from kore_ls.storage.store import SQLiteStore
from tests.storage.searching import add, change, fill, found, in_step, raw, until
from tests.storage.values import bundle, message, record

ENDLESS = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
async def opened(path: Path) -> AsyncIterator[OpenStore]:
    """A store that is open, without anybody who works on its index by himself."""
    made = await open_store(path, synchronous="normal", name="test")
    yield made
    await made.close()


# -- what is found


async def test_what_was_just_stored_is_found(store: SQLiteStore) -> None:
    assert (await store.search(SearchQuery(text="认证"))) == SearchPage()
    await store.create_session(record("s", name="plain"))
    assert await found(store, "认证") == []
    await store.add_message(message("s", "用户认证"))
    assert await found(store, "认证") == ["s"]


async def test_the_index_follows_without_anybody_searching(store: SQLiteStore, path: Path) -> None:
    await add(store, "s", "用户认证", "getUserName")
    async with asyncio.timeout(30):
        while (await store.status()).indexed_messages < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert in_step(path)


async def test_names_follow_every_change(store: SQLiteStore, path: Path) -> None:
    await add(store, "a", "text")
    changes: list[tuple[dict[str, Any], list[str]]] = [
        ({"name": "用户认证"}, ["a"]),
        ({"name": "other"}, []),
        ({"description": "关于认证"}, ["a"]),
        ({"description": None}, []),
        ({"tags": ("x", "认证")}, ["a"]),
        ({"deleted_at": 5}, []),
        ({"deleted_at": None}, ["a"]),
        ({"tags": ()}, []),
    ]
    for fields, expected in changes:
        await change(store, "a", **fields)
        assert await found(store, "认证") == expected
    assert in_step(path)


async def test_a_deleted_session_is_not_found_until_it_is_restored(store: SQLiteStore) -> None:
    await add(store, "a", "用户认证")
    await add(store, "b", "用户认证")
    await change(store, "a", deleted_at=now_ms())
    assert await found(store, "认证") == ["b"]
    await change(store, "a", deleted_at=None)
    assert await found(store, "认证") == ["a", "b"]


async def test_what_is_removed_for_good_leaves_the_index(plain_store: SQLiteStore, path: Path) -> None:
    await add(plain_store, "认证", *["用户认证"] * 30)
    await add(plain_store, "b", "用户认证")
    assert await found(plain_store, "认证") == ["b", "认证"]
    await plain_store.remove_session(SessionId("认证"))
    assert await found(plain_store, "认证") == ["b"]
    await until(lambda: raw(path, "SELECT count(*) FROM messages_fts_docsize") == [(1,)])
    assert in_step(path)


async def test_forks_and_imports_are_found(store: SQLiteStore, path: Path) -> None:
    await add(store, "a", "用户认证")
    await store.fork_session(record("fork", parent_id=SessionId("a")), ForkPoint())
    await store.import_sessions([bundle("in", 3, name="认证 in")], OnConflict.ERROR)
    assert await found(store, "认证") == ["a", "fork", "in"]
    assert await found(store, '"message 2"') == ["in"]
    await store.import_sessions([bundle("in", 1, name="another")], OnConflict.REPLACE)
    assert await found(store, "认证") == ["a", "fork"]
    assert await found(store, '"message 2"') == []
    assert await found(store, '"message 1"') == ["in"]
    await until(lambda: in_step(path))


@pytest.mark.parametrize("hidden", [1, 2])
async def test_a_session_on_its_way_in_or_out_is_not_found(store: SQLiteStore, path: Path, hidden: int) -> None:
    await add(store, "认证", "用户认证")
    assert await found(store, "认证") == ["认证"]
    raw(path, "UPDATE sessions SET hidden = ?, hidden_at = 1 << 60", hidden)
    assert await found(store, "认证") == []
    assert (await store.status()).indexed_messages == 0


async def test_the_status_counts_what_is_indexed(opened: OpenStore, plain_store: SQLiteStore, path: Path) -> None:
    await add(plain_store, "a", *["text"] * 5)
    await plain_store.search(SearchQuery(text="x"))
    assert (await plain_store.status()).indexed_messages == 5
    raw(path, "UPDATE meta SET value = '[[1, 3]]' WHERE key = 'index_gaps'")
    assert (await plain_store.status()).indexed_messages == 3


async def test_another_process_s_messages_are_found(store: SQLiteStore, path: Path, cipher: Cipher | None) -> None:
    await add(store, "a", "one")
    other = SQLiteStore(path, cipher)
    try:
        await other.add_message(message("a", "用户认证"))
        assert await found(store, "认证") == ["a"]
        await change(other, "a", name="登录")
        assert await found(store, "登录") == ["a"]
        assert await found(other, "认证") == ["a"]
    finally:
        await other.close()


async def test_the_messages_around_a_hit_contain_it(store: SQLiteStore) -> None:
    await add(store, "a", *(f"text {number}" for number in range(60)), "needle", *["text"] * 60)
    hit = (await store.search(SearchQuery(text="needle"))).hits[0]
    match = hit.matches[0]
    around = await store.list_messages(hit.session.id, after=match.seq - 5, before=match.seq + 5)
    assert [each.id for each in around.messages if each.content == "needle"] == [match.message_id]


# -- who waits for whom


async def test_a_write_during_a_long_catch_up_is_done_first(path: Path, plain_store: SQLiteStore) -> None:
    await fill(path, 3_000)
    writing: list[asyncio.Task[Any]] = []
    done_at: list[int] = []
    indexed: list[int] = []

    def report(rows: int) -> None:
        indexed.append(rows)
        if len(writing) < 50:
            writing.append(asyncio.create_task(plain_store.add_message(message("big", "needle"))))
            writing[-1].add_done_callback(lambda _: done_at.append(len(indexed)))

    page = await plain_store.search(SearchQuery(text='"message"', budget=None), report)
    await asyncio.gather(*writing)

    assert len(page.hits) == 1
    assert indexed == sorted(indexed)
    assert done_at
    assert [at - number for number, at in enumerate(done_at) if at - number > 4] == [], "it waits for a step or two"


async def test_a_search_with_a_budget_waits_for_so_many_rows_only(path: Path) -> None:
    await fill(path, 5_000)
    raw(path, "DELETE FROM meta WHERE key = 'index_version'")
    opened = await open_store(path, synchronous="normal", name="test")
    try:
        assert opened.searcher is not None
        page = await opened.searcher.search(SearchQuery(text='"message 5000"'))
        assert page.truncated
        assert [match.seq for hit in page.hits for match in hit.matches] == [5_000], "the newest are indexed first"
        whole = await opened.searcher.search(SearchQuery(text='"message 1"', budget=None))
        assert not whole.truncated
        assert [match.seq for hit in whole.hits for match in hit.matches] == [1]
    finally:
        await opened.close()


async def test_a_store_that_is_busy_is_searched_as_far_as_it_is_indexed(path: Path, plain_store: SQLiteStore) -> None:
    await add(plain_store, "a", "用户认证")
    await found(plain_store, "x")
    await plain_store.close()
    raw(path, "INSERT INTO sessions SELECT 'b', num + 1, name, agent_mode, status, 1, 1" + ", NULL" * 3 + ", 0, 0"
        ", NULL, 0, NULL, 0, NULL, NULL, 0, 0" + ", NULL" * 6 + " FROM sessions")  # fmt: skip
    opened = await open_store(path, synchronous="normal", name="test", busy_timeout_ms=10)
    try:
        assert opened.searcher is not None
        with closing(sqlite3.connect(path, isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            page = await opened.searcher.search(SearchQuery(text="认证"))
        assert [hit.session.id for hit in page.hits] == ["a"]
        assert page.truncated
    finally:
        await opened.close()


# -- stopping


def endless(searcher: Searcher) -> asyncio.Task[Any]:
    """A query that never ends by itself, on the connection of the searches."""
    return asyncio.create_task(searcher.run(lambda db: db.execute(ENDLESS).fetchone()))


async def begun(searcher: Searcher) -> None:
    """Wait until something runs there."""
    while searcher._connecting is None or not searcher._connecting.done():  # noqa: ASYNC110
        await asyncio.sleep(0)
    for _ in range(5):
        await asyncio.sleep(0)


async def test_cancelling_interrupts_what_runs_and_frees_the_connection(opened: OpenStore) -> None:
    searcher = opened.searcher
    assert searcher is not None
    for _ in range(3):
        running = endless(searcher)
        await begun(searcher)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert (await searcher.search(SearchQuery(text="x"))).hits == ()


async def test_cancelling_one_that_waits_leaves_the_one_that_runs(opened: OpenStore) -> None:
    searcher = opened.searcher
    assert searcher is not None
    running = endless(searcher)
    await begun(searcher)
    waiting = [asyncio.create_task(searcher.search(SearchQuery(text="x"))) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[1].cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting[1]
    assert not running.done()
    running.cancel()
    assert [page.hits for page in await asyncio.gather(waiting[0], waiting[2])] == [(), ()]


async def test_a_search_that_is_cancelled_while_it_indexes_stops_indexing(path: Path, store: SQLiteStore) -> None:
    await fill(path, 3_000)
    reports: list[int] = []
    searching: asyncio.Task[SearchPage]

    def report(rows: int) -> None:
        reports.append(rows)
        if len(reports) == 2:
            searching.cancel()

    searching = asyncio.create_task(store.search(SearchQuery(text="x", budget=None), report))
    with pytest.raises(asyncio.CancelledError):
        await searching
    assert len(reports) <= 3


async def test_closing_ends_a_search_that_runs(path: Path) -> None:
    opened = await open_store(path, synchronous="normal", name="test")
    searcher = opened.searcher
    assert searcher is not None
    running = endless(searcher)
    await begun(searcher)
    await opened.close()
    with pytest.raises(KoreError):
        await running
    with pytest.raises(ConnectionClosed):
        await searcher.search(SearchQuery(text="x"))


async def test_a_search_while_the_store_closes_ends_in_an_answer_or_a_known_error(path: Path) -> None:
    await fill(path, 500)
    for turns in range(0, 40, 3):
        store = SQLiteStore(path)
        searching = [asyncio.create_task(store.search(SearchQuery(text="message", budget=None))) for _ in range(3)]
        for _ in range(turns):
            await asyncio.sleep(0)
        await store.close()
        outcomes = await asyncio.gather(*searching, return_exceptions=True)
        assert all(isinstance(each, SearchPage | KoreError | ValueError) for each in outcomes), outcomes
