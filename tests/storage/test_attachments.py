from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from kore_ls.errors import StoreDamaged
from kore_ls.model.ids import MessageId, SessionId
from kore_ls.model.message import Message
from kore_ls.model.session import ForkPoint
from kore_ls.sessions.documents.import_document import parse_rows
from kore_ls.storage import attachments
from kore_ls.storage.attachments import LONG_CHARS
from kore_ls.storage.cipher import Cipher
from kore_ls.storage.convert import convert
from kore_ls.storage.foreign_reader import read_foreign
from kore_ls.storage.store import SQLiteStore
from kore_ls.storage.unlocking import Access
from tests.ciphers import CHEAP
from tests.storage.earlier import take_back
from tests.storage.searching import raw
from tests.storage.values import message, record

S = SessionId("s")
ONE, TWO = Cipher("one", cost=CHEAP), Cipher("two", cost=CHEAP)
FILE = "def main(): 打印 # the attached file\n" * 1_200
OTHER = "another file 别的\n" * 1_000
LINE = "行" * LONG_CHARS
SMALL = "x" * (LONG_CHARS - 1)


@pytest.fixture
async def store(path: Path, cipher: Cipher | None) -> AsyncIterator[SQLiteStore]:
    store = SQLiteStore(path, cipher)
    try:
        await store.create_session(record("s"))
        yield store
    finally:
        await store.close()


def context(*texts: str) -> dict[str, Any]:
    """Metadata as prompts have it."""
    return {"context": [{"uri": f"file:///{at}.py", "text": text} for at, text in enumerate(texts)]}


async def asked(store: SQLiteStore, metadata: dict[str, Any], session: str = "s") -> Message:
    return (await store.add_message(message(session, "why?", metadata=metadata)))[0]


async def stored(store: SQLiteStore, session: str = "s") -> list[dict[str, Any]]:
    """The metadata of the session's messages, in order."""
    page = await store.list_messages(SessionId(session), after=0, limit=1_000)
    return [dict(each.metadata) for each in page.messages]


def kept(path: Path) -> int:
    return int(raw(path, "SELECT count(*) FROM attached_texts")[0][0])


async def copied(store: SQLiteStore, name: str) -> None:
    await store.fork_session(record(name, parent_id="s"), ForkPoint())


async def test_the_same_attached_file_takes_its_room_once(store: SQLiteStore, path: Path) -> None:
    await store.flush()
    before = path.stat().st_size
    prompts = [context(FILE), context(FILE, OTHER), context(SMALL, FILE)] * 5
    for each in prompts:
        await asked(store, each)
    await copied(store, "copy")

    assert await stored(store) == prompts
    assert await stored(store, "copy") == prompts
    assert kept(path) == 2
    both, small = len(FILE.encode()) + len(OTHER.encode()), 10 * len(SMALL)
    await store.flush()
    assert both + small <= path.stat().st_size - before < 1.5 * (both + small)
    space = await store.space()
    assert space is not None
    assert space.messages > both


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"context": FILE},
        {"context": [FILE, 7, None, [FILE]]},
        {"context": [{"text": [FILE]}, {"text": 7}, {"uri": "a"}]},
        {"context": {"0": {"text": FILE}}},
        {"context": [{"text": FILE, "own": {"a": 1}}], "text": FILE, "more": [1, {"context": [{"text": FILE}]}]},
        {"context": [{"text": "\0\u2028😀" * LONG_CHARS}] * 3},
        {"context": [{"text": f"{at}" * LONG_CHARS} for at in range(9)], "0": "a" * 64},
    ],
)
async def test_metadata_of_any_shape_comes_back_as_it_was(store: SQLiteStore, metadata: dict[str, Any]) -> None:
    given = json.loads(json.dumps(metadata))

    await asked(store, metadata)

    assert metadata == given
    assert await stored(store) == [given]
    assert await store.check() == []


async def test_a_message_sent_again_is_the_one_that_is_there(store: SQLiteStore, path: Path) -> None:
    first = message("s", "why?", metadata=context(FILE), id=MessageId("m"))

    for _ in range(2):
        assert (await store.add_message(first))[0].metadata == context(FILE)

    assert len(await stored(store)) == 1
    assert raw(path, "SELECT count(*) FROM attachments") == [(1,)]


async def test_what_no_message_carries_any_more_is_purged(store: SQLiteStore, path: Path) -> None:
    await asked(store, context(FILE, OTHER))
    await copied(store, "copy")

    await store.remove_session(S)
    await store.purge.settle()
    assert await stored(store, "copy") == [context(FILE, OTHER)]

    await store.remove_session(SessionId("copy"))
    await store.purge.settle()
    assert kept(path) == 0
    await store.flush()
    assert b"the attached file" not in path.read_bytes()
    assert await store.check() == []


async def test_a_session_that_goes_back_keeps_what_was_attached_in_both(store: SQLiteStore) -> None:
    await asked(store, context(FILE))
    second = await asked(store, context(FILE, OTHER))

    await store.turns.rewind(S, second.id, lambda before: evolve(before, id=SessionId("kept")))

    assert await stored(store) == [context(FILE)]
    assert await stored(store, "kept") == [context(FILE), context(FILE, OTHER)]
    assert await store.check() == []


async def test_what_sessions_share_goes_with_the_last_of_them(store: SQLiteStore) -> None:
    await asked(store, context(FILE))
    await copied(store, "a")
    one = len(FILE.encode())

    gone = await store.expired(-1, None)

    assert [one < each.bytes < one + 10_000 for each in gone] == [False, True]
    assert await store.expired(None, one + 10_000) == []
    assert len(await store.expired(None, one)) == 2


async def test_each_change_of_the_key_takes_them_along(path: Path) -> None:
    store = SQLiteStore(path)
    changes: list[Callable[[], Awaitable[None]]] = [
        lambda: store.encryption.encrypt(ONE),
        lambda: store.encryption.rekey(ONE, TWO),
        lambda: store.encryption.decrypt(TWO),
    ]
    try:
        await store.create_session(record("s"))
        await asked(store, context(FILE, OTHER))
        names = {tuple(raw(path, "SELECT name FROM attachments ORDER BY name"))}
        for change in changes:
            await change()
            await asked(store, context(OTHER))
            assert (await stored(store))[0] == context(FILE, OTHER)
            assert (await stored(store))[-1] == context(OTHER)
            assert kept(path) == 2
            assert await store.check() == []
            names.add(tuple(raw(path, "SELECT DISTINCT name FROM attachments ORDER BY name")))
        assert len(names) == 3  # under each key another one
    finally:
        await store.close()


@pytest.mark.slow
@pytest.mark.parametrize(("old", "new"), [(None, ONE), (ONE, TWO), (TWO, None)])
async def test_those_that_come_while_the_key_is_changed_are_taken_along(
    path: Path, old: Cipher | None, new: Cipher | None
) -> None:
    async def talk(*texts: str) -> None:
        store = SQLiteStore(path, old)
        if not await store.exists():
            await store.create_session(record("s"))
        await asked(store, context(*texts))
        await store.close()

    def step(word: str, _: int) -> None:
        if word == "copied":
            with ThreadPoolExecutor(1) as pool:
                pool.submit(asyncio.run, talk(FILE, "new " * 5_000)).result()

    await talk(FILE, OTHER)
    await asyncio.to_thread(convert, path, Access(() if old is None else (old,)), new, 1, step)

    store = SQLiteStore(path, new)
    try:
        assert await stored(store) == [context(FILE, OTHER), context(FILE, "new " * 5_000)]
        assert kept(path) == 3
        assert await store.check() == []
    finally:
        await store.close()


@pytest.mark.parametrize(
    "tamper",
    [
        "UPDATE attached_texts SET content = (SELECT content FROM attached_texts ORDER BY length(content) LIMIT 1)",
        "UPDATE attached_texts SET content = CAST(content AS TEXT)",
        "DELETE FROM attached_texts",
    ],
)
async def test_a_text_that_is_not_the_message_s_own_is_refused(path: Path, tamper: str) -> None:
    store = SQLiteStore(path, ONE)
    try:
        await store.create_session(record("s"))
        await asked(store, context(FILE))
        await asked(store, context(OTHER))
        raw(path, tamper)
        with pytest.raises(StoreDamaged):
            await store.list_messages(S, after=0, limit=1)
        assert await store.check() != []

        await store.repair()

        assert await store.check() == []
        assert (await stored(store))[0] == {"context": [{"uri": "file:///0.py", "textLeftOut": True}]}
    finally:
        await store.close()


@pytest.mark.parametrize("damage", ["", "UPDATE sessions SET message_count = 7"])
async def test_messages_of_the_version_before_are_read(
    path: Path, cipher: Cipher | None, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.setattr(attachments, "LONG_CHARS", 1 << 30)
    store = SQLiteStore(path, cipher)
    await store.create_session(record("s"))
    await asked(store, context(FILE))
    await store.close()
    monkeypatch.undo()
    take_back(path, *filter(None, [damage]))

    store = SQLiteStore(path, cipher)
    try:
        if damage:
            await store.repair()
        await asked(store, context(FILE))
        await copied(store, "copy")
        assert await stored(store, "copy") == [context(FILE)] * 2
        assert kept(path) == 1
        assert await store.check() == []
    finally:
        await store.close()


async def test_a_store_from_elsewhere_brings_them(store: SQLiteStore, path: Path, cipher: Cipher | None) -> None:
    await asked(store, context(OTHER, SMALL, LINE) | {"own": 1})
    await asked(store, context(FILE))
    await store.close()

    found = read_foreign(path, () if cipher is None else (cipher,))

    assert found.problems == []
    bundles, problems = parse_rows(found.sessions, now=1, new_id=lambda: "x")
    assert problems == []
    assert [dict(each.metadata) for each in bundles[0].messages] == [
        context(OTHER, SMALL, LINE) | {"own": 1},
        context(FILE),
    ]


LOST = {"context": [{"uri": "file:///0.py", "textLeftOut": True}]}


@pytest.mark.parametrize(
    ("tamper", "problem", "metadata"),
    [
        ("DELETE FROM attached_texts", "context[0].text: can't be read", LOST),
        ("UPDATE attached_texts SET name = 7", "context[0].text: can't be read", LOST),
        *(
            (f"UPDATE messages SET metadata = '{form}'", ": can't be read", None)
            for form in (
                "[]",
                "[{}]",
                '[{},{"0":"a"}]',
                '[{"context":[]},{"0":"a"}]',
                '[{"context":[{}]},{"x":"a"}]',
                '[{"context":7},{"0":"a"}]',
                "[1,2]",
                '[{"context":[7]},{"0":"a"}]',
                '[{"context":[{}]},{"0":[]}]',
            )
        ),
    ],
)
async def test_a_store_from_elsewhere_without_them_is_read(
    path: Path, tamper: str, problem: str, metadata: dict[str, Any] | None
) -> None:
    store = SQLiteStore(path)
    await store.create_session(record("s"))
    await asked(store, context(FILE))
    await store.close()
    raw(path, tamper)

    found = read_foreign(path)

    (read,) = found.sessions[0]["messages"]
    assert [each.removeprefix("sessions[0].messages[0].metadata").lstrip(".") for each in found.problems] == [problem]
    assert read.get("metadata") == metadata
    store = SQLiteStore(path)
    with pytest.raises(StoreDamaged):
        await store.list_messages(S)
    await store.close()
