from __future__ import annotations

import asyncio
import itertools
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from attrs import evolve

from kore_ls.errors import KoreError, SessionExists, SessionNotFound, StoreBusy
from kore_ls.model.bundle import OnConflict, SessionBundle
from kore_ls.model.ids import MessageId, SessionId, now_ms
from kore_ls.model.message import Message
from kore_ls.storage import import_rows
from kore_ls.storage.cipher import Cipher
from kore_ls.storage.codec import StoreConnection
from kore_ls.storage.import_rows import ABANDONED_MS
from kore_ls.storage.keys import open_key, read_wrapped
from kore_ls.storage.sealing import install
from kore_ls.storage.session_rows import SessionQuery
from kore_ls.storage.store import SQLiteStore
from tests.storage.values import bundle, message, record, tool_call


async def contents(store: SQLiteStore, session_id: str) -> list[str]:
    page = await store.list_messages(SessionId(session_id), after=0, limit=1_000)
    return [each.content for each in page.messages]


async def ids(store: SQLiteStore) -> set[str]:
    return {each.id for each in (await store.list_sessions(SessionQuery(limit=200))).sessions}


async def test_a_session_comes_in_whole(store: SQLiteStore) -> None:
    whole = bundle("s", 1_234, name="名", metadata={"a": 1}, imported=True)
    first = evolve(whole.messages[0], tool_calls=(tool_call(),))
    whole = evolve(whole, messages=(first, *whole.messages[1:]))

    outcome = await store.import_sessions([whole], OnConflict.ERROR)

    stored = await store.load_session(SessionId("s"))
    assert outcome.records == (stored,)
    assert (stored.name, stored.metadata, stored.imported) == ("名", {"a": 1}, True)
    assert (stored.message_count, stored.last_seq) == (1_234, 1_234)
    assert stored.last_message is not None
    assert stored.last_message.preview == "message 1234"
    messages: list[Message] = []
    while len(messages) < 1_234:
        messages += (await store.list_messages(SessionId("s"), after=len(messages), limit=1_000)).messages
    calls = (evolve(tool_call(), message_id=first.id),)
    assert messages == [evolve(first, tool_calls=calls), *whole.messages[1:]]
    assert await store.check() == []


async def test_by_default_a_known_id_stops_the_whole_import(store: SQLiteStore) -> None:
    await store.create_session(record("known"))
    await store.create_session(record("hidden", deleted_at=now_ms()))

    for known, deleted in (("known", None), ("hidden", True)):
        with pytest.raises(SessionExists) as caught:
            await store.import_sessions([bundle("new"), bundle(known)], OnConflict.ERROR)
        assert caught.value.params.get("deleted") is deleted

    assert await ids(store) == {"known"}


async def test_a_copy_gets_an_id_of_its_own(store: SQLiteStore) -> None:
    await store.create_session(record("s", name="old"))

    outcome = await store.import_sessions([bundle("s", name="new")], OnConflict.COPY)

    (copy,) = outcome.records
    assert copy.id != "s"
    assert (copy.name, await contents(store, copy.id)) == ("new", ["message 1", "message 2", "message 3"])
    assert (await store.load_session(SessionId("s"))).name == "old"


async def test_skipping_leaves_what_is_known_alone(store: SQLiteStore) -> None:
    await store.create_session(record("s", name="old"))

    outcome = await store.import_sessions([bundle("s", name="new"), bundle("t")], OnConflict.SKIP)

    assert outcome.skipped == ("s",)
    assert [each.id for each in outcome.records] == ["t"]
    assert (await store.load_session(SessionId("s"))).name == "old"


async def test_replacing_takes_the_old_ones_place(store: SQLiteStore) -> None:
    await store.create_session(record("s", name="old", deleted_at=now_ms()))
    await store.create_session(record("t", name="old"))
    await store.add_message(message("t", "old"))

    await store.import_sessions([bundle("s", name="new"), bundle("t", 1, name="new")], OnConflict.REPLACE)

    assert await contents(store, "s") == ["message 1", "message 2", "message 3"]
    assert await contents(store, "t") == ["message 1"]
    assert (await store.load_session(SessionId("t"))).name == "new"
    assert await store.check() == []


@pytest.mark.parametrize(
    ("how", "names"), [(OnConflict.SKIP, {"one"}), (OnConflict.REPLACE, {"two"}), (OnConflict.COPY, {"one", "two"})]
)
async def test_the_same_id_twice_in_one_import_is_a_conflict_too(
    store: SQLiteStore, how: OnConflict, names: set[str]
) -> None:
    await store.import_sessions([bundle("s", name="one"), bundle("s", name="two")], how)

    assert {each.name for each in (await store.list_sessions(SessionQuery())).sessions} == names
    assert await store.check() == []


async def test_the_same_id_twice_is_an_error_where_conflicts_are(store: SQLiteStore) -> None:
    with pytest.raises(SessionExists):
        await store.import_sessions([bundle("s"), bundle("s")], OnConflict.ERROR)

    assert await ids(store) == set()


async def test_an_import_that_fails_leaves_nothing(store: SQLiteStore) -> None:
    broken = bundle("broken")
    twice = evolve(broken.messages[1], id=broken.messages[0].id)
    broken = evolve(broken, messages=(broken.messages[0], twice))

    with pytest.raises(KoreError):
        await store.import_sessions([bundle("fine"), broken], OnConflict.ERROR)

    assert await ids(store) == set()
    await store.purge.settle()
    await store.import_sessions([bundle("fine"), bundle("broken")], OnConflict.ERROR)
    assert await ids(store) == {"fine", "broken"}


async def test_an_import_that_is_cancelled_leaves_nothing(path: Path, cipher: Cipher | None) -> None:
    loop, calls, under_way = asyncio.get_running_loop(), itertools.count(), asyncio.Event()

    def clock() -> int:  # asked once for each batch, in the store's thread
        if next(calls) == 3:
            loop.call_soon_threadsafe(under_way.set)
        return 1_000

    store = SQLiteStore(path, cipher, clock=clock)
    try:
        importing = asyncio.create_task(store.import_sessions([bundle("s", 20_000)], OnConflict.ERROR))
        await under_way.wait()
        importing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await importing

        assert await ids(store) == set()
        await store.import_sessions([bundle("s")], OnConflict.ERROR)
        assert (await store.load_session(SessionId("s"))).message_count == 3
    finally:
        await store.close()


async def test_nothing_shows_while_it_comes_in(store: SQLiteStore) -> None:
    await store.create_session(record("t"))
    importing = asyncio.create_task(store.import_sessions([bundle("s", 5_000)], OnConflict.ERROR))
    counts = {"t": 0}
    while "s" not in counts:
        assert counts == {"t": 0}
        counts = {str(each.id): each.message_count for each in (await store.list_sessions(SessionQuery())).sessions}

    assert counts["s"] == 5_000
    await importing


def left_behind(path: Path, cipher: Cipher | None, session_id: str) -> None:
    """What an import leaves that was killed in the middle."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=30, factory=StoreConnection)) as db:
        if cipher is not None and (wrapped := read_wrapped(db)) is not None:
            install(db, open_key(wrapped, cipher).codec())
        db.execute("BEGIN IMMEDIATE")
        staged, _ = import_rows.stage(db, [bundle(session_id)], OnConflict.ERROR, lambda: "other", 1_000)
        import_rows.add_batch(db, staged[0], staged[0].bundle.messages[:2], 1_000)
        db.execute("COMMIT")


async def test_what_a_killed_import_left_is_nowhere_and_in_nobodys_way(
    store: SQLiteStore, path: Path, cipher: Cipher | None
) -> None:
    await store.create_session(record("t"))
    left_behind(path, cipher, "s")

    assert await ids(store) == {"t"}
    with pytest.raises(SessionNotFound):
        await store.load_session(SessionId("s"), deleted=True)
    await store.import_sessions([bundle("s", name="again")], OnConflict.ERROR)

    assert (await store.load_session(SessionId("s"))).name == "again"
    assert await contents(store, "s") == ["message 1", "message 2", "message 3"]
    assert await store.check() == []


@pytest.mark.parametrize(("age", "left"), [(ABANDONED_MS + 1, 0), (ABANDONED_MS - 1, 1)])
async def test_a_dead_import_is_swept_away_in_time(path: Path, age: int, left: int, cipher: Cipher | None) -> None:
    first = SQLiteStore(path, cipher)
    await first.create_session(record("t"))
    await first.close()
    left_behind(path, cipher, "s")

    later = SQLiteStore(path, cipher, clock=lambda: 1_000 + age)
    try:
        await later.load_session(SessionId("t"))
        await later.purge.settle()
    finally:
        await later.close()

    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM sessions WHERE hidden <> 0").fetchone() == (left,)
        assert db.execute("SELECT count(*) FROM messages").fetchone() == (2 * left,)


async def test_of_two_imports_of_one_session_only_one_is_shown(path: Path, cipher: Cipher | None) -> None:
    stores = [SQLiteStore(path, cipher), SQLiteStore(path, cipher)]
    try:
        await stores[0].create_session(record("t"))
        results = await asyncio.gather(
            *(store.import_sessions([bundle("s", 2_000)], OnConflict.ERROR) for store in stores), return_exceptions=True
        )
        failed = [each for each in results if isinstance(each, BaseException)]
        assert len(failed) == 1
        assert isinstance(failed[0], (SessionExists, StoreBusy))
        assert (await stores[0].load_session(SessionId("s"))).message_count == 2_000
        assert await stores[0].check() == []
    finally:
        for store in stores:
            await store.close()


async def test_nothing_to_import_is_fine(store: SQLiteStore) -> None:
    outcome = await store.import_sessions([], OnConflict.ERROR)

    assert (outcome.records, outcome.skipped) == ((), ())


def test_batches_keep_within_bounds() -> None:
    messages = [
        Message(session_id=SessionId("s"), id=MessageId(str(n)), role="user", content="x" * 3_000_000) for n in range(5)
    ]
    whole = SessionBundle(record=record("s"), messages=tuple(messages))

    assert [len(batch) for batch in import_rows.batches(whole)] == [2, 2, 1]
    assert [len(batch) for batch in import_rows.batches(bundle("s", 1_001))] == [500, 500, 1]
