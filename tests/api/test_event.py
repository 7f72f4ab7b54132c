"""kore/event: who hears what, and when."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kore_ls.model.event import EventType
from tests.client import Client, Connect, Json


async def _life(client: Client) -> Json:
    """Make a session and do everything to it that is news."""
    session = await client.create(name="s")
    where = {"sessionId": session["id"]}
    await client.add(session["id"], "hello")
    await client.call("kore/session/rename", where | {"name": "t"})
    await client.call("kore/session/pause", where)
    await client.call("kore/session/close", where)
    await client.call("kore/session/delete", where)
    await client.call("kore/session/restore", where)
    return session


LIFE = [
    "session.created",
    "session.switched",
    "message.added",
    "session.updated",
    "session.updated",
    "session.closed",
    "session.deleted",
    "session.restored",
]


async def test_every_fact_is_told_once_in_order_and_counted(client: Client, folder: Path) -> None:
    session = await _life(client)
    events = client.events()
    assert [event["type"] for event in events] == LIFE
    assert [event["seq"] for event in events] == list(range(1, len(LIFE) + 1))
    for event in events:
        assert event["folder"] == folder.as_uri()
        assert event["sessionId"] == session["id"]
        assert event["timestamp"] >= session["createdAt"]
    assert events[-2]["data"]["session"]["deleted"] is True
    assert "deleted" not in events[-1]["data"]["session"]


async def test_an_event_carries_what_the_reply_carries(client: Client) -> None:
    session = await client.create()
    created, switched = client.events()
    assert created["data"]["session"] | {"active": True} == session
    assert switched["data"] == {"session": session}
    message = await client.add(session["id"], "x")
    (event,) = client.events()
    assert event["data"] == {"message": message}


async def test_a_request_is_told_before_it_is_answered(client: Client) -> None:
    session = await client.create()
    order: list[str] = []
    stop = client.workspace.folders[0].manager.events.listen(lambda event: order.append(event.type.value))
    await client.add(session["id"], "x")
    order.append("reply")
    stop()
    assert order == ["message.added", "reply"]


async def test_nothing_is_told_of_what_failed(client: Client) -> None:
    await client.refused("kore/session/create", {"name": ""})
    session = await client.create()
    client.events()
    await client.refused("kore/session/fork", {"sessionId": session["id"], "messageId": "no"})
    await client.refused("kore/session/resume", {"sessionId": session["id"]})
    await client.refused("kore/session/import", {"document": {"format": "kore-session"}})
    assert client.events() == []


async def test_who_did_not_ask_hears_nothing(connect: Connect, folder: Path) -> None:
    client = await connect(folder, events=False)
    await _life(client)
    assert client.heard == []


async def test_a_list_of_types_chooses(connect: Connect, folder: Path) -> None:
    client = await connect(folder, events=("message.added", "session.closed", "no.such"))
    await _life(client)
    events = client.events()
    assert [(event["type"], event["seq"]) for event in events] == [("message.added", 1), ("session.closed", 2)]


async def test_subscribing_later_starts_narrows_and_stops_the_events(connect: Connect, folder: Path) -> None:
    client = await connect(folder, events=False)
    one, two = await client.create(), await client.create()
    everything = await client.call("kore/event/subscribe")
    assert everything == {"types": [each.value for each in EventType]}
    await client.add(one["id"], "a")
    assert await client.call("kore/event/subscribe", {"types": ["message.added"], "sessionId": two["id"]}) == {
        "types": ["message.added"]
    }
    await client.add(one["id"], "b")
    await client.add(two["id"], "c")
    await client.call("kore/session/rename", {"sessionId": two["id"], "name": "n"})
    assert await client.call("kore/event/unsubscribe") == {"types": []}
    await client.add(two["id"], "d")
    assert [(e["data"]["message"]["content"], e["seq"]) for e in client.events()] == [("a", 1), ("c", 2)]


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"types": ["no.such"]}, "params.types[0]: must be one of "),
        ({"types": "message.added"}, "params.types: must be an array"),
        ({"sessionId": "../x"}, "params.sessionId: must be 1 to 64 letters"),
    ],
)
async def test_a_bad_subscription_leaves_the_old_one(client: Client, params: Json, problem: str) -> None:
    error = await client.refused("kore/event/subscribe", params)
    assert error.problems[0].startswith(problem)
    await client.create()
    assert client.event_types() == ["session.created", "session.switched"]


async def test_all_connections_with_the_folder_open_hear_of_it_and_no_others(connect: Connect, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    one, two, other = await connect(here), await connect(here), await connect(there)
    session = await one.create()
    assert one.event_types() == two.event_types() == ["session.created", "session.switched"]
    await two.add(session["id"], "x")
    assert one.event_types() == two.event_types() == ["message.added"]
    assert other.events() == []


async def test_a_folder_that_was_closed_is_not_heard_of_again(connect: Connect, folder: Path) -> None:
    one, two = await connect(folder), await connect(folder)
    await two.workspace.close_folder(folder.as_uri())
    await one.create()
    assert two.events() == []


async def test_each_connection_names_the_folder_as_it_opened_it(connect: Connect, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    one, two = await connect(folder), await connect(tmp_path / "link")
    session = await one.create()
    assert {event["folder"] for event in two.events()} == {(tmp_path / "link").as_uri()}
    assert (await two.get(session["id"]))["folder"] == (tmp_path / "link").as_uri()


async def test_a_change_by_another_process_is_told_as_such(client: Client, connect: Connect, folder: Path) -> None:
    from kore_ls import SQLiteStore
    from kore_ls.model.event import EventType
    from kore_ls.model.ids import SessionId

    session = await client.create()
    client.events()
    other = SQLiteStore(folder / ".kore" / "sessions.db")

    def rename(record: Any) -> Any:
        from attrs import evolve

        return evolve(record, name="renamed elsewhere")

    await other.change_session(SessionId(session["id"]), rename, EventType.SESSION_UPDATED)
    await other.close()
    event = await client.event("store.changed")
    assert event["data"] == {"sessions": [session["id"]], "kinds": ["session.updated"]}
    assert "sessionId" not in event
    assert (await client.get(session["id"]))["name"] == "renamed elsewhere"


async def test_own_changes_are_not_told_as_those_of_another_process(connect: Connect, folder: Path) -> None:
    from kore_ls import SQLiteStore

    one = await connect(folder)
    session = await one.create()
    for n in range(20):
        await one.add(session["id"], str(n))
    other = SQLiteStore(folder / ".kore" / "sessions.db")
    await other.save_session((await one.workspace.folders[0].manager.get_session(session["id"])).evolve(name="theirs"))
    await other.close()
    await one.event("store.changed")  # the first one is about the other process
    assert (await one.get(session["id"]))["name"] == "theirs"


async def test_events_of_a_session_that_is_not_there_can_not_be_had(client: Client) -> None:
    refused = await client.refused("kore/event/subscribe", {"sessionId": "nope"})
    assert refused.kind == "sessionNotFound"
