"""A rewound session ends before the message; the copy has all there was, and what moved is still itself."""

from __future__ import annotations

import pytest
from attrs import evolve

from kore_ls.errors import KoreError, MessageNotFound, SessionBusy, SessionClosed, SessionNotFound
from kore_ls.model.event import EventType
from kore_ls.model.ids import MessageId, SessionId, TurnId
from kore_ls.model.message import Message, Role
from kore_ls.model.mode import AgentMode
from kore_ls.model.search import SearchQuery
from kore_ls.model.session import SessionRecord, SessionStatus
from kore_ls.model.turn import AuditEntry, StopReason
from kore_ls.storage.rewind_rows import Rewound
from kore_ls.storage.store import SQLiteStore
from tests.storage.values import message, record, tool_call

S, KEPT = SessionId("s"), SessionId("kept")


async def talked(store: SQLiteStore, turns: int = 3) -> None:
    """A session of turns t1, t2, ...: each has a prompt `pN`, an answer `aN` that used a tool, and a decision."""
    await store.create_session(record("s", name="talk"))
    for number in range(1, turns + 1):
        begun = await store.turns.begin(
            message("s", f"问题 {number}", id=MessageId(f"p{number}")), TurnId(f"t{number}")
        )
        await store.turns.record(
            AuditEntry(
                timestamp=number,
                session_id=S,
                turn_id=begun.turn.turn_id,
                mode=AgentMode.BUILD,
                tool_call={"path": "秘密.py"},
                decision="allow",
                rule="a rule",
                outcome="allowed",
            )
        )
        answer = message(
            "s",
            f"answer {number}",
            id=MessageId(f"a{number}"),
            role=Role.ASSISTANT,
            turn_id=begun.turn.turn_id,
            thinking=f"thought {number}",
            tool_calls=(tool_call(f"c{number}", result=f"result {number}"),),
        )
        await store.turns.end(
            begun.fence, StopReason.END_TURN, message=answer, usage=None, changed_files=[f"{number}.py"]
        )


async def rewound(store: SQLiteStore, message_id: str) -> Rewound:
    def copied(source: SessionRecord) -> SessionRecord:
        return evolve(source, id=KEPT, name="kept", parent_id=source.id)

    return await store.turns.rewind(S, MessageId(message_id), copied)


async def messages(store: SQLiteStore, session_id: SessionId) -> tuple[Message, ...]:
    return (await store.list_messages(session_id)).messages


def apart(found: tuple[Message, ...]) -> list[Message]:
    """Without the session they are in."""
    return [evolve(each, session_id=S) for each in found]


@pytest.mark.parametrize(("at", "left"), [("p1", 0), ("a1", 1), ("p2", 2), ("a2", 3), ("a3", 5)])
async def test_what_follows_is_in_the_copy_alone(store: SQLiteStore, at: str, left: int) -> None:
    await talked(store)
    before = await messages(store, S)
    done = await rewound(store, at)

    assert await messages(store, S) == before[:left]
    assert apart(await messages(store, KEPT)) == list(before)
    assert (done.point.message, done.point.following) == (before[left], 6 - left)
    assert done.session == await store.load_session(S)
    assert done.kept == await store.load_session(KEPT)
    assert (done.session.message_count, done.session.last_seq) == (left, left)
    assert (done.kept.message_count, done.kept.forked_at_seq, done.kept.parent_id) == (6, left, S)
    assert (done.session.last_message and done.session.last_message.seq) == (left or None)
    assert (done.kept.last_message and done.kept.last_message.preview) == "answer 3"
    assert await store.check() == []


async def test_the_session_goes_on_with_the_next_number(store: SQLiteStore) -> None:
    await talked(store)
    await rewound(store, "p2")
    added, _ = await store.add_message(message("s", "another way"))

    assert added.seq == 3
    assert [each.content for each in await messages(store, S)] == ["问题 1", "answer 1", "another way"]
    assert await store.check() == []


async def test_turns_move_with_their_prompts_and_what_was_decided_in_them(store: SQLiteStore) -> None:
    await talked(store)
    done = await rewound(store, "p2")

    assert [turn.turn_id for turn in done.point.turns] == ["t3", "t2"]
    here, there = (await store.turns.page(S, limit=9)).turns, (await store.turns.page(KEPT, limit=9)).turns
    assert [(turn.turn_id, turn.changed_files) for turn in here] == [("t1", ("1.py",))]
    assert [(turn.turn_id, turn.changed_files) for turn in there] == [("t3", ("3.py",)), ("t2", ("2.py",))]
    decided = [(await store.turns.decisions(each, limit=9)).entries for each in (S, KEPT)]
    assert [[entry.turn_id for entry in entries] for entries in decided] == [["t1"], ["t3", "t2"]]
    assert all(
        (entry.tool_call, entry.rule) == ({"path": "秘密.py"}, "a rule") for entries in decided for entry in entries
    )


async def test_a_turn_of_which_something_is_left_ends_where_the_session_does(store: SQLiteStore) -> None:
    await talked(store)
    await rewound(store, "a2")

    assert [(turn.turn_id, turn.last_seq) for turn in (await store.turns.page(S, limit=9)).turns] == [
        ("t2", 3),
        ("t1", 2),
    ]


async def test_a_search_finds_each_message_where_it_is_now(store: SQLiteStore) -> None:
    await talked(store)
    assert (await store.search(SearchQuery(text="问题", budget=None))).hits
    await rewound(store, "p2")

    async def found(text: str) -> list[tuple[str, list[int]]]:
        hits = (await store.search(SearchQuery(text=text, budget=None, archived=None))).hits
        return sorted((hit.session.id, sorted(match.seq for match in hit.matches)) for hit in hits)

    assert await found("问题") == [("kept", [1, 3, 5]), ("s", [1])]
    assert await found('"answer 3"') == [("kept", [6])]


async def test_rewinding_twice_keeps_both(store: SQLiteStore) -> None:
    await talked(store)
    await rewound(store, "p3")
    await store.add_message(message("s", "other"))
    await store.turns.rewind(
        S, MessageId("p2"), lambda source: evolve(source, id=SessionId("kept 2"), parent_id=source.id)
    )

    assert len(await messages(store, KEPT)) == 6
    assert [each.content for each in await messages(store, SessionId("kept 2"))][2:] == ["问题 2", "answer 2", "other"]
    assert len(await messages(store, S)) == 2
    assert await store.check() == []


@pytest.mark.parametrize(
    ("status", "error"), [(SessionStatus.CLOSED, SessionClosed), (SessionStatus.RUNNING, SessionBusy)]
)
async def test_a_session_that_works_or_is_closed_stays(
    store: SQLiteStore, status: SessionStatus, error: type[KoreError]
) -> None:
    await talked(store)
    await store.change_session(S, lambda before: evolve(before, status=status), EventType.SESSION_UPDATED)
    with pytest.raises(error):
        await rewound(store, "p2")
    assert len(await messages(store, S)) == 6


async def test_there_must_be_such_a_message(store: SQLiteStore) -> None:
    with pytest.raises(SessionNotFound):
        await rewound(store, "p1")
    await talked(store)
    for point in (store.turns.rewind_point(S, MessageId("none")), rewound(store, "none")):
        with pytest.raises(MessageNotFound):
            await point
