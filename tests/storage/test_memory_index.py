"""The search of encrypted stores: whatever part of them is indexed, it finds what a plain store's search finds."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from kore_ls.errors import KoreError
from kore_ls.model.bundle import OnConflict, SessionBundle
from kore_ls.model.ids import MessageId, SessionId
from kore_ls.model.search import SearchPosition, SearchQuery
from kore_ls.storage.cipher import Cipher
from kore_ls.storage.indexer import LONG_ROWS
from kore_ls.storage.store import SQLiteStore
from tests.ciphers import CHEAP
from tests.storage.searching import add, change, found, in_step
from tests.storage.values import message, record

CIPHER = Cipher("a passphrase", cost=CHEAP)
WORDS = ("用户认证", "getUserName", "retry", "the", "needle", "登录", "HTTPServer", "限流")
RARE = ('"用户认证 the"',)
QUERIES = ("认证", "user", "retry -the", "登")


def bundles(count: int) -> list[SessionBundle]:
    """Three sessions with so many messages together, which are stored one session after the other."""
    chance = random.Random(7)
    made: list[SessionBundle] = []
    for name in ("a", "b", "c"):
        texts = [" ".join(chance.choices(WORDS, k=3)) for _ in range(count // 3)]
        messages = tuple(
            message(name, text, id=MessageId(f"{name}{seq}"), seq=seq, timestamp=seq)
            for seq, text in enumerate(texts, start=1)
        )
        made.append(SessionBundle(record=record(name, name=f"{name} 认证"), messages=messages))
    return made


async def everything(store: SQLiteStore, text: str, **options: object) -> tuple[set[str], set[str]]:
    """The messages, and the sessions by name, of all pages of a search."""
    messages: set[str] = set()
    named: set[str] = set()
    after: SearchPosition | None = None
    while True:
        page = await store.search(SearchQuery(text=text, after=after, **options))  # type: ignore[arg-type]
        for hit in page.hits:
            messages |= {match.message_id for match in hit.matches}
            named |= {hit.session.id} if hit.name_ranges else set()
        after = page.position
        if after is None:
            return messages, named


@pytest.mark.parametrize(("indexed", "catch_up"), [(0, False), (500, True), (200_000, False)])
async def test_it_finds_what_a_plain_store_finds(tmp_path: Path, indexed: int, catch_up: bool) -> None:
    plain, encrypted = SQLiteStore(tmp_path / "p.db"), SQLiteStore(tmp_path / "e.db", CIPHER, indexed_messages=indexed)
    try:
        for store in (plain, encrypted):
            await store.import_sessions(bundles(2_400), OnConflict.ERROR)
        await plain.search(SearchQuery(text="the", budget=None))
        if catch_up:
            await encrypted.search(SearchQuery(text="the", budget=None))
            assert ((await encrypted.status()).indexed_messages < 2_400) == (indexed < 2_400)
        for text in RARE:
            assert await everything(encrypted, text) == await everything(plain, text), text
        for text in QUERIES:
            inside = {"session_id": SessionId("b")}
            assert await everything(encrypted, text, **inside) == await everything(plain, text, **inside), text
    finally:
        await plain.close()
        await encrypted.close()
    assert in_step(tmp_path / "e.db")


async def test_new_messages_are_indexed_although_there_are_enough(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "e.db", CIPHER, indexed_messages=10)
    try:
        await add(store, "a", *(f"text {number}" for number in range(60)))
        for number in range(30):
            await store.add_message(message("a", f"needle{number}"))
            assert await found(store, f"needle{number}") == ["a"]
        assert await found(store, "text") == ["a"]
        assert 0 < ((await store.status()).indexed_messages or 0) <= 10
    finally:
        await store.close()


async def test_no_more_is_held_than_was_said(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "e.db", CIPHER, indexed_messages=100)
    try:
        await add(store, "a", *(f"text {number}" for number in range(300)))
        most = 0
        for number in range(60):
            for _ in range(5):
                await store.add_message(message("a", f"more {number}"))
            await store.search(SearchQuery(text="more", budget=None))
            indexed = (await store.status()).indexed_messages or 0
            assert 0 < indexed <= 100
            most = max(most, indexed)
        assert most > 90
    finally:
        await store.close()


async def test_filters_hold_for_what_is_read_and_for_what_is_indexed(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "e.db", CIPHER)
    try:
        for name in ("a", "b"):
            await add(store, name, "needle")
        await change(store, "a", tags=("mine",))
        for _ in range(2):
            assert await found(store, "needle", tags=("mine",)) == ["a"]
            assert await found(store, "needle", session_id=SessionId("b")) == ["b"]
            assert await found(store, "mine") == ["a"]
            await store.search(SearchQuery(text="needle", budget=None))
    finally:
        await store.close()


async def test_the_index_goes_when_the_store_is_locked(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "e.db", CIPHER)
    try:
        await add(store, "a", "needle")
        assert await found(store, "needle") == ["a"]
        await store.encryption.lock()
        with pytest.raises(KoreError):
            await found(store, "needle")
        await store.encryption.unlock(CIPHER)
        assert await found(store, "needle") == ["a"]
    finally:
        await store.close()


async def test_a_search_that_indexes_all_reports_and_can_be_cancelled(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "e.db", CIPHER)
    try:
        await store.import_sessions(bundles(1_500), OnConflict.ERROR)
        reports: list[int] = []
        begun = asyncio.Event()

        def report(rows: int) -> None:
            reports.append(rows)
            begun.set()

        work = asyncio.create_task(store.search(SearchQuery(text="the"), report))
        await begun.wait()
        work.cancel()
        await asyncio.wait([work])
        assert work.cancelled()
        await store.search(SearchQuery(text="the"), report)
        assert (await store.status()).indexed_messages == 1_500
    finally:
        await store.close()


@pytest.mark.parametrize("gives_up", [pytest.param(False, marks=pytest.mark.slow), True])
async def test_long_work_in_the_background_is_told_of_and_can_be_given_up(tmp_path: Path, gives_up: bool) -> None:
    store = SQLiteStore(tmp_path / "e.db", CIPHER)
    await store.import_sessions(bundles(3 * LONG_ROWS), OnConflict.ERROR)
    await store.close()
    store = SQLiteStore(tmp_path / "e.db", CIPHER)
    told: list[int | None] = []
    over = asyncio.Event()

    def hear(rows: int | None) -> None:
        told.append(rows)
        if rows is None:
            over.set()
        elif gives_up:
            store.encryption.stop_indexing()

    stop = store.encryption.listen(hear)
    try:
        await store.load_session(SessionId("a"))
        async with asyncio.timeout(60):
            await over.wait()
        indexed = (await store.status()).indexed_messages
        assert len(told) == (2 if gives_up else 4)
        assert (indexed < 3 * LONG_ROWS) == gives_up
        await add(store, "new", "a last message")
        page = await store.search(SearchQuery(text='"last message"'))
        assert [hit.session.id for hit in page.hits] == ["new"]
        assert (await everything(store, RARE[0]))[0]
        assert told[-1] is None
    finally:
        stop()
        await store.close()
