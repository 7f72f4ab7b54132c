"""kore/message/*: appending and reading."""

from __future__ import annotations

import asyncio

import pytest

from tests.client import Client


async def test_add_answers_the_stored_message(client: Client) -> None:
    session = await client.create()
    message = await client.add(session["id"], "帮我实现用户认证", id="m-1", timestamp=123_456, metadata={"k": [None]})
    assert message == {
        "id": "m-1",
        "sessionId": session["id"],
        "seq": 1,
        "role": "user",
        "content": "帮我实现用户认证",
        "timestamp": 123_456,
        "metadata": {"k": [None]},
    }
    page = await client.call("kore/message/list", {"sessionId": session["id"]})
    assert page == {"messages": [message], "hasMore": False}


async def test_ids_and_times_are_given_where_the_client_gives_none(client: Client) -> None:
    session = await client.create()
    one, two = await client.add(session["id"], "a", "assistant"), await client.add(session["id"], "b", "tool")
    assert one["id"] < two["id"]
    assert session["createdAt"] <= one["timestamp"] <= two["timestamp"]
    assert one["metadata"] == {}


async def test_a_message_shows_in_its_session(client: Client) -> None:
    session = await client.create()
    await client.add(session["id"], "first")
    message = await client.add(session["id"], "  long\n\n  text " + "x" * 500, "assistant", timestamp=5)
    after = await client.get(session["id"])
    assert after["messageCount"] == 2
    assert after["updatedAt"] >= session["updatedAt"]
    preview = "long text " + "x" * 110
    assert after["lastMessage"] == {"seq": 2, "role": "assistant", "preview": preview, "timestamp": 5}
    assert message["seq"] == 2


@pytest.mark.parametrize(
    "content", ["", "\0", "a\0b", "\r\n\r", "\ufeff\u2028\u202e", "👩🏽‍💻𠮷", '{"jsonrpc":"2.0"}', " "]
)
async def test_content_comes_back_as_it_was(client: Client, content: str) -> None:
    session = await client.create()
    assert (await client.add(session["id"], content))["content"] == content
    assert await client.contents(session["id"]) == [content]


async def test_the_same_id_again_answers_the_stored_message_and_is_no_news(client: Client) -> None:
    session = await client.create()
    first = await client.add(session["id"], "once", id="m", timestamp=7, metadata={"a": 1})
    state = await client.get(session["id"])
    client.events()
    assert await client.add(session["id"], "once", id="m", timestamp=9) == first
    assert await client.get(session["id"]) == state
    assert client.events() == []


@pytest.mark.parametrize(("role", "content"), [("user", "other"), ("assistant", "once")])
async def test_the_same_id_with_another_message_is_refused(client: Client, role: str, content: str) -> None:
    session = await client.create()
    await client.add(session["id"], "once", id="m")
    where = {"sessionId": session["id"], "role": role, "content": content, "id": "m"}
    error = await client.refused("kore/message/add", where)
    assert error.problems == ["params.id: already names another message of this session"]
    assert await client.contents(session["id"]) == ["once"]


async def test_the_same_id_in_another_session_is_another_message(client: Client) -> None:
    one, two = await client.create(), await client.create()
    await client.add(one["id"], "a", id="m")
    assert (await client.add(two["id"], "b", id="m"))["seq"] == 1


async def test_the_same_message_sent_many_times_at_once_is_stored_once(client: Client) -> None:
    session = await client.create()
    stored = await asyncio.gather(*(client.add(session["id"], "x", id="m") for _ in range(10)))
    assert [message["seq"] for message in stored] == [1] * 10
    assert client.event_types().count("message.added") == 1


async def test_messages_sent_together_are_numbered_in_the_order_sent(client: Client) -> None:
    session = await client.create()
    stored = await asyncio.gather(*(client.add(session["id"], str(n)) for n in range(100)))
    assert [message["seq"] for message in stored] == list(range(1, 101))
    events = [e["data"]["message"]["seq"] for e in client.events() if e["type"] == "message.added"]
    assert events == list(range(1, 101))


async def test_a_closed_session_takes_no_message(client: Client) -> None:
    session = await client.create()
    await client.call("kore/session/close", {"sessionId": session["id"]})
    error = await client.refused("kore/message/add", {"sessionId": session["id"], "role": "user", "content": "x"})
    assert (error.kind, error.params) == ("sessionClosed", {"sessionId": session["id"]})
    assert await client.contents(session["id"]) == []


async def test_a_paused_session_takes_messages(client: Client) -> None:
    session = await client.create()
    await client.call("kore/session/pause", {"sessionId": session["id"]})
    assert (await client.add(session["id"], "x"))["seq"] == 1


async def test_the_longest_content_is_stored_and_one_byte_more_is_not(client: Client) -> None:
    session = await client.create()
    longest = "é" * (8 << 20)
    assert (await client.add(session["id"], longest))["content"] == longest
    where = {"sessionId": session["id"], "role": "user", "content": longest + "x"}
    error = await client.refused("kore/message/add", where)
    assert error.problems == ["params.content: must have at most 16777216 bytes"]
    assert (await client.get(session["id"]))["messageCount"] == 1


@pytest.fixture
async def ten(client: Client) -> str:
    """The id of a session with ten messages, "1" to "10"."""
    session = await client.create()
    for n in range(1, 11):
        await client.add(session["id"], str(n))
    return str(session["id"])


@pytest.mark.parametrize(
    ("params", "first", "last", "more"),
    [
        ({}, 1, 10, False),
        ({"limit": 3}, 8, 10, True),
        ({"limit": 10}, 1, 10, False),
        ({"afterSeq": 0, "limit": 3}, 1, 3, True),
        ({"afterSeq": 7, "limit": 3}, 8, 10, False),
        ({"afterSeq": 7, "limit": 2}, 8, 9, True),
        ({"beforeSeq": 4, "limit": 3}, 1, 3, False),
        ({"beforeSeq": 5, "limit": 3}, 2, 4, True),
        ({"beforeSeq": 99, "limit": 2}, 9, 10, True),
        ({"afterSeq": 2, "beforeSeq": 6}, 3, 5, False),
        ({"afterSeq": 2, "beforeSeq": 8, "limit": 2}, 3, 4, True),
    ],
)
async def test_a_stretch_of_the_history(
    client: Client, ten: str, params: dict[str, int], first: int, last: int, more: bool
) -> None:
    page = await client.call("kore/message/list", {"sessionId": ten} | params)
    assert [message["seq"] for message in page["messages"]] == list(range(first, last + 1))
    assert page["hasMore"] is more


@pytest.mark.parametrize(
    "params", [{"afterSeq": 10}, {"beforeSeq": 1}, {"afterSeq": 5, "beforeSeq": 5}, {"beforeSeq": 0}]
)
async def test_a_stretch_without_messages_is_empty(client: Client, ten: str, params: dict[str, int]) -> None:
    page = await client.call("kore/message/list", {"sessionId": ten} | params)
    assert page == {"messages": [], "hasMore": False}


@pytest.mark.parametrize("limit", [1, 4, 1000])
async def test_walking_either_way_meets_every_message_once(client: Client, ten: str, limit: int) -> None:
    forward: list[int] = []
    more = True
    while more:
        params = {"sessionId": ten, "afterSeq": forward[-1] if forward else 0, "limit": limit}
        page = await client.call("kore/message/list", params)
        forward += [message["seq"] for message in page["messages"]]
        more = page["hasMore"]
    backward: list[int] = []
    more = True
    while more:
        bound = {"beforeSeq": backward[0]} if backward else {}
        page = await client.call("kore/message/list", {"sessionId": ten, "limit": limit} | bound)
        backward = [message["seq"] for message in page["messages"]] + backward
        more = page["hasMore"]
    assert forward == backward == list(range(1, 11))


async def test_a_page_ends_early_at_8_mib_but_is_never_empty(client: Client) -> None:
    session = await client.create()
    for _ in range(4):
        await client.add(session["id"], "x" * (3 << 20))
    await client.add(session["id"], "y" * (9 << 20))
    page = await client.call("kore/message/list", {"sessionId": session["id"], "afterSeq": 0})
    assert [message["seq"] for message in page["messages"]] == [1, 2]
    assert page["hasMore"] is True
    page = await client.call("kore/message/list", {"sessionId": session["id"]})
    assert ([message["seq"] for message in page["messages"]], page["hasMore"]) == ([5], True)
