"""Encrypting, decrypting and rekeying: all is there afterwards, nothing shows, and nothing can go half way."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from kore_ls.errors import SessionNotFound, StoreDamaged, StoreLocked, WrongKey
from kore_ls.model.ids import SessionId, TurnId
from kore_ls.model.message import Message
from kore_ls.model.session import SessionRecord
from kore_ls.storage.cipher import Cipher
from kore_ls.storage.codec import NONCE_LIMIT
from kore_ls.storage.columns import SEALED
from kore_ls.storage.convert import PREFIX
from kore_ls.storage.session_rows import SessionQuery
from kore_ls.storage.store import SQLiteStore
from kore_ls.storage.unlocking import BLOCK
from tests.ciphers import CHEAP, cipher_of
from tests.project.source import ROOT
from tests.storage.canaries import WORDS, plant, seen_in
from tests.storage.searching import change as updated
from tests.storage.searching import found, in_step, raw, until
from tests.storage.test_kill import Acknowledged, verify
from tests.storage.values import message, record

STEPS = ("copying", "copied", "locked", "caught up", "writing", "switched", "swept")
ONE, OTHER = Cipher("one", cost=CHEAP), Cipher("other", cost=CHEAP)
Content = tuple[SessionRecord, tuple[Message, ...], object]


async def content(store: SQLiteStore, session_id: str = "canary") -> Content:
    known = SessionId(session_id)
    page = await store.list_messages(known, after=0, limit=1000)
    snapshots = await store.turns.snapshots(TurnId(f"{session_id}-turn"))
    return (
        await store.load_session(known),
        page.messages,
        (snapshots, await store.turns.content(snapshots[0].before or "")),
    )


def unchanged(after: Content, before: Content) -> bool:
    """Whether all is there. A turn whose lease ran out meanwhile may have been ended, its draft made a message."""
    return (after[0].name, after[1][: len(before[1])], after[2]) == (before[0].name, *before[1:])


async def planted(path: Path, cipher: Cipher | None = None, count: int = 20) -> Content:
    store = SQLiteStore(path, cipher)
    await plant(store, count=count)
    before = await content(store)
    await store.close()
    return before


async def test_all_is_there_before_and_after_each_change(path: Path) -> None:
    before = await planted(path)
    store = SQLiteStore(path)
    changes: list[Callable[[], Awaitable[None]]] = [
        lambda: store.encryption.encrypt(ONE),
        lambda: store.encryption.rekey(ONE, OTHER),
        lambda: store.encryption.decrypt(OTHER),
    ]
    for change in changes:
        await change()
        after = await content(store)
        assert unchanged(after, before)
        assert await store.check() == []
        assert await found(store, "kanarieninhalt") == ["canary"]
        assert await found(store, "金丝雀") == ["canary"]
        await updated(store, "canary", pinned=not after[0].pinned)
    assert (await store.status()).encrypted is False
    await store.close()


async def test_an_encrypted_store_shows_nothing_in_any_file(path: Path) -> None:
    await planted(path, count=300)
    assert seen_in(path.parent) == set(WORDS)
    store = SQLiteStore(path)
    await store.encryption.encrypt(ONE)
    assert seen_in(path.parent) == set()
    await plant(store, "more")
    await found(store, "kanarieninhalt")
    assert seen_in(path.parent) == set()
    await store.encryption.rekey(ONE, OTHER)
    assert seen_in(path.parent) == set()
    await store.backup(path.parent / "backup.db")
    await store.close()
    assert seen_in(path.parent) == set()
    assert in_step(path)


async def test_every_column_that_is_encrypted_is_looked_for(path: Path) -> None:
    """So that what comes new is planted as well."""
    await planted(path)
    for table, sealed in SEALED.items():
        for column in sealed.columns:
            assert raw(path, f"SELECT 1 FROM {table} WHERE {column} IS NOT NULL"), f"{table}.{column}"
    shown = {word for word in WORDS if word != "金丝"}
    texts = {
        str(row[0])
        for table, sealed in SEALED.items()
        for column in sealed.columns
        for row in raw(path, f"SELECT CAST({column} AS TEXT) FROM {table} WHERE {column} IS NOT NULL")
    }
    assert {word for word in shown if any(word in text for text in texts)} == shown


async def test_what_a_killed_repair_left_beside_the_store_goes_when_it_is_encrypted(path: Path) -> None:
    await planted(path)
    for name in (".repair-0.db", ".repair-0.db-wal", ".reading-0/copy.db"):
        left = path.parent / name
        left.parent.mkdir(exist_ok=True)
        left.write_bytes(path.read_bytes())
    store = SQLiteStore(path)
    await store.encryption.encrypt(ONE)
    assert seen_in(path.parent) == set()
    await store.close()


async def test_a_check_while_another_process_changes_the_key_finds_nothing_wrong(path: Path) -> None:
    await planted(path, ONE)
    here, there = SQLiteStore(path, ONE), SQLiteStore(path, ONE)
    await here.load_session(SessionId("canary"))
    await there.encryption.rekey(ONE, ONE)
    assert await here.check() == []
    assert (await here.load_session(SessionId("canary"))).name == "kanarienname"
    await there.encryption.rekey(ONE, OTHER)
    with pytest.raises(WrongKey):
        await here.check()
    for store in (here, there):
        await store.close()


async def test_a_list_after_another_process_changed_the_key_is_whole(path: Path) -> None:
    """Never empty because rows could not be read with the key of before."""
    await planted(path, ONE)
    here, there = SQLiteStore(path, ONE), SQLiteStore(path, ONE)
    assert len((await here.list_sessions(SessionQuery())).sessions) == 1
    await there.encryption.rekey(ONE, ONE)
    assert len((await here.list_sessions(SessionQuery())).sessions) == 1
    for store in (here, there):
        await store.close()


async def test_a_store_made_with_a_key_never_shows_anything(path: Path) -> None:
    store = SQLiteStore(path, ONE)
    await plant(store)
    assert await found(store, "金丝雀") == ["canary"]
    assert seen_in(path.parent) == set()
    await store.close()
    assert seen_in(path.parent) == set()


def each_step(short: dict[tuple[str, str], tuple[str, ...]]) -> list[object]:
    """Every step of encrypting, decrypting and rekeying; what is not in `short` is left to the long run."""
    return [
        pytest.param(*change, step, marks=() if step in short.get(change, ()) else pytest.mark.slow)
        for change in ((("", "new")), ("old", ""), ("old", "new"))
        for step in STEPS
    ]


async def killed_at(path: Path, old: str, new: str, step: str) -> None:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.storage.convert_child", str(path), old, new, step), cwd=ROOT
    )
    assert await child.wait() == -9


async def is_encrypted(path: Path) -> bool:
    """As somebody sees it who has no key."""
    store = SQLiteStore(path)
    found = await store.status()
    assert found.locked is found.encrypted
    await store.close()
    return found.encrypted


@pytest.mark.parametrize(
    ("old", "new", "step"),
    each_step({("", "new"): STEPS, ("old", ""): ("copied", "writing", "switched")}),
)
async def test_killed_at_any_step_the_old_or_the_new_store_is_whole(path: Path, old: str, new: str, step: str) -> None:
    before = await planted(path, cipher_of(old))
    await killed_at(path, old, new, step)

    if old:
        assert seen_in(path.parent) == set() or (not new and step in ("writing", "switched", "swept"))
    done = step in ("switched", "swept")
    encrypted = await is_encrypted(path)
    assert encrypted == bool(new if done else old)
    assert not encrypted or seen_in(path.parent) == set(), "whoever opens it next, key or not, takes away what is left"
    store = SQLiteStore(path, cipher_of(new if done else old))
    assert unchanged(await content(store), before)
    assert await store.check() == []
    await store.close()
    assert not encrypted or seen_in(path.parent) == set()
    assert not list(path.parent.glob(PREFIX + "*"))


@pytest.mark.parametrize(
    ("old", "new", "step", "known"),
    [
        ("", "new", "switched", ""),
        ("old", "", "writing", "old"),
        *(
            pytest.param(old, new, step, known, marks=pytest.mark.slow)
            for old, new in (("", "new"), ("old", ""), ("old", "new"))
            for step in ("caught up", "writing", "switched")
            for known in ("", "old", "new")
        ),
    ],
)
async def test_killed_beside_another_process_nothing_is_left_while_that_goes_on(
    path: Path, old: str, new: str, step: str, known: str
) -> None:
    """The other process has the key of before, that of after, or none."""
    before = await planted(path, cipher_of(old))
    other = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.storage.attached_child", str(path), known),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert other.stdout is not None
    assert await other.stdout.readline() == b"ready\n"
    await killed_at(path, old, new, step)

    done = step in ("switched", "swept")
    if new if done else old:
        assert await is_encrypted(path)
        await until(lambda: seen_in(path.parent) == set())
    store = SQLiteStore(path, cipher_of(new if done else old))
    assert unchanged(await content(store), before)
    await store.add_message(message("canary", "kanarieninhalt"))
    assert other.returncode is None
    assert (await other.communicate(b""))[1] == b""
    await store.close()
    assert not (new if done else old) or seen_in(path.parent) == set()


@pytest.mark.slow
async def test_another_process_writes_all_the_while(path: Path) -> None:
    acknowledged = Acknowledged()
    store = SQLiteStore(path)
    await store.create_session(record("mine"))
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.storage.kill_child", str(path), "7", "one"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None and child.stderr is not None

    async def hear(lines: int) -> None:
        assert child.stdout is not None
        for _ in range(lines):
            acknowledged.hear(json.loads(await child.stdout.readline()))

    async def hear_on() -> None:
        while True:
            await hear(1)

    for change in (store.encryption.encrypt, store.encryption.decrypt, store.encryption.encrypt):
        await hear(60)
        hearing = asyncio.create_task(hear_on())
        await change(ONE)
        hearing.cancel()
        await asyncio.wait([hearing])
        assert hearing.cancelled()
        await store.add_message(message("mine"))
    await hear(60)
    child.kill()
    rest, errors = await child.communicate()
    for line in rest.splitlines(keepends=True):
        if line.endswith(b"\n"):
            acknowledged.hear(json.loads(line))

    assert errors == b""
    assert (await store.load_session(SessionId("mine"))).message_count == 3
    await store.close()
    await verify(path, acknowledged, "one")
    assert b"x" * 40 not in path.read_bytes()


async def test_what_another_program_still_reads_goes_once_it_lets_go(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await planted(path)
    monkeypatch.setattr("kore_ls.storage.convert._SWEEP_S", 0.0)
    store = SQLiteStore(path)
    store.listen(lambda _: None)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM meta").fetchall()
        await store.encryption.encrypt(ONE)
        assert not store.encryption.swept
        assert seen_in(path.parent) == set(WORDS)
    await until(lambda: store.encryption.swept)
    assert seen_in(path.parent) == set()
    await store.close()


async def test_a_wrong_key_changes_nothing(path: Path) -> None:
    before = await planted(path, ONE)
    store = SQLiteStore(path, ONE)
    for change in (
        store.encryption.decrypt(OTHER),
        store.encryption.rekey(OTHER, ONE),
        store.encryption.encrypt(OTHER),
    ):
        with pytest.raises(WrongKey):
            await change
    with pytest.raises(WrongKey):
        await store.encryption.unlock(OTHER)
    assert unchanged(await content(store), before)
    await store.close()


async def test_a_value_that_can_t_be_read_leaves_the_store_as_it_was(path: Path) -> None:
    await planted(path, ONE)
    raw(path, "UPDATE messages SET content = zeroblob(80) WHERE seq = 5")
    content_before = path.read_bytes()
    store = SQLiteStore(path, ONE)
    with pytest.raises(StoreDamaged):
        await store.encryption.decrypt(ONE)
    assert (await store.status()).encrypted
    await store.close()
    assert len(path.read_bytes()) == len(content_before)
    assert seen_in(path.parent) == set()


async def test_what_is_encrypted_elsewhere_is_noticed_before_the_next_write(path: Path) -> None:
    await planted(path)
    here, there = SQLiteStore(path), SQLiteStore(path)
    await here.load_session(SessionId("canary"))
    await there.encryption.encrypt(ONE)
    with pytest.raises(StoreLocked):
        await here.add_message(message("canary", "kanarieninhalt"))
    with pytest.raises(StoreLocked):
        await here.list_sessions(SessionQuery())
    assert (await here.status()).locked
    await here.encryption.unlock(ONE)
    await here.add_message(message("canary", "kanarieninhalt"))
    await there.encryption.rekey(ONE, OTHER)
    with pytest.raises(WrongKey):
        await here.add_message(message("canary", "kanarieninhalt"))
    assert len((await there.list_messages(SessionId("canary"))).messages) >= 23
    for store in (here, there):
        await store.close()
    assert seen_in(path.parent) == set()


async def test_a_plain_store_is_only_read_where_a_key_is_configured(path: Path) -> None:
    before = await planted(path)
    store = SQLiteStore(path, ONE)
    assert unchanged(await content(store), before)
    with pytest.raises(StoreLocked) as caught:
        await store.add_message(message("canary"))
    assert caught.value.params == {"plain": True}
    assert (await store.status()).locked
    await store.encryption.unlock(None, plain=True)
    await store.add_message(message("canary"))
    assert not (await store.status()).locked
    await store.close()


async def test_a_locked_store_is_opened_by_its_key_and_locked_again(path: Path) -> None:
    before = await planted(path, ONE)
    store = SQLiteStore(path)
    with pytest.raises(StoreLocked):
        await store.load_session(SessionId("canary"))
    await store.encryption.unlock(ONE)
    assert unchanged(await content(store), before)
    assert await store.encryption.lock()
    with pytest.raises(StoreLocked):
        await store.load_session(SessionId("canary"))
    await store.close()


async def test_a_store_that_is_not_there_is_made_encrypted_once_it_is_unlocked(path: Path) -> None:
    store = SQLiteStore(path)
    await store.encryption.unlock(ONE)
    assert not path.exists()
    with pytest.raises(SessionNotFound):
        await store.load_session(SessionId("canary"))
    await plant(store)
    assert (await store.status()).encrypted
    await store.close()
    assert seen_in(path.parent) == set()


async def test_cancelling_while_it_copies_changes_nothing(path: Path) -> None:
    before = await planted(path, count=300)
    store = SQLiteStore(path)
    begun = asyncio.Event()
    work = asyncio.create_task(store.encryption.encrypt(ONE, lambda word, done: begun.set()))
    await begun.wait()
    work.cancel()
    await asyncio.wait([work])
    status = await store.status()
    assert work.cancelled()
    await store.close()
    store = SQLiteStore(path, ONE if status.encrypted else None)
    assert unchanged(await content(store), before)
    await store.close()


async def test_a_file_from_elsewhere_with_an_index_in_it_gets_rid_of_it(path: Path) -> None:
    await planted(path, ONE)
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE VIRTUAL TABLE messages_fts USING fts5(text, whole, content='', tokenize='ascii')")
    store = SQLiteStore(path, ONE)
    await store.add_message(message("canary", "kanarieninhalt"))
    assert await found(store, "kanarieninhalt") == ["canary"]
    await store.close()
    assert in_step(path)
    assert seen_in(path.parent) == set()


def kept_key(path: Path) -> tuple[int, int, bytes]:
    """The number of the store's own key, how much it was used, and the key as it is kept."""
    ((number, used, wrapped),) = raw(path, "SELECT key_id, used, wrapped FROM keys")
    return number, used, wrapped


async def test_a_new_passphrase_alone_writes_one_row_and_leaves_nothing_of_the_old_one(path: Path) -> None:
    before = await planted(path, ONE)
    number, _, wrapped = kept_key(path)
    sealed = raw(path, "SELECT content FROM messages ORDER BY id")
    store, other = SQLiteStore(path, ONE), SQLiteStore(path, ONE)
    assert unchanged(await content(other), before)
    with pytest.raises(WrongKey):
        await store.encryption.rewrap(OTHER, ONE)
    await store.encryption.rewrap(ONE, OTHER)
    assert unchanged(await content(store), before)
    with pytest.raises(WrongKey):
        await other.add_message(message("canary"))
    await other.encryption.unlock(OTHER)
    await other.add_message(message("canary"))
    for each in (store, other):
        await each.close()

    assert kept_key(path)[:1] == (number,)
    assert kept_key(path)[2] != wrapped
    assert raw(path, "SELECT content FROM messages ORDER BY id")[: len(sealed)] == sealed
    assert wrapped not in path.read_bytes()
    store = SQLiteStore(path, ONE)
    with pytest.raises(WrongKey):
        await store.load_session(SessionId("canary"))
    await store.close()


async def test_a_key_that_was_used_often_is_renewed_by_itself_while_others_write(path: Path) -> None:
    store = SQLiteStore(path, ONE, rotate_at=BLOCK)
    other = SQLiteStore(path, Cipher("one", cost=CHEAP), rotate_at=BLOCK)
    await store.create_session(record("s"))
    texts: list[str] = []
    while kept_key(path)[0] == 1:
        for each in (store, other):
            texts.append(f"text {len(texts)}")
            await each.add_message(message("s", texts[-1]))
    for each in (store, other):
        page = await each.list_messages(SessionId("s"), after=0, limit=10_000)
        assert [found.content for found in page.messages] == texts
    for each in (store, other):
        await each.close()
    store = SQLiteStore(path, ONE)  # which renews nothing, so that the check sees one key from beginning to end
    assert await store.check() == []
    await store.close()
    assert len(texts) < 2 * BLOCK


@pytest.mark.parametrize("used", [NONCE_LIMIT // 2, NONCE_LIMIT])
async def test_a_worn_key_is_renewed_when_the_store_is_unlocked(path: Path, used: int) -> None:
    before = await planted(path, ONE)
    raw(path, "UPDATE keys SET used = ?", used)
    store = SQLiteStore(path, ONE)
    assert (await store.load_session(SessionId("canary"))).name == "kanarienname"
    await until(lambda: kept_key(path)[0] == 2)
    assert 0 < kept_key(path)[1] < NONCE_LIMIT // 2
    await store.add_message(message("canary"))
    assert (await content(store))[1][: len(before[1])] == before[1]
    await store.close()
    assert seen_in(path.parent) == set()
