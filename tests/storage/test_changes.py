from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kore_ls.model.event import EventType
from kore_ls.model.ids import SessionId
from kore_ls.storage.changes import KEPT, StoreChange, append_changes, changes_after, newest_change
from kore_ls.storage.cipher import Cipher
from kore_ls.storage.migrations import migrate
from kore_ls.storage.session_rows import SessionQuery
from kore_ls.storage.store import SQLiteStore
from tests.ciphers import ENCRYPTED_IS_SLOW, cipher_of
from tests.project.source import ROOT
from tests.storage.values import message, record

ADDED = "message.added"


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        migrate(db)
        yield db


def test_only_what_others_did_is_news(db: sqlite3.Connection) -> None:
    append_changes(db, "other", [(SessionId("a"), ADDED), (SessionId("b"), ADDED)])
    append_changes(db, "me", [(SessionId("c"), ADDED)])
    append_changes(db, "other", [(SessionId("a"), "session.updated")])

    newest, change = changes_after(db, 0, "me")

    assert newest == newest_change(db) == 4
    assert change == StoreChange(sessions=(SessionId("a"), SessionId("b")), kinds=(ADDED, "session.updated"))
    assert changes_after(db, newest, "me") == (newest, None)
    assert changes_after(db, 2, "other") == (4, StoreChange(sessions=(SessionId("c"),), kinds=(ADDED,)))
    assert changes_after(db, 3, "other") == (4, None)


def test_the_log_keeps_its_newest_rows(db: sqlite3.Connection) -> None:
    append_changes(db, "other", [(SessionId("a"), str(number)) for number in range(2 * KEPT)])

    (count,) = db.execute("SELECT count(*) FROM changes").fetchone()
    assert KEPT <= count <= KEPT + 1_000
    assert newest_change(db) == 2 * KEPT


def test_whoever_missed_rows_that_are_gone_hears_that_anything_may_have_changed(db: sqlite3.Connection) -> None:
    append_changes(db, "other", [(SessionId("a"), str(number)) for number in range(2 * KEPT)])

    assert changes_after(db, 5, "me") == (2 * KEPT, StoreChange())


def test_a_log_that_went_back_is_news_too(db: sqlite3.Connection) -> None:
    append_changes(db, "other", [(SessionId("a"), ADDED)])

    assert changes_after(db, 7, "me") == (1, StoreChange())


@pytest.fixture
async def stores(path: Path, cipher: Cipher | None) -> AsyncIterator[tuple[SQLiteStore, SQLiteStore]]:
    """Two store objects on one file."""
    first, second = SQLiteStore(path, cipher), SQLiteStore(path, cipher)
    yield first, second
    await first.close()
    await second.close()


def heard_by(store: SQLiteStore) -> asyncio.Queue[StoreChange]:
    heard: asyncio.Queue[StoreChange] = asyncio.Queue()
    store.listen(heard.put_nowait)
    return heard


async def test_two_stores_write_one_file_and_each_hears_the_other(stores: tuple[SQLiteStore, SQLiteStore]) -> None:
    first, second = stores
    await first.create_session(record("s"))
    await second.load_session(SessionId("s"))
    heard = [heard_by(store) for store in stores]

    await asyncio.gather(*(store.add_message(message("s")) for _ in range(200) for store in stores))

    assert [await each.get() for each in heard] == [StoreChange(sessions=(SessionId("s"),), kinds=(ADDED,))] * 2
    page = await first.list_messages(SessionId("s"), after=0, limit=1_000)
    assert [each.seq for each in page.messages] == list(range(1, 401))
    assert await first.check() == []


async def test_nobody_hears_of_what_it_did_itself(stores: tuple[SQLiteStore, SQLiteStore]) -> None:
    first, second = stores
    await first.create_session(record("s"))
    await second.load_session(SessionId("s"))
    own, other = heard_by(first), heard_by(second)

    await first.add_message(message("s"))
    await other.get()
    await second.change_session(SessionId("s"), lambda before: before, EventType.SESSION_UPDATED)
    await first.create_session(record("t"))

    assert await other.get() == StoreChange(sessions=(SessionId("t"),), kinds=("session.created",))
    assert own.empty()


async def test_whoever_listened_before_there_was_a_store_hears_that_there_is_one(
    stores: tuple[SQLiteStore, SQLiteStore],
) -> None:
    first, second = stores
    heard = heard_by(second)

    await first.create_session(record("s"))

    assert await heard.get() == StoreChange()


async def test_a_listener_that_stopped_hears_nothing(stores: tuple[SQLiteStore, SQLiteStore]) -> None:
    first, second = stores
    await first.create_session(record("s"))
    await second.load_session(SessionId("s"))
    stopped: list[StoreChange] = []
    stop = second.listen(stopped.append)
    heard = heard_by(second)

    stop()
    stop()
    await first.add_message(message("s"))
    await heard.get()

    assert stopped == []


@ENCRYPTED_IS_SLOW
async def test_two_processes_write_one_file_without_an_error(
    path: Path, cipher: Cipher | None, passphrase: str
) -> None:
    """Both hear each other while they write."""
    scene = "import sys; from tests.storage.test_changes import busy; busy(*sys.argv[1:])"
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", scene, str(path), name, passphrase), cwd=ROOT, stdout=-1, stderr=-1, stdin=-1
        )
        for name in ("a", "b")
    ]
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    outcomes = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))

    assert [errors for _, errors in outcomes] == [b"", b""]
    assert [json.loads(out) for out, _ in outcomes] == [{"heard": ["b"]}, {"heard": ["a"]}]
    store = SQLiteStore(path, cipher)
    try:
        counts = {each.id: each.message_count for each in (await store.list_sessions(SessionQuery())).sessions}
        assert counts == {"a": 300, "b": 300}
        assert await store.check() == []
    finally:
        await store.close()


def busy(path: str, name: str, passphrase: str) -> None:
    """The part of each process: write without pause, then wait until the other was heard."""

    async def play() -> None:
        store = SQLiteStore(path, cipher_of(passphrase))
        heard: asyncio.Queue[StoreChange] = asyncio.Queue()
        seen: set[str] = set()
        try:
            await store.create_session(record(name))
            store.listen(heard.put_nowait)
            print("ready", flush=True)
            await asyncio.to_thread(sys.stdin.readline)
            for _ in range(100):
                await store.add_message(message(name))
                await asyncio.gather(store.add_message(message(name)), store.add_message(message(name)))
            while not seen - {name}:
                seen |= set((await heard.get()).sessions)
            print(json.dumps({"heard": sorted(seen)}))
        finally:
            await store.close()

    asyncio.run(play())
