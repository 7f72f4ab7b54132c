from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from attrs import evolve

from kore_ls.errors import StoreDamaged
from kore_ls.model.ids import MessageId, SessionId, TurnId
from kore_ls.model.message import Message
from kore_ls.model.session import ForkPoint
from kore_ls.model.turn import Draft, StopReason
from kore_ls.sessions.documents.import_document import parse_rows
from kore_ls.storage import foreign_reader, outputs
from kore_ls.storage.cipher import Cipher
from kore_ls.storage.convert import convert
from kore_ls.storage.foreign_reader import read_foreign
from kore_ls.storage.outputs import LARGE_CHARS
from kore_ls.storage.store import SQLiteStore
from kore_ls.storage.unlocking import Access
from tests.ciphers import CHEAP
from tests.storage.earlier import take_back
from tests.storage.searching import raw
from tests.storage.values import message, record, tool_call

S = SessionId("s")
ONE, TWO = Cipher("one", cost=CHEAP), Cipher("two", cost=CHEAP)
MEGABYTE = "0123456789 汉字 abc" * 55_000
LONG = "long 长的 " * 8_000
OTHER = "another output 别的 " * 1_000


@pytest.fixture
async def store(path: Path, cipher: Cipher | None) -> AsyncIterator[SQLiteStore]:
    store = SQLiteStore(path, cipher)
    try:
        await store.create_session(record("s"))
        yield store
    finally:
        await store.close()


async def said(store: SQLiteStore, session: str, *results: object) -> Message:
    calls = tuple(tool_call(f"call-{number}", result=result) for number, result in enumerate(results))
    return (await store.add_message(message(session, "done", tool_calls=calls)))[0]


async def results(store: SQLiteStore, session: str = "s") -> list[object]:
    """What all tools of the session answered, in order; a page holds 8 MiB."""
    found: list[object] = []
    after, more = 0, True
    while more:
        page = await store.list_messages(SessionId(session), after=after, limit=1_000)
        found += [call.result for each in page.messages for call in each.tool_calls or ()]
        after, more = page.messages[-1].seq, page.has_more
    return found


def kept(path: Path) -> int:
    return int(raw(path, "SELECT count(*) FROM outputs")[0][0])


async def bytes_of(store: SQLiteStore, path: Path) -> int:
    await store.flush()
    return path.stat().st_size


async def copied(store: SQLiteStore, name: str) -> None:
    await store.fork_session(record(name, parent_id="s"), ForkPoint())


async def test_the_same_large_output_takes_its_room_once(store: SQLiteStore, path: Path) -> None:
    before = await bytes_of(store, path)
    for _ in range(10):
        await said(store, "s", {"text": MEGABYTE})
    for name in ("a", "b"):
        await copied(store, name)

    one = len(json.dumps({"text": MEGABYTE}, ensure_ascii=False).encode())
    assert one <= await bytes_of(store, path) - before < 1.2 * one
    for name in ("s", "b"):
        assert await results(store, name) == [{"text": MEGABYTE}] * 10
    space = await store.space()
    assert space is not None
    assert one <= space.tool_calls < 1.2 * one


async def test_small_outputs_stay_with_their_call(store: SQLiteStore, path: Path) -> None:
    values = ["x" * (LARGE_CHARS - 3), 7, None, True, {"a": [1]}, "007", ""]

    await said(store, "s", *values)

    assert await results(store) == values
    assert kept(path) == 0


async def test_large_outputs_of_any_kind_come_back_as_they_were(store: SQLiteStore, path: Path) -> None:
    values = [
        "x" * LARGE_CHARS,
        "字" * LARGE_CHARS,
        {"lines": ["y"] * LARGE_CHARS},
        list(range(LARGE_CHARS)),
        "9" * 9_999,
    ]

    await said(store, "s", *values)

    assert await results(store) == values
    assert kept(path) == len(values)


async def test_what_no_call_names_any_more_is_purged(store: SQLiteStore, path: Path) -> None:
    before = await bytes_of(store, path)
    await said(store, "s", LONG, OTHER)
    await copied(store, "copy")
    await said(store, "copy", "mine " * 2_000)

    await store.remove_session(S)
    await store.purge.settle()
    assert await results(store, "copy") == [LONG, OTHER, "mine " * 2_000]
    assert kept(path) == 3

    await store.remove_session(SessionId("copy"))
    await store.purge.settle()
    assert kept(path) == 0
    await store.flush()
    assert b"another output" not in path.read_bytes()
    assert path.stat().st_size < before + 50_000
    assert await store.check() == []


async def test_a_session_that_goes_back_keeps_its_outputs_in_both(store: SQLiteStore) -> None:
    first = await said(store, "s", LONG)
    second = await said(store, "s", OTHER)
    assert first.seq < second.seq

    rewound = await store.turns.rewind(S, second.id, lambda before: evolve(before, id=SessionId("kept")))

    assert rewound.session.id == S
    assert await results(store) == [LONG]
    assert await results(store, "kept") == [LONG, OTHER]
    assert await store.check() == []


async def test_a_draft_keeps_its_outputs_until_it_is_a_message(store: SQLiteStore, path: Path) -> None:
    begun = await store.turns.begin(message("s", "go", id=MessageId("go")), TurnId("t"))
    call = tool_call(result=LONG)
    await store.turns.save_draft(begun.fence, Draft(message_id=MessageId("m"), text="", thinking="", calls=(call,)))
    assert kept(path) == 0

    await store.turns.end(
        begun.fence,
        StopReason.END_TURN,
        message=message("s", "", id=MessageId("m"), role="assistant", tool_calls=(call,)),
        usage=None,
        changed_files=(),
    )

    assert await results(store) == [LONG]
    assert kept(path) == 1


async def test_each_change_of_the_key_takes_outputs_along(path: Path) -> None:
    store = SQLiteStore(path)
    changes: list[Callable[[], Awaitable[None]]] = [
        lambda: store.encryption.encrypt(ONE),
        lambda: store.encryption.rekey(ONE, TWO),
        lambda: store.encryption.decrypt(TWO),
    ]
    names = set()
    try:
        await store.create_session(record("s"))
        await said(store, "s", LONG, OTHER, 1)
        expected = [LONG, OTHER, 1]
        names.add(tuple(raw(path, "SELECT name FROM outputs ORDER BY name")))
        for change in changes:
            await change()
            await said(store, "s", OTHER)
            expected.append(OTHER)
            assert await results(store) == expected
            assert kept(path) == 2
            assert await store.check() == []
            names.add(tuple(raw(path, "SELECT name FROM outputs ORDER BY name")))
        assert len(names) == 3  # under each key another one
    finally:
        await store.close()


SHORTER = "(SELECT {} FROM outputs ORDER BY length(content) LIMIT 1)"


@pytest.mark.parametrize(
    "tamper",
    [
        f"UPDATE tool_calls SET output = {SHORTER.format('name')}",
        f"UPDATE outputs SET content = {SHORTER.format('content')}",
        "UPDATE tool_calls SET output = NULL",
        "UPDATE outputs SET content = CAST(content AS TEXT)",
        "DELETE FROM outputs",
    ],
)
async def test_an_output_that_is_not_the_call_s_own_is_refused(path: Path, tamper: str) -> None:
    store = SQLiteStore(path, ONE)
    try:
        await store.create_session(record("s"))
        await said(store, "s", LONG)
        await said(store, "s", OTHER)
        raw(path, tamper)
        with pytest.raises(StoreDamaged):
            await store.list_messages(S, after=0, limit=1)
        assert await store.check() != []
        await store.repair()
        assert await store.check() == []
        page = await store.list_messages(S, after=0)
        assert [each.content for each in page.messages] == ["done", "done"]
    finally:
        await store.close()


async def test_a_repair_saves_outputs_whose_index_is_damaged(store: SQLiteStore, path: Path) -> None:
    await said(store, "s", LONG, OTHER)
    await store.flush()
    roots = raw(path, "SELECT rootpage FROM sqlite_master WHERE name LIKE '%index_outputs%' OR name LIKE 'idx_tool%'")
    assert len(roots) == 2
    with path.open("r+b") as file:
        for (root,) in roots:
            file.seek((root - 1) * 4096)
            file.write(b"\xff" * 4096)

    assert await store.check() != []
    await store.repair()
    assert await store.check() == []
    assert await results(store) == [LONG, OTHER]


@pytest.mark.parametrize("damage", ["", "UPDATE sessions SET message_count = 7", "CREATE VIEW v AS SELECT 1"])
async def test_calls_of_the_version_before_are_read(
    path: Path, cipher: Cipher | None, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.setattr(outputs, "LARGE_CHARS", 1 << 30)
    store = SQLiteStore(path, cipher)
    await store.create_session(record("s"))
    await said(store, "s", OTHER, 1)
    await store.close()
    monkeypatch.undo()
    take_back(path, *filter(None, [damage]), to=7)
    store = SQLiteStore(path, cipher)
    try:
        if damage:
            await store.repair()
        await said(store, "s", OTHER)
        assert await results(store) == [OTHER, 1, OTHER]
        await copied(store, "copy")
        assert await results(store, "copy") == [OTHER, 1, OTHER]
        assert kept(path) == 1
        assert await store.check() == []
    finally:
        await store.close()


async def test_a_store_from_elsewhere_brings_its_outputs(store: SQLiteStore, path: Path, cipher: Cipher | None) -> None:
    await said(store, "s", LONG, OTHER, 1)
    await said(store, "s", LONG)
    await store.close()

    found = read_foreign(path, () if cipher is None else (cipher,))

    assert found.problems == []
    ((session,), (bundles, problems)) = found.sessions, parse_rows(found.sessions, now=1, new_id=lambda: "x")
    assert problems == []
    calls = [call for each in bundles[0].messages for call in each.tool_calls or ()]
    assert [call.result for call in calls] == [LONG, OTHER, 1, LONG]
    assert "output" not in session["messages"][0]["tool_calls"][0]


@pytest.mark.parametrize(
    ("tamper", "problem"),
    [
        ("DELETE FROM outputs", "sessions[0].messages[0].tool_calls[0].result: can't be read"),
        ("UPDATE outputs SET content = '{'", "sessions[0].messages[0].tool_calls[0].result: is not JSON"),
        ("UPDATE outputs SET name = 7", "sessions[0].messages[0].tool_calls[0].result: can't be read"),
        ("UPDATE outputs SET content = x'ff'", "sessions[0].messages[0].tool_calls[0].result: is not JSON"),
    ],
)
async def test_a_store_from_elsewhere_without_its_outputs_is_read(path: Path, tamper: str, problem: str) -> None:
    store = SQLiteStore(path)
    await store.create_session(record("s"))
    await said(store, "s", OTHER, 1)
    await store.close()
    raw(path, tamper)

    found = read_foreign(path)

    assert found.problems == [problem]
    assert [call.get("result") for call in found.sessions[0]["messages"][0]["tool_calls"]] == [None, 1]


async def test_a_number_in_the_place_of_an_output_is_what_it_is(path: Path) -> None:
    store = SQLiteStore(path)
    await store.create_session(record("s"))
    await said(store, "s", OTHER)
    await store.close()
    raw(path, f"UPDATE outputs SET content = {10**15}")

    (call,) = read_foreign(path).sessions[0]["messages"][0]["tool_calls"]
    assert call["result"] == 10**15
    store = SQLiteStore(path)
    with pytest.raises(StoreDamaged):
        await store.list_messages(S)
    await store.close()


async def test_a_small_file_does_not_grow_without_bounds(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SQLiteStore(path)
    await store.create_session(record("s"))
    await said(store, "s", *[OTHER] * 5, "mine " * 1_000)
    await store.close()
    monkeypatch.setattr(foreign_reader, "IMPORT_FILE_BYTES", 3 * len(OTHER.encode()) + 10_000)

    found = read_foreign(path)

    calls = found.sessions[0]["messages"][0]["tool_calls"]
    assert [call.get("result") for call in calls] == [OTHER] * 3 + [None] * 2 + ["mine " * 1_000]
    assert found.problems == ["outputs: these contents together are too large; some are left out"]


async def test_what_sessions_share_goes_with_the_last_of_them(store: SQLiteStore) -> None:
    await said(store, "s", LONG, OTHER)
    await copied(store, "a")
    await copied(store, "b")
    one = len(LONG.encode()) + len(OTHER.encode())

    gone = await store.expired(-1, None)

    assert [one < each.bytes < one + 10_000 for each in gone] == [False, False, True]
    assert await store.expired(None, 2 * one) == []
    assert len(await store.expired(None, one)) == 3


@pytest.mark.slow
@pytest.mark.parametrize(("old", "new"), [(None, ONE), (ONE, TWO), (TWO, None)])
async def test_outputs_that_come_while_the_key_is_changed_are_taken_along(
    path: Path, old: Cipher | None, new: Cipher | None
) -> None:
    async def talk(*given: object) -> None:
        store = SQLiteStore(path, old)
        if not await store.exists():
            await store.create_session(record("s"))
        await said(store, "s", *given)
        await store.close()

    def step(word: str, _: int) -> None:
        if word == "copied":
            with ThreadPoolExecutor(1) as pool:
                pool.submit(asyncio.run, talk(LONG, "new " * 5_000)).result()

    await talk(LONG, OTHER)
    await asyncio.to_thread(convert, path, Access(() if old is None else (old,)), new, 1, step)

    store = SQLiteStore(path, new)
    try:
        assert await results(store) == [LONG, OTHER, LONG, "new " * 5_000]
        assert kept(path) == 3
        assert await store.check() == []
    finally:
        await store.close()
