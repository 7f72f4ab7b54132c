"""What is removed for good is overwritten, its room is given back, and what was deleted long ago goes by itself."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from attrs import evolve

from kore_ls.errors import LeaseHeld
from kore_ls.model.event import EventType
from kore_ls.model.ids import MessageId, SessionId, TurnId
from kore_ls.model.search import SearchQuery
from kore_ls.model.session import SessionStatus
from kore_ls.storage.cipher import Cipher
from kore_ls.storage.purge import KEPT_MS
from kore_ls.storage.session_rows import SessionQuery
from kore_ls.storage.store import SQLiteStore
from tests.storage.values import message, record, tool_call

DAY_MS = 24 * 3600 * 1000
NOW = 1_780_000_000_000


class Time:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


async def fill(store: SQLiteStore, session: str, text: str, count: int = 200) -> None:
    await store.create_session(record(session))
    for number in range(count):
        await store.add_message(message(session, f"{text} {number} " * 40, id=MessageId(f"{session}-{number}")))


def size(path: Path) -> int:
    """The bytes of the file alone, as the log keeps its own room."""
    return path.stat().st_size


def raw(path: Path) -> bytes:
    return b"".join(each.read_bytes() for each in sorted(path.parent.iterdir()) if each.is_file())


async def ids(store: SQLiteStore, *, deleted: bool = False) -> list[str]:
    return sorted(each.id for each in (await store.list_sessions(SessionQuery(deleted=deleted))).sessions)


async def test_a_removed_session_leaves_neither_its_words_nor_its_size(
    path: Path, cipher: Cipher | None, time: Time
) -> None:
    store = SQLiteStore(path, cipher, clock=time)
    try:
        await fill(store, "kept", "harmless")
        await store.flush()
        before = size(path)
        await fill(store, "gone", "topsecretword")
        assert (await store.search(SearchQuery(text="topsecretword", budget=None))).hits
        await store.flush()
        assert size(path) > 1.5 * before
        assert (b"topsecretword" in raw(path)) == (cipher is None)
        await store.remove_session(SessionId("gone"))
        await store.purge.settle()

        assert b"topsecretword 7 topsecretword" not in raw(path)
        assert size(path) < 1.3 * before
        await store.purge.compact()
        assert b"topsecretword" not in raw(path), "nor does the search index know it"
        assert await store.check() == []
        assert (await store.load_session(SessionId("kept"))).message_count == 200
    finally:
        await store.close()


async def test_what_was_deleted_thirty_days_ago_goes_by_itself(path: Path, cipher: Cipher | None, time: Time) -> None:
    for opened in range(2):
        store = SQLiteStore(path, cipher, clock=time)
        try:
            if not opened:
                for name, ago in (("old", KEPT_MS + 1), ("young", KEPT_MS - DAY_MS), ("kept", None)):
                    deleted_at = None if ago is None else NOW - ago
                    await store.create_session(record(name, deleted_at=deleted_at))
            else:
                assert await ids(store, deleted=True) in (["old", "young"], ["young"])
                await store.purge.settle()
                assert await ids(store, deleted=True) == ["young"]
                assert await ids(store) == ["kept"]
        finally:
            await store.close()


async def test_a_file_with_little_to_gain_gives_its_room_back_when_told_to(path: Path, time: Time) -> None:
    store = SQLiteStore(path, clock=time)
    try:
        await fill(store, "gone", "text", 50)
        await fill(store, "kept", "text", 300)
        await store.remove_session(SessionId("gone"))
        await store.purge.settle()
        await store.flush()
        before = size(path)
        assert free(path) > 0
        await store.purge.compact()
        assert (size(path) < before, free(path)) == (True, 0)
        assert await ids(store) == ["kept"]
        assert await store.check() == []
    finally:
        await store.close()


def free(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        pages: int = db.execute("PRAGMA freelist_count").fetchone()[0]
        return pages


async def beyond(store: SQLiteStore, *, days: int | None = None, most: int | None = None) -> list[str]:
    return [each.record.id for each in await store.expired(days, most)]


async def test_sessions_beyond_the_limits_are_named_the_oldest_first(
    path: Path, cipher: Cipher | None, time: Time
) -> None:
    store = SQLiteStore(path, cipher, clock=time)
    try:
        for number, name in enumerate(("d", "c", "b", "a", "pinned", "active", "running", "deleted")):
            time.now = NOW + number * DAY_MS
            await store.create_session(record(name, pinned=name == "pinned", created_at=time.now, updated_at=time.now))
            calls = (tool_call(result="r" * 500),)
            await store.add_message(message(name, "x" * 1_000, tool_calls=calls))
        await store.activate_session(SessionId("active"), lambda before: before)
        await store.turns.begin(message("running", "go", id=MessageId("go")), TurnId("t"))
        await store.change_session(
            SessionId("deleted"), lambda before: evolve(before, deleted_at=time.now), EventType.SESSION_DELETED
        )
        time.now = NOW + 100 * DAY_MS

        assert await beyond(store, days=90) == ["d", "c", "b", "a"]
        assert await beyond(store, days=98) == ["d", "c"]
        assert await beyond(store, days=10_000) == []
        assert await beyond(store, most=1 << 30) == []
        assert await beyond(store, most=0) == ["d", "c", "b", "a"]
        sizes = {str(each.record.id): each.bytes for each in await store.expired(0, None)}
        assert all(1_500 < size < 2_000 for size in sizes.values())
        total = 7 * sizes["d"]
        assert await beyond(store, most=total - sizes["d"]) in (["d"], ["d", "c"])
        assert await beyond(store, days=98, most=0) == ["d", "c", "b", "a"]
        assert (await store.load_session(SessionId("running"))).status is SessionStatus.RUNNING
    finally:
        await store.close()


async def test_what_takes_the_room_is_told(path: Path, cipher: Cipher | None) -> None:
    store = SQLiteStore(path, cipher)
    try:
        assert await store.space() is None
        await fill(store, "s", "some words to be found")
        await store.flush()
        space = await store.space()
        assert space is not None
        parts = [space.messages, space.tool_calls, space.search, space.files, space.other, space.free]
        assert space.messages > 200 * 40 * 20
        assert sum(parts) == pytest.approx(path.stat().st_size, rel=0.05)
    finally:
        await store.close()


async def test_a_session_that_somebody_works_in_is_not_removed(path: Path) -> None:
    store, other = SQLiteStore(path), SQLiteStore(path)
    try:
        await fill(store, "s", "text", 1)
        await other.turns.begin(message("s", "go", id=MessageId("go")), TurnId("t"))
        assert await beyond(store, days=0) == []
        with pytest.raises(LeaseHeld):
            await store.remove_session(SessionId("s"))
    finally:
        await other.close()
        await store.close()
