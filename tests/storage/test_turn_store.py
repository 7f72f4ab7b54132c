from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from attrs import evolve

from kore_ls.errors import (
    BadTransition,
    KoreError,
    LeaseHeld,
    SessionBusy,
    SessionClosed,
    SessionNotFound,
    TurnNotFound,
)
from kore_ls.model.bundle import OnConflict
from kore_ls.model.event import EventType
from kore_ls.model.ids import MessageId, SessionId, TurnId
from kore_ls.model.message import MessageState, Role, ToolStatus
from kore_ls.model.mode import AgentMode
from kore_ls.model.session import SessionStatus, Usage
from kore_ls.model.turn import AuditEntry, Draft, Prompt, StopReason, TurnState
from kore_ls.storage.cipher import Cipher
from kore_ls.storage.lease_rows import EXPIRY_MS
from kore_ls.storage.process import ProcessMark, this_process
from kore_ls.storage.prompt_rows import FOREIGN_MS, WaitingPrompt
from kore_ls.storage.store import SQLiteStore
from kore_ls.storage.turn_rows import BegunTurn
from tests.ciphers import ENCRYPTED_IS_SLOW
from tests.storage.values import bundle, message, record

S = SessionId("s")


class Time:
    def __init__(self) -> None:
        self.now = 1_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def store(path: Path, time: Time, cipher: Cipher | None) -> AsyncIterator[SQLiteStore]:
    store = SQLiteStore(path, cipher, clock=time)
    await store.create_session(record("s"))
    yield store
    await store.close()


@pytest.fixture
async def other(path: Path, time: Time, store: SQLiteStore, cipher: Cipher | None) -> AsyncIterator[SQLiteStore]:
    """Another server on the same file."""
    other = SQLiteStore(path, cipher, clock=time)
    await other.load_session(S)
    yield other
    await other.close()


async def begun(store: SQLiteStore, turn: str = "t") -> BegunTurn:
    return await store.turns.begin(message("s", "prompt", id=MessageId(f"p-{turn}")), TurnId(turn))


async def killed_in_mid_turn(path: Path, passphrase: str) -> None:
    arguments = [sys.executable, "-m", "tests.storage.turn_child", str(path), passphrase]
    await asyncio.to_thread(subprocess.run, arguments, check=False, timeout=60)


async def test_a_turn_is_its_prompt_its_steps_and_its_end(store: SQLiteStore) -> None:
    turn = await begun(store)
    assert (turn.message.seq, turn.session.status, turn.turn.first_seq) == (1, SessionStatus.RUNNING, 1)
    said = message("s", "one", role=Role.ASSISTANT, id=MessageId("a"), turn_id=TurnId("t"))
    assert (await store.turns.end_step(turn.fence, said)).seq == 2
    ended = await store.turns.end(
        turn.fence,
        StopReason.END_TURN,
        message=evolve(said, id=MessageId("b"), content="two"),
        usage=Usage(input_tokens=3, output_tokens=4),
        changed_files=["a.py"],
    )
    assert (ended.message and ended.message.seq, ended.session.status) == (3, SessionStatus.IDLE)
    assert await store.turns.find(TurnId("t")) == ended.turn
    assert (ended.turn.stop_reason, ended.turn.last_seq, ended.turn.changed_files) == (
        StopReason.END_TURN,
        3,
        ("a.py",),
    )
    assert (await store.load_session(S)).usage == Usage(input_tokens=3, output_tokens=4)
    assert [each.content for each in (await store.list_messages(S)).messages] == ["prompt", "one", "two"]


async def test_usage_is_summed_over_turns_and_costs_nobody_knows_stay_unknown(store: SQLiteStore) -> None:
    for number, cost in enumerate([None, 0.5, None, 0.25]):
        turn = await begun(store, f"t{number}")
        usage = Usage(input_tokens=1, output_tokens=2, cost=cost)
        await store.turns.end(turn.fence, StopReason.END_TURN, message=None, usage=usage)
    assert (await store.load_session(S)).usage == Usage(input_tokens=4, output_tokens=8, cost=0.75)


@pytest.mark.parametrize(
    ("state", "error"),
    [
        (SessionStatus.CLOSED, SessionClosed),
        (SessionStatus.PAUSED, BadTransition),
        (SessionStatus.RUNNING, SessionBusy),
    ],
)
async def test_only_an_idle_session_begins_a_turn(
    store: SQLiteStore, state: SessionStatus, error: type[KoreError]
) -> None:
    await store.change_session(S, lambda before: evolve(before, status=state), EventType.SESSION_UPDATED)
    with pytest.raises(error):
        await begun(store)
    assert (await store.list_messages(S)).messages == ()


async def test_a_turn_of_no_session_is_not_begun(store: SQLiteStore) -> None:
    with pytest.raises(SessionNotFound):
        await store.turns.begin(message("none", id=MessageId("p")), TurnId("t"))
    with pytest.raises(TurnNotFound):
        await store.turns.find(TurnId("t"))


async def test_turns_are_listed_newest_first_page_by_page(store: SQLiteStore) -> None:
    for number in range(5):
        turn = await begun(store, f"t{number}")
        await store.turns.end(turn.fence, StopReason.END_TURN, message=None, usage=None)
    found: list[str] = []
    position: int | None = None
    while True:
        page = await store.turns.page(S, limit=2, below=position)
        found += [turn.turn_id for turn in page.turns]
        position = page.position
        if position is None:
            break
    assert found == ["t4", "t3", "t2", "t1", "t0"]


async def test_what_another_server_works_on_can_be_read_renamed_and_written_to_but_not_steered(
    store: SQLiteStore, other: SQLiteStore
) -> None:
    await begun(store)

    async def change(wanted: SessionStatus) -> None:
        step = lambda before: evolve(before, status=wanted)  # noqa: E731
        await other.change_session(S, step, EventType.SESSION_UPDATED, exclusive=True)

    for refused in (
        begun(other, "u"),
        change(SessionStatus.CLOSED),
        change(SessionStatus.PAUSED),
        other.remove_session(S),
        other.import_sessions([bundle("s")], OnConflict.REPLACE),
    ):
        with pytest.raises(LeaseHeld) as error:
            await refused
        assert str(this_process().pid) in str(error.value.params["holder"])
    await other.change_session(S, lambda before: evolve(before, name="new"), EventType.SESSION_UPDATED)
    await other.add_message(message("s", "note"))
    await change(SessionStatus.RUNNING)  # no change
    await other.turns.look()
    lease = other.turns.lease_of(S)
    assert lease is not None and not lease.mine


async def test_a_lease_lives_as_long_as_its_heartbeat(store: SQLiteStore, other: SQLiteStore, time: Time) -> None:
    turn = await begun(store)
    time.now += EXPIRY_MS - 1
    await store.turns.renew()
    time.now += EXPIRY_MS
    assert (await other.turns.look()).sessions == ()
    time.now += 1
    recovery = await other.turns.look()
    assert [each.turn.stop_reason for each in recovery.turns] == [StopReason.INTERRUPTED]
    with pytest.raises(LeaseHeld):
        await store.turns.save_draft(turn.fence, Draft(message_id=MessageId("m"), text="late"))
    again = await begun(other, "u")
    for late in (
        store.turns.end_step(turn.fence, message("s", "late", id=MessageId("m"))),
        store.turns.end(turn.fence, StopReason.END_TURN, message=None, usage=None),
        store.turns.keep(turn.fence, "a.py", b"", b""),
    ):
        with pytest.raises(LeaseHeld):
            await late
    await other.turns.end(again.fence, StopReason.END_TURN, message=None, usage=None)


async def test_an_expiry_far_ahead_is_not_believed(store: SQLiteStore, other: SQLiteStore, time: Time) -> None:
    await begun(store)
    time.now -= 3_600_000
    assert (await other.turns.look()).sessions == (S,)


@ENCRYPTED_IS_SLOW
async def test_what_a_killed_process_left_is_ended_by_whoever_opens_the_store_next(
    path: Path, cipher: Cipher | None, passphrase: str
) -> None:
    await killed_in_mid_turn(path, passphrase)
    store = SQLiteStore(path, cipher)
    try:
        assert (await store.load_session(S)).status is SessionStatus.IDLE
        turn = await store.turns.find(TurnId("t"))
        assert (turn.state, turn.stop_reason, turn.last_seq) == (TurnState.DONE, StopReason.INTERRUPTED, 2)
        _, said, waited = (await store.list_messages(S)).messages
        assert (waited.role, waited.content, waited.state) == (Role.USER, "waits", MessageState.INTERRUPTED)
        assert waited.metadata == {"context": [{"uri": "file:///a", "text": "unsaved"}]}
        assert (await store.turns.find(TurnId("w"))).stop_reason is StopReason.INTERRUPTED
        assert await store.turns.todo(S) == ["[ ] still to do"]
        assert (said.id, said.content, said.thinking) == ("m", "half an ans", "hm")
        assert said.state is MessageState.INTERRUPTED
        assert [call.status for call in said.tool_calls or ()] == [ToolStatus.COMPLETED, ToolStatus.CANCELLED]
        await begun(store, "u")
    finally:
        await store.close()


async def test_a_killed_process_is_noticed_by_those_who_have_the_store_open(
    path: Path, store: SQLiteStore, time: Time, passphrase: str
) -> None:
    time.now = 1  # so that no clock plays a part
    await store.remove_session(S)
    await killed_in_mid_turn(path, passphrase)
    recovery = await store.turns.look()
    assert [each.turn.turn_id for each in recovery.turns] == ["t", "w"]
    assert (await store.load_session(S)).status is SessionStatus.IDLE


async def test_a_paused_session_stays_paused_when_its_turn_is_interrupted(
    store: SQLiteStore, other: SQLiteStore, time: Time
) -> None:
    await begun(store)
    pause = lambda before: evolve(before, status=SessionStatus.PAUSED)  # noqa: E731
    await store.change_session(S, pause, EventType.SESSION_UPDATED, exclusive=True)
    time.now += EXPIRY_MS + 1
    await other.turns.look()
    assert (await other.load_session(S)).status is SessionStatus.PAUSED


def test_a_process_is_gone_only_where_that_is_proved() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    me = this_process()
    assert not me.is_gone()
    assert evolve(me, started="1").is_gone()
    assert evolve(me, boot_id="other").is_gone()
    assert not ProcessMark(host="elsewhere", boot_id="other", pid=child.pid, started="1").is_gone()
    child.communicate(timeout=60)
    assert evolve(me, pid=child.pid).is_gone()


async def test_decisions_are_kept_and_read_newest_first(store: SQLiteStore) -> None:
    await store.create_session(record("s2"))
    for number in range(3):
        for session in ("s", "s2"):
            entry = AuditEntry(
                session_id=SessionId(session),
                turn_id=TurnId("t"),
                tool_call={"name": f"tool {number}"},
                mode=AgentMode.BUILD,
                decision="allow",
                rule="r",
                timestamp=number,
            )
            await store.turns.record(entry)
    page = await store.turns.decisions(S, limit=2)
    assert [entry.tool_call["name"] for entry in page.entries] == ["tool 2", "tool 1"]
    page = await store.turns.decisions(S, limit=2, below=page.position)
    assert ([entry.timestamp for entry in page.entries], page.position) == ([0], None)
    assert len((await store.turns.decisions(None, limit=10)).entries) == 6


async def test_before_images_are_stored_once_and_forgotten_after_30_days(store: SQLiteStore, time: Time) -> None:
    turn = await begun(store)
    await store.turns.keep(turn.fence, "a.py", b"one", b"two")
    await store.turns.keep(turn.fence, "a.py", b"two", b"three")
    await store.turns.keep(turn.fence, "b.py", b"one", None)
    await store.turns.keep(turn.fence, "new.py", None, b"x")
    await store.turns.keep(turn.fence, "big.bin", bytes((10 << 20) + 1), b"")
    first, second, new, big = await store.turns.snapshots(TurnId("t"))
    assert first.before == second.before != first.after
    assert (second.after, new.before, big.kept) == (None, None, False)
    assert await store.turns.content(first.before or "") == b"one"
    time.now += 30 * 24 * 3600 * 1000
    await store.turns.purge()
    assert len(await store.turns.snapshots(TurnId("t"))) == 4
    time.now += 1
    await store.turns.purge()
    assert (await store.turns.snapshots(TurnId("t")), await store.turns.content(first.before or "")) == ([], None)


async def test_a_change_that_did_not_happen_leaves_the_image_of_the_one_before_or_none(store: SQLiteStore) -> None:
    turn = await begun(store)
    await store.turns.keep(turn.fence, "a.py", b"one", b"two")
    await store.turns.keep(turn.fence, "b.py", b"one", b"two")
    (before, _) = await store.turns.snapshots(TurnId("t"))
    await store.turns.keep(turn.fence, "a.py", b"two", b"three")
    await store.turns.unchanged(turn.fence, "a.py", b"two")
    await store.turns.unchanged(turn.fence, "b.py", b"one")
    await store.turns.unchanged(turn.fence, "c.py", b"one")
    assert list(await store.turns.snapshots(TurnId("t"))) == [before]


async def test_a_removed_session_takes_its_turns_with_it(store: SQLiteStore) -> None:
    turn = await begun(store)
    await store.turns.end(turn.fence, StopReason.END_TURN, message=None, usage=None)
    await store.remove_session(S)
    with pytest.raises(TurnNotFound):
        await store.turns.find(TurnId("t"))


async def test_a_prompt_that_waits_in_a_living_process_is_left_alone_and_taken_once(
    store: SQLiteStore, other: SQLiteStore, time: Time
) -> None:
    for name in ("one", "two", "three"):
        await store.turns.wait(waiting(name))
    time.now += 100 * FOREIGN_MS
    for each in (store, other):
        assert (await each.turns.look()).turns == ()
    await store.turns.begin(message("s", "one", id=MessageId("p")), TurnId("one"), waited=True)
    with pytest.raises(TurnNotFound):
        await store.turns.begin(message("s", "one", id=MessageId("q")), TurnId("one"), waited=True)
    await store.turns.drop([TurnId("two"), TurnId("one")])
    left = await other.turns.leave([waiting(name) for name in ("one", "two", "three")], StopReason.CANCELLED)
    assert [(each.turn.turn_id, each.message and each.message.state) for each in left] == [
        ("three", MessageState.CANCELLED)
    ]
    assert [each.content for each in (await store.list_messages(S)).messages] == ["one", "three"]


async def test_a_turn_that_does_not_begin_leaves_its_prompt_waiting(store: SQLiteStore) -> None:
    await store.turns.wait(waiting("w"))
    await begun(store)
    with pytest.raises(SessionBusy):
        await store.turns.begin(message("s", "w", id=MessageId("w")), TurnId("w"), waited=True)
    assert len(await store.turns.leave([waiting("w")], StopReason.ERROR)) == 1


def waiting(name: str) -> WaitingPrompt:
    return WaitingPrompt(turn_id=TurnId(name), session_id=S, prompt=Prompt(text=name))
