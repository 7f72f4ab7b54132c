from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest
from attrs import evolve

from kore_ls.errors import (
    BadTransition,
    InvalidParams,
    MessageNotFound,
    SessionClosed,
    SessionExists,
    SessionNotFound,
)
from kore_ls.model.event import EventType
from kore_ls.model.ids import MessageId, SessionId, now_ms
from kore_ls.model.limits import CONTENT_BYTES
from kore_ls.model.message import Message, MessageState, Role, ToolStatus
from kore_ls.model.mode import AgentMode
from kore_ls.model.session import (
    AgentChoice,
    ForkPoint,
    LastMessage,
    SessionRecord,
    SessionStatus,
    Usage,
    check_transition,
)
from kore_ls.storage.cipher import Cipher
from kore_ls.storage.session_rows import SessionQuery
from kore_ls.storage.store import SQLiteStore
from tests.storage.values import message, record, tool_call


async def test_a_store_that_does_not_exist_reads_as_empty_and_is_not_made(store: SQLiteStore, path: Path) -> None:
    assert (await store.list_sessions(SessionQuery())).sessions == ()
    assert await store.active_session() is None
    assert not (await store.status()).exists
    assert await store.check() == []
    assert await store.repair() == []
    await store.flush()
    for missing in (
        store.load_session(SessionId("s")),
        store.list_messages(SessionId("s")),
        store.find_message(SessionId("s"), MessageId("m")),
        store.add_message(message("s")),
        store.remove_session(SessionId("s")),
    ):
        with pytest.raises(SessionNotFound):
            await missing

    assert not path.parent.exists()


async def test_the_first_write_makes_a_private_store(store: SQLiteStore, path: Path) -> None:
    await store.create_session(record())

    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o600}
    status = await store.status()
    assert (status.exists, status.sessions, status.messages, status.journal_mode) == (True, 1, 0, "wal")
    assert status.bytes == sum(each.stat().st_size for each in path.parent.iterdir())


async def test_everything_about_a_session_survives(store: SQLiteStore, path: Path, cipher: Cipher | None) -> None:
    made = record(
        name="名字 \U0001f600",
        agent_mode=AgentMode.PLAN,
        status=SessionStatus.PAUSED,
        metadata={"k": [1, 2.5, None, True, {"深": "x"}], "big": 2**53 - 1},
        tags=("b", "a"),
        description="line\nline",
        pinned=True,
        archived=True,
        deleted_at=now_ms(),
        imported=True,
        parent_id=SessionId("p"),
        forked_at_seq=3,
        usage=Usage(input_tokens=1, output_tokens=2, cost=0.5),
        agent=AgentChoice(backend="model", name="n", model="m"),
        config={"a": 1},
    )
    await store.create_session(made)
    await store.close()

    reopened = SQLiteStore(path, cipher)
    try:
        assert await reopened.load_session(made.id, deleted=True) == made
    finally:
        await reopened.close()


async def test_everything_about_a_message_survives(store: SQLiteStore, path: Path, cipher: Cipher | None) -> None:
    session = await store.create_session(record())
    calls = (
        tool_call("one", result={"lines": ["x", "\U0001f600"]}, started_at=1, ended_at=2),
        tool_call("two", ToolStatus.FAILED, arguments={}, result="no"),
    )
    sent = message(
        session.id,
        "a\0b \U0001f600 深\r\n",
        role=Role.ASSISTANT,
        id=MessageId("m-1"),
        timestamp=77,
        metadata={"k": "v"},
        state=MessageState.INTERRUPTED,
        thinking="hm",
        tool_calls=calls,
    )
    stored, added = await store.add_message(sent)
    await store.close()

    reopened = SQLiteStore(path, cipher)
    try:
        found = await reopened.find_message(session.id, MessageId("m-1"))
    finally:
        await reopened.close()
    assert added
    assert stored == evolve(sent, seq=1)
    assert found == evolve(sent, seq=1, tool_calls=tuple(evolve(c, message_id=MessageId("m-1")) for c in calls))


async def test_the_largest_content_survives(store: SQLiteStore) -> None:
    session = await store.create_session(record())
    content = "深\0" + "x" * (CONTENT_BYTES - 4)

    stored, _ = await store.add_message(message(session.id, content))

    assert (await store.find_message(session.id, stored.id)).content == content
    last = (await store.load_session(session.id)).last_message
    assert last is not None
    assert len(last.preview) == 120


async def test_messages_are_numbered_from_one_and_counted(store: SQLiteStore) -> None:
    session = await store.create_session(record(updated_at=1))

    stored = [(await store.add_message(message(session.id, f"m {n}", timestamp=9 - n)))[0] for n in range(3)]

    after = await store.load_session(session.id)
    assert [each.seq for each in stored] == [1, 2, 3]
    assert (await store.list_messages(session.id)).messages == tuple(stored)
    assert (after.message_count, after.last_seq) == (3, 3)
    assert after.last_message == LastMessage(seq=3, role=Role.USER, preview="m 2", timestamp=7)
    assert after.updated_at > session.updated_at


async def test_the_same_message_id_again_answers_the_stored_message(store: SQLiteStore) -> None:
    session = await store.create_session(record())
    sent = message(session.id, "once", id=MessageId("mine"))

    first, added = await store.add_message(sent)
    again, added_again = await store.add_message(evolve(sent, timestamp=5, metadata={"other": 1}))

    assert (added, added_again) == (True, False)
    assert again == first
    for other in (evolve(sent, content="twice"), evolve(sent, role=Role.SYSTEM)):
        with pytest.raises(InvalidParams):
            await store.add_message(other)
    assert (await store.load_session(session.id)).message_count == 1


async def test_a_message_id_may_be_used_in_every_session(store: SQLiteStore) -> None:
    first, second = [await store.create_session(record()) for _ in range(2)]

    results = [await store.add_message(message(each.id, each.id, id=MessageId("m"))) for each in (first, second)]

    assert [added for _, added in results] == [True, True]


async def test_what_is_closed_deleted_or_gone_takes_no_message(store: SQLiteStore) -> None:
    closed = await store.create_session(record(status=SessionStatus.CLOSED))
    deleted = await store.create_session(record(deleted_at=now_ms()))
    removed = await store.create_session(record())
    await store.remove_session(removed.id)

    with pytest.raises(SessionClosed):
        await store.add_message(message(closed.id))
    with pytest.raises(SessionNotFound) as caught:
        await store.add_message(message(deleted.id))
    assert caught.value.params["deleted"] is True
    with pytest.raises(SessionNotFound):
        await store.add_message(message(removed.id))
    with pytest.raises(SessionNotFound):
        await store.add_message(message("unknown"))


@pytest.mark.parametrize(
    ("bounds", "seqs", "more"),
    [
        ({}, [8, 9, 10], True),
        ({"after": 0}, [1, 2, 3], True),
        ({"after": 7}, [8, 9, 10], False),
        ({"after": 10}, [], False),
        ({"before": 4}, [1, 2, 3], False),
        ({"before": 5}, [2, 3, 4], True),
        ({"before": 1}, [], False),
        ({"after": 3, "before": 6}, [4, 5], False),
    ],
)
async def test_messages_come_in_stretches_always_ascending(
    store: SQLiteStore, bounds: dict[str, int], seqs: list[int], more: bool
) -> None:
    session = await store.create_session(record())
    await asyncio.gather(*(store.add_message(message(session.id)) for _ in range(10)))

    page = await store.list_messages(session.id, limit=3, **bounds)

    assert ([each.seq for each in page.messages], page.has_more) == (seqs, more)


async def test_a_page_of_messages_ends_early_but_never_empty_handed(store: SQLiteStore) -> None:
    session = await store.create_session(record())
    for content in ("x" * (9 << 20), "y" * (5 << 20), "z" * (5 << 20)):
        await store.add_message(message(session.id, content))

    page = await store.list_messages(session.id, after=0)
    rest = await store.list_messages(session.id, after=1)

    assert ([each.seq for each in page.messages], page.has_more) == ([1], True)
    assert ([each.seq for each in rest.messages], rest.has_more) == ([2], True)


async def test_an_id_is_taken_once(store: SQLiteStore) -> None:
    await store.create_session(record("taken"))
    await store.create_session(record("deleted", deleted_at=now_ms()))

    with pytest.raises(SessionExists) as plain:
        await store.create_session(record("taken"))
    with pytest.raises(SessionExists) as hidden:
        await store.create_session(record("deleted"))

    assert "deleted" not in plain.value.params
    assert hidden.value.params["deleted"] is True


async def test_an_id_is_free_again_as_soon_as_its_session_was_removed(store: SQLiteStore) -> None:
    await store.create_session(record("again", name="old"))
    await store.add_message(message("again", "old"))

    await store.remove_session(SessionId("again"))
    await store.create_session(record("again", name="new"))

    assert (await store.load_session(SessionId("again"))).message_count == 0
    assert (await store.list_messages(SessionId("again"))).messages == ()


async def test_removed_sessions_leave_no_rows_behind(store: SQLiteStore, path: Path) -> None:
    session = await store.create_session(record())
    calls = (tool_call(),)
    await asyncio.gather(*(store.add_message(message(session.id, tool_calls=calls)) for _ in range(1_200)))

    await store.remove_session(session.id)
    with pytest.raises(SessionNotFound):
        await store.load_session(session.id, deleted=True)
    opened = await store._file.open()
    assert opened is not None
    await store.purge.settle()

    for table in ("sessions", "messages", "tool_calls"):
        assert await opened.reader.run(lambda db, table=table: db.execute(f"SELECT 1 FROM {table}").fetchall()) == []  # type: ignore[misc]


async def test_default_names_count_up_and_skip_what_is_in_use(store: SQLiteStore) -> None:
    await store.create_session(record(name="会话 2"))

    names = [(await store.create_session(record(name=""), name_prefix="会话")).name for _ in range(3)]

    assert names == ["会话 1", "会话 3", "会话 4"]


async def test_sessions_made_at_once_get_different_default_names(store: SQLiteStore) -> None:
    made = await asyncio.gather(*(store.create_session(record(name=""), name_prefix="S") for _ in range(50)))

    assert len({each.name for each in made}) == 50


async def test_saving_stores_new_sessions_and_keeps_the_counters_of_known_ones(store: SQLiteStore) -> None:
    made = await store.save_session(record(name="old"))
    await store.add_message(message(made.id))

    saved = await store.save_session(evolve(made, name="new", message_count=99, metadata={"a": 1}))

    assert (saved.name, saved.message_count, saved.metadata) == ("new", 1, {"a": 1})
    assert await store.load_session(made.id) == saved


async def test_a_change_that_refuses_changes_nothing(store: SQLiteStore) -> None:
    session = await store.create_session(record())

    def refuse(before: SessionRecord) -> SessionRecord:
        check_transition(before.id, before.status, before.status)
        return evolve(before, name="never")

    with pytest.raises(BadTransition):
        await store.change_session(session.id, refuse, EventType.SESSION_UPDATED)

    assert await store.load_session(session.id) == session


async def test_changes_at_once_lose_nothing(store: SQLiteStore) -> None:
    session = await store.create_session(record(metadata={"n": 0}))

    def count(before: SessionRecord) -> SessionRecord:
        return evolve(before, metadata={"n": before.metadata["n"] + 1})

    await asyncio.gather(*(store.change_session(session.id, count, EventType.SESSION_UPDATED) for _ in range(300)))

    assert (await store.load_session(session.id)).metadata == {"n": 300}


async def test_the_active_session_is_remembered(store: SQLiteStore, path: Path) -> None:
    session = await store.create_session(record(status=SessionStatus.CLOSED))

    before, after = await store.activate_session(session.id, lambda r: evolve(r, status=SessionStatus.IDLE))

    assert (before.status, after.status) == (SessionStatus.CLOSED, SessionStatus.IDLE)
    assert await store.active_session() == session.id


async def forked(store: SQLiteStore, source: SessionRecord, point: ForkPoint) -> tuple[SessionRecord, list[Message]]:
    fork = await store.fork_session(record(parent_id=source.id), point)
    return fork, list((await store.list_messages(fork.id, after=0)).messages)


async def test_a_fork_copies_up_to_its_point_and_cancels_what_was_unfinished(store: SQLiteStore) -> None:
    source = await store.create_session(record())
    calls = tuple(tool_call(status.value, status) for status in ToolStatus)
    for number in range(3):
        await store.add_message(message(source.id, f"m {number}", id=MessageId(f"m{number}"), tool_calls=calls))
    before = await store.list_messages(source.id)

    fork, messages = await forked(store, source, ForkPoint(message_id=MessageId("m1")))

    assert (fork.parent_id, fork.forked_at_seq, fork.message_count) == (source.id, 2, 2)
    assert [(each.id, each.seq, each.content) for each in messages] == [("m0", 1, "m 0"), ("m1", 2, "m 1")]
    statuses = {call.id: call.status for call in messages[1].tool_calls or ()}
    assert statuses == {
        "pending": ToolStatus.CANCELLED,
        "inProgress": ToolStatus.CANCELLED,
        "completed": ToolStatus.COMPLETED,
        "failed": ToolStatus.FAILED,
        "denied": ToolStatus.DENIED,
        "cancelled": ToolStatus.CANCELLED,
    }
    assert await store.list_messages(source.id) == before
    stored, _ = await store.add_message(message(fork.id, "on"))
    assert stored.seq == 3


async def test_a_fork_reaches_as_far_as_it_is_told(store: SQLiteStore) -> None:
    source = await store.create_session(record())
    for _ in range(2):
        await store.add_message(message(source.id))

    whole, all_messages = await forked(store, source, ForkPoint())
    empty, none = await forked(store, source, ForkPoint(empty=True))

    assert (whole.forked_at_seq, len(all_messages)) == (2, 2)
    assert (empty.forked_at_seq, none, empty.last_message) == (0, [], None)
    with pytest.raises(MessageNotFound):
        await store.fork_session(record(parent_id=source.id), ForkPoint(message_id=MessageId("nowhere")))
    with pytest.raises(SessionNotFound):
        await store.fork_session(record(parent_id=SessionId("nowhere")), ForkPoint())


async def test_finding_a_message_says_what_is_missing(store: SQLiteStore) -> None:
    session = await store.create_session(record())

    with pytest.raises(MessageNotFound):
        await store.find_message(session.id, MessageId("nowhere"))
    with pytest.raises(SessionNotFound):
        await store.find_message(SessionId("nowhere"), MessageId("nowhere"))


async def test_a_closed_store_stays_closed(store: SQLiteStore, path: Path) -> None:
    await store.create_session(record())

    await store.close()
    await store.close()

    with pytest.raises(ValueError, match="closed"):
        await store.create_session(record())
    assert [each.name for each in path.parent.iterdir()] == [path.name]
