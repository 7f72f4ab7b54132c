"""Requests to the client: whatever it answers, or doesn't, nobody waits for ever and nobody is disturbed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kore_ls.rpc.faults import ConnectionClosed, ResponseError
from tests.wire_peer import Peer


@pytest.fixture
async def peer() -> Peer:
    peer = Peer()
    await peer.initialize()
    return peer


def ask(peer: Peer, timeout: float | None = None) -> asyncio.Task[Any]:
    return asyncio.create_task(peer.connection.request("client/ask", {"question": "会话?"}, timeout=timeout))


async def test_the_result_of_the_client_arrives(peer: Peer) -> None:
    asking = ask(peer)
    request = await peer.event("client/ask")
    assert request["params"] == {"question": "会话?"}
    peer.answer(request, {"jsonrpc": "nested", "list": [1, None]})
    assert await asking == {"jsonrpc": "nested", "list": [1, None]}


async def test_a_reply_without_a_result_counts_as_null(peer: Peer) -> None:
    asking = ask(peer)
    peer.send({"jsonrpc": "2.0", "id": (await peer.event("client/ask"))["id"]})
    assert await asking is None


async def test_replies_are_told_apart_whatever_their_order(peer: Peer) -> None:
    first, second = ask(peer), ask(peer)
    one, two = await peer.event("client/ask"), await peer.event("client/ask")
    peer.answer(two, 2)
    peer.answer(one, 1)
    assert [await first, await second] == [1, 2]


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        ({"code": -31001, "message": "no", "data": {"kind": "x"}}, -31001, "no"),
        ({"code": "x"}, -32603, "the client failed"),
        ("text", -32603, "the client failed"),
    ],
)
async def test_an_error_of_the_client_is_raised(peer: Peer, error: Any, code: int, message: str) -> None:
    asking = ask(peer)
    peer.send({"jsonrpc": "2.0", "id": (await peer.event("client/ask"))["id"], "error": error, "result": None})
    with pytest.raises(ResponseError) as raised:
        await asking
    assert (raised.value.code, raised.value.message) == (code, message)


async def test_a_cancelled_wait_tells_the_client_and_a_late_reply_is_dropped(peer: Peer) -> None:
    asking = ask(peer)
    request = await peer.event("client/ask")
    asking.cancel()
    assert (await peer.event("$/cancelRequest"))["params"] == {"id": request["id"]}
    peer.answer(request, "late")
    peer.send({"jsonrpc": "2.0", "id": request["id"]})
    assert await peer.result("kore/test/echo", {"value": 1}) == 1
    assert peer.received == []


async def test_a_wait_that_takes_too_long_ends_and_tells_the_client(peer: Peer) -> None:
    asking = ask(peer, timeout=0.01)
    request = await peer.event("client/ask")
    assert (await peer.event("$/cancelRequest"))["params"] == {"id": request["id"]}
    with pytest.raises(TimeoutError):
        await asking


@pytest.mark.parametrize("id_", [1, "kore-99", "other", None])
async def test_a_reply_that_nobody_waits_for_is_dropped(peer: Peer, id_: Any) -> None:
    peer.send({"jsonrpc": "2.0", "id": id_, "result": 1})
    peer.send({"jsonrpc": "2.0", "id": id_, "error": {"code": 1, "message": "x"}})
    assert await peer.result("kore/test/echo", {"value": 1}) == 1
    assert peer.received == []


async def test_the_end_of_the_connection_ends_every_wait(peer: Peer) -> None:
    asking = ask(peer)
    await peer.event("client/ask")
    await peer.connection.close()
    with pytest.raises(ConnectionClosed):
        await asking
    with pytest.raises(ConnectionClosed):
        await ask(peer)


async def test_an_oversize_reply_is_raised_as_an_error(peer: Peer) -> None:
    asking = ask(peer)
    id_ = (await peer.event("client/ask"))["id"]
    peer.raw(
        b"Content-Length: 900000000\r\n\r\n" + b'{"jsonrpc":"2.0","id":"%b","result":"' % id_.encode() + b"x" * 5000
    )
    with pytest.raises(ResponseError):
        await asking
