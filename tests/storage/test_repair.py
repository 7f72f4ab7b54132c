from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from kore_ls.errors import StoreBusy, StoreDamaged
from kore_ls.model.ids import MessageId, SessionId, TurnId
from kore_ls.model.message import Message
from kore_ls.model.mode import AgentMode
from kore_ls.model.turn import AuditEntry, Prompt, StopReason
from kore_ls.storage import repair
from kore_ls.storage.changes import StoreChange
from kore_ls.storage.cipher import Cipher
from kore_ls.storage.leftovers import remove_leftovers, repairing
from kore_ls.storage.migrations import APPLICATION_ID, migrate
from kore_ls.storage.prompt_rows import WaitingPrompt
from kore_ls.storage.salvage import Salvage, salvage
from kore_ls.storage.session_rows import SessionQuery
from kore_ls.storage.store import SQLiteStore
from tests.ciphers import CHEAP
from tests.storage.values import message, record, tool_call

PAGE = 4096
SESSIONS, MESSAGES = 8, 60


@pytest.fixture
async def filled(path: Path, cipher: Cipher | None) -> Path:
    """A closed store: 8 sessions with 60 messages each, every tenth with a tool call."""
    store = SQLiteStore(path, cipher)
    try:
        for number in range(SESSIONS):
            await store.create_session(record(f"s{number}", name=f"name {number}", metadata={"n": number}))
        for seq in range(1, MESSAGES + 1):
            calls = (tool_call(),) if seq % 10 == 0 else None
            await asyncio.gather(
                *(
                    store.add_message(message(f"s{n}", f"{n}:{seq} " * 30, id=MessageId(f"m{seq}"), tool_calls=calls))
                    for n in range(SESSIONS)
                )
            )
        await store.activate_session(SessionId("s3"), lambda before: before)
    finally:
        await store.close()
    return path


def pages_of(path: Path, table: str) -> list[int]:
    """The pages (from 0) of a table's own tree, without its root."""
    with closing(sqlite3.connect(path)) as db:
        (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        content = path.read_bytes()
    found: list[int] = []
    waiting = [root]
    while waiting:
        number = waiting.pop()
        page = content[(number - 1) * PAGE : number * PAGE]
        if page[0] == 5:  # an inner page of a table
            cells = int.from_bytes(page[3:5], "big")
            at = [int.from_bytes(page[12 + 2 * i : 14 + 2 * i], "big") for i in range(cells)]
            below = [int.from_bytes(page[each : each + 4], "big") for each in at]
            waiting += [*below, int.from_bytes(page[8:12], "big")]
        if number != root:
            found.append(number - 1)
    return sorted(found)


def destroyed(path: Path, pages: list[int]) -> None:
    with path.open("r+b") as file:
        for page in pages:
            file.seek(page * PAGE)
            file.write(random.Random(page).randbytes(PAGE))


async def repaired(path: Path, cipher: Cipher | None) -> tuple[list[str], dict[str, list[Message]]]:
    """Repair; what was said, and the messages of every session afterwards."""
    store = SQLiteStore(path, cipher)
    try:
        assert await store.check() != []
        said = await store.repair()
        assert await store.check() == []
        found: dict[str, list[Message]] = {}
        for each in (await store.list_sessions(SessionQuery(limit=200))).sessions:
            messages = (await store.list_messages(each.id, after=0, limit=1_000)).messages
            assert [m.seq for m in messages] == list(range(1, len(messages) + 1))
            assert each.message_count == each.last_seq == len(messages)
            assert (each.last_message is None) is (not messages)
            found[each.id] = list(messages)
            stored, _ = await store.add_message(message(each.id, "goes on"))
            assert stored.seq == len(messages) + 1
        return said, found
    finally:
        await store.close()


def kept_aside(path: Path) -> Path:
    (aside,) = path.parent.glob("damaged-*")
    assert stat.S_IMODE(aside.stat().st_mode) == 0o700
    assert stat.S_IMODE((aside / path.name).stat().st_mode) == 0o600
    assert sorted(each.name for each in aside.iterdir()) == [path.name]
    return aside / path.name


async def test_a_sound_store_is_left_alone(filled: Path, cipher: Cipher | None) -> None:
    store = SQLiteStore(filled, cipher)
    try:
        assert await store.repair() == []
    finally:
        await store.close()
    assert [each.name for each in filled.parent.iterdir()] == [filled.name]


async def test_wrong_counters_are_set_right_in_place(filled: Path, cipher: Cipher | None) -> None:
    with closing(sqlite3.connect(filled, isolation_level=None)) as db:
        db.execute("UPDATE sessions SET message_count = 3, last_seq = 4 WHERE id = 's1'")
        db.execute("DELETE FROM messages WHERE session_id = 's2' AND seq IN (1, 7, 59)")

    said, found = await repaired(filled, cipher)

    assert said == [f"session {each}: its counters were set right" for each in ("s1", "s2")]
    assert [len(found[each]) for each in ("s1", "s2")] == [MESSAGES, MESSAGES - 3]
    assert [each.id for each in found["s2"]][:6] == ["m2", "m3", "m4", "m5", "m6", "m8"]
    assert list(filled.parent.glob("damaged-*")) == []


@pytest.mark.parametrize("share", ["first", "last", "middle", "scattered"])
async def test_messages_on_sound_pages_are_saved(filled: Path, share: str, cipher: Cipher | None) -> None:
    pages = pages_of(filled, "messages")
    chosen = {
        "first": pages[:3],
        "last": pages[-3:],
        "middle": pages[len(pages) // 2 :][:3],
        "scattered": pages[1::9],
    }[share]
    destroyed(filled, chosen)
    damaged = filled.read_bytes()

    said, found = await repaired(filled, cipher)

    total = sum(map(len, found.values()))
    lost_most = len(chosen) * (SESSIONS * MESSAGES / len(pages)) * 2
    assert SESSIONS * MESSAGES - lost_most <= total < SESSIONS * MESSAGES
    assert set(found) == {f"s{n}" for n in range(SESSIONS)}
    for session_id, messages in found.items():
        for each in messages:
            assert each.content.startswith(f"{session_id[1:]}:{each.id[1:]} ")
            assert bool(each.tool_calls) is (int(each.id[1:]) % 10 == 0)
    assert kept_aside(filled).read_bytes() == damaged
    assert any("messages could not be read" in line for line in said)


async def test_damaged_indexes_cost_nothing(filled: Path, cipher: Cipher | None) -> None:
    with closing(sqlite3.connect(filled)) as db:
        roots = [row[0] for row in db.execute("SELECT rootpage FROM sqlite_master WHERE type = 'index'")]
    destroyed(filled, [root - 1 for root in roots])

    _, found = await repaired(filled, cipher)

    assert {key: len(value) for key, value in found.items()} == {f"s{n}": MESSAGES for n in range(SESSIONS)}


async def test_of_a_session_whose_row_is_lost_the_messages_are_saved(filled: Path, cipher: Cipher | None) -> None:
    with closing(sqlite3.connect(filled, isolation_level=None)) as db:
        db.execute("UPDATE sessions SET status = 'rotten' WHERE id = 's2'")
        db.execute("UPDATE sessions SET name = 'other' WHERE id = 's1'")
        db.execute("UPDATE sessions SET message_count = message_count + 1")
        db.execute("PRAGMA writable_schema = ON")
        db.execute("INSERT INTO sqlite_master VALUES ('view', 'v', 'v', 0, 'CREATE VIEW v AS SELECT 1')")

    said, found = await repaired(filled, cipher)

    assert len(found["s2"]) == MESSAGES
    assert "session s2: only its messages were left" in said
    lost = 1 if cipher is None else 2  # a name that was not encrypted there is none
    assert f"up to {lost} sessions could not be read" in said


async def test_turns_and_all_that_belongs_to_them_are_saved(path: Path, cipher: Cipher | None) -> None:
    before = await _worked_in(path, cipher)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        roots = [row[0] for row in db.execute("SELECT rootpage FROM sqlite_master WHERE type = 'index'")]
        db.execute("UPDATE turns SET state = 'rotten' WHERE id = 't1'")
        db.execute("UPDATE audit SET agent_mode = 'rotten' WHERE id = 2")
    destroyed(path, [root - 1 for root in roots])

    store = SQLiteStore(path, cipher)
    try:
        assert await store.check() != []
        said = await store.repair()
        assert await store.check() == []
        turns = (await store.turns.page(SessionId("s"), limit=9)).turns
        assert [(each.turn_id, each.first_seq, each.last_seq, each.changed_files) for each in turns] == [
            *(("w", 6, 6, ()), ("t2", 5, None, ("b",)), ("t0", 1, 2, ("b",))),
        ]
        (snapshot,) = await store.turns.snapshots(TurnId("t0"))
        assert await store.turns.content(str(snapshot.before)) == b"before"
        assert [each.id for each in (await store.turns.decisions(None, limit=9)).entries] == [3, 1]
        assert await store.turns.todo(SessionId("s")) == ["[ ] milk"]
        assert await store.turns.notes(SessionId("s")) == {"name": "noted"}
        messages = (await store.list_messages(SessionId("s"), after=0)).messages
        assert [each.content for each in messages] == before
    finally:
        await store.close()
    assert {"up to 1 turns could not be read", "up to 1 decisions could not be read"} < set(said)


async def _worked_in(path: Path, cipher: Cipher | None) -> list[str]:
    """A closed store with three turns, the last of them interrupted; a prompt waits. What is said in the end."""
    store, s = SQLiteStore(path, cipher), SessionId("s")
    try:
        await store.create_session(record("s"))
        for number in range(3):
            turn = TurnId(f"t{number}")
            prompt = message("s", f"prompt {number}", id=MessageId(f"p{number}"), turn_id=turn)
            begun = await store.turns.begin(prompt, turn)
            await store.turns.keep(begun.fence, "b", b"before", b"after")
            decision = AuditEntry(session_id=s, turn_id=turn, mode=AgentMode.PLAN, decision="allow", rule="x")
            await store.turns.record(decision)
            said = message("s", f"answer {number}", id=MessageId(f"a{number}"), turn_id=turn)
            await store.turns.keep_todo(begun.fence, ["[ ] milk"])
            await store.turns.keep_note(begun.fence, "name", "noted")
            reason = StopReason.END_TURN if number < 2 else StopReason.INTERRUPTED
            await store.turns.end(
                begun.fence, reason, message=said if number < 2 else None, usage=None, changed_files=("b",)
            )
        await store.turns.wait(WaitingPrompt(turn_id=TurnId("w"), session_id=s, prompt=Prompt(text="waits")))
    finally:
        await store.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:  # as if the process that it waits in had died
        db.execute("UPDATE prompts SET pid = 0, boot_id = ''")
    return ["prompt 0", "answer 0", "prompt 1", "answer 1", "prompt 2", "waits"]


async def test_a_planted_trigger_goes_and_the_rows_stay(filled: Path, cipher: Cipher | None) -> None:
    with closing(sqlite3.connect(filled, isolation_level=None)) as db:
        db.execute("CREATE TRIGGER t AFTER INSERT ON messages BEGIN DELETE FROM messages; END")

    _, found = await repaired(filled, cipher)

    assert {len(value) for value in found.values()} == {MESSAGES}
    with closing(sqlite3.connect(filled)) as db:
        assert db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall() == []


async def test_a_lost_header_costs_nothing_without_a_map_of_pages(filled: Path, cipher: Cipher | None) -> None:
    with closing(sqlite3.connect(filled, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
    older = filled.with_name("older.db")
    with closing(sqlite3.connect(older, isolation_level=None)) as db:
        migrate(db)
        db.execute("ATTACH ? AS newer", (str(filled),))
        for (name,) in db.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall():
            db.execute(f"DELETE FROM main.{name}")
            db.execute(f"INSERT INTO main.{name} SELECT * FROM newer.{name}")
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    older.replace(filled)
    with filled.open("r+b") as file:
        file.write(b"\xa5" * PAGE)
    _, found = await repaired(filled, cipher)
    assert {key: len(value) for key, value in found.items()} == {f"s{n}": MESSAGES for n in range(SESSIONS)}


@pytest.mark.parametrize("bytes_lost", [16, 100, PAGE])
async def test_a_lost_header_costs_nothing(filled: Path, bytes_lost: int, cipher: Cipher | None) -> None:
    with filled.open("r+b") as file:
        file.write(b"\xa5" * bytes_lost)

    said, found = await repaired(filled, cipher)

    assert {key: len(value) for key, value in found.items()} == {f"s{n}": MESSAGES for n in range(SESSIONS)}
    assert said[1] == f"{SESSIONS} sessions and {SESSIONS * MESSAGES} messages were saved"
    store = SQLiteStore(filled, cipher)
    try:
        assert await store.active_session() == "s3"
        assert (await store.load_session(SessionId("s5"))).metadata == {"n": 5}
    finally:
        await store.close()


async def test_a_truncated_file_gives_what_is_left(filled: Path, cipher: Cipher | None) -> None:
    os.truncate(filled, filled.stat().st_size * 2 // 3 // PAGE * PAGE)

    _, found = await repaired(filled, cipher)

    assert set(found) == {f"s{n}" for n in range(SESSIONS)}
    assert sum(map(len, found.values())) > SESSIONS * MESSAGES / 4


async def test_what_is_no_store_at_all_becomes_an_empty_one_and_is_kept(path: Path, cipher: Cipher | None) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database at all " * 1_000)

    _, found = await repaired(path, cipher)

    assert found == {}
    assert kept_aside(path).read_bytes() == b"not a database at all " * 1_000


async def test_another_process_hears_of_a_repair_and_reads_on(filled: Path, cipher: Cipher | None) -> None:
    other, store = SQLiteStore(filled, cipher), SQLiteStore(filled, cipher)
    heard: asyncio.Queue[StoreChange] = asyncio.Queue()
    try:
        await other.load_session(SessionId("s1"))
        other.listen(heard.put_nowait)
        with closing(sqlite3.connect(filled, isolation_level=None)) as db:
            db.execute("CREATE VIEW v AS SELECT 1")
            db.execute("DELETE FROM messages WHERE session_id = 's1' AND seq = 2")
        before = filled.stat().st_ino

        await store.repair()

        await heard.get()
        assert filled.stat().st_ino == before
        assert (await other.load_session(SessionId("s1"))).message_count == MESSAGES - 1
        await other.add_message(message("s1"))
        assert (await store.load_session(SessionId("s1"))).message_count == MESSAGES
        assert await store.check() == []
    finally:
        await other.close()
        await store.close()


async def test_what_was_repaired_can_be_encrypted(path: Path) -> None:
    store = SQLiteStore(path)
    try:
        await store.create_session(record("s", name="kanarienvogel"))
        await store.flush()
        destroyed(path, [3])
        assert await store.repair() != []
        await store.encryption.encrypt(Cipher("a passphrase", cost=CHEAP))
        assert await store.encryption.active()
    finally:
        await store.close()


async def test_what_is_given_another_key_during_its_repair_is_left_so(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    destroyed(filled, pages_of(filled, "messages")[:3])
    left = b""

    def slow(source: sqlite3.Connection, target: sqlite3.Connection, now: int) -> Salvage:
        nonlocal left
        found = salvage(source, target, now)
        with closing(sqlite3.connect(filled, isolation_level=None)) as db:
            db.execute("INSERT OR REPLACE INTO meta VALUES ('store_generation', 7)")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        left = filled.read_bytes()
        return found

    monkeypatch.setattr(repair, "salvage", slow)
    with pytest.raises(StoreBusy):
        await asyncio.to_thread(repair.repair_file, filled, 1)
    assert filled.read_bytes() == left != b""


async def test_a_repair_does_not_wait_for_ever_for_a_lock(
    filled: Path, monkeypatch: pytest.MonkeyPatch, cipher: Cipher | None
) -> None:
    monkeypatch.setattr("kore_ls.storage.repair.BUSY_TIMEOUT_MS", 50)
    with closing(sqlite3.connect(filled, isolation_level=None)) as db:
        db.execute("CREATE VIEW v AS SELECT 1")
        db.execute("BEGIN IMMEDIATE")
        store = SQLiteStore(filled, cipher)
        try:
            with pytest.raises(StoreBusy):
                await store.repair()
        finally:
            await store.close()
        db.execute("ROLLBACK")
    names = sorted(each.name.split("-")[0] for each in filled.parent.iterdir())
    assert names == ["damaged", "repair.lock", filled.name]


@pytest.mark.parametrize("seed", range(8))
async def test_random_damage_never_ends_in_an_unsound_store(filled: Path, seed: int, cipher: Cipher | None) -> None:
    chance = random.Random(seed)
    size = filled.stat().st_size
    with filled.open("r+b") as file:
        for _ in range(chance.choice([3, 30, 300])):
            file.seek(chance.randrange(size))
            file.write(chance.randbytes(chance.choice([1, 8, 64])))
    store = SQLiteStore(filled, cipher)
    try:
        try:
            await store.repair()
        except StoreDamaged:
            pytest.fail("the repair gave up")
        assert await store.check() == []
        await store.create_session(record())
    finally:
        await store.close()


async def test_two_repairs_at_once_lose_nothing_that_was_written_after_the_first(
    filled: Path, cipher: Cipher | None
) -> None:
    """The second one waits, and finds nothing to do."""
    with closing(sqlite3.connect(filled, isolation_level=None)) as db:
        db.execute("UPDATE sessions SET tags = x'00' WHERE id = 's1'")
    one, other = SQLiteStore(filled, cipher), SQLiteStore(filled, cipher)

    async def repair_and_go_on(store: SQLiteStore) -> bool:
        done = await store.repair()
        if done:
            await store.add_message(message("s0", "written after the repair", id=MessageId("after")))
        return bool(done)

    done = await asyncio.gather(repair_and_go_on(one), repair_and_go_on(other))
    assert sorted(done) == [False, True]
    assert (await one.find_message(SessionId("s0"), MessageId("after"))).content == "written after the repair"
    assert await one.check() == []
    for store in (one, other):
        await store.close()
    assert not [each.name for each in filled.parent.iterdir() if each.name.startswith((".repair-", ".reading-"))]


async def test_what_a_repair_works_with_stays_while_it_works(filled: Path) -> None:
    left = filled.with_name(".repair-0.db")
    left.write_bytes(b"content")
    with repairing(filled):
        remove_leftovers(filled)
        assert left.exists()
    remove_leftovers(filled)
    assert not left.exists()
