"""Requests in work: side by side, cancelled, waiting, and each answered once."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.wire_peer import Peer


@pytest.fixture
async def peer() -> Peer:
    peer = Peer()
    await peer.initialize()
    return peer


async def test_the_same_id_is_refused_while_its_request_is_in_work(peer: Peer) -> None:
    peer.call("kore/test/wait", id_="same")
    peer.call("kore/test/null", id_="same")
    assert (await peer.reply("same"))["error"]["code"] == -32600
    peer.call("kore/test/release")
    assert (await peer.reply("same"))["result"] == "released"
    peer.call("kore/test/null", id_="same")
    assert (await peer.reply("same"))["result"] is None


async def test_a_number_and_a_string_are_different_ids(peer: Peer) -> None:
    peer.call("kore/test/wait", id_=1000)
    peer.call("kore/test/null", id_="1000")
    assert (await peer.reply("1000"))["result"] is None


async def test_a_slow_request_does_not_hold_up_others(peer: Peer) -> None:
    waiting = peer.call("kore/test/wait")
    assert await peer.result("kore/test/echo", {"value": 1}) == 1
    peer.call("kore/test/release")
    assert (await peer.reply(waiting))["result"] == "released"


async def test_a_cancelled_request_is_stopped_and_answered(peer: Peer) -> None:
    waiting = peer.call("kore/test/wait")
    await peer.event("kore/test/begun")
    peer.notify("$/cancelRequest", {"id": waiting})
    assert (await peer.reply(waiting))["error"]["code"] == -32800
    assert peer.workspace.cancelled.is_set()


async def test_a_request_that_is_cancelled_before_it_begins_is_answered_once(peer: Peer) -> None:
    waiting = peer.call("kore/test/wait")
    peer.notify("$/cancelRequest", {"id": waiting})
    assert (await peer.reply(waiting))["error"]["code"] == -32800
    await peer.result("kore/test/null")
    assert peer.received == []


async def test_requests_wait_for_a_change_of_folders_that_came_before_them(peer: Peer) -> None:
    event = {"added": [{"uri": "file:///new", "name": "new"}], "removed": [{"uri": "file:///code", "name": "work"}]}
    peer.notify("workspace/didChangeWorkspaceFolders", {"event": event})
    assert await peer.result("kore/test/folders") == {"folders": ["file:///new"]}


async def test_input_is_paused_while_requests_in_work_hold_much_of_it(peer: Peer) -> None:
    await peer.result("kore/test/null")
    value = "x" * (30 << 20)
    body = json.dumps({"jsonrpc": "2.0", "id": 0, "method": "kore/test/wait", "params": {"value": value}}).encode()
    for id_ in range(100, 109):
        peer.send(body.replace(b'"id": 0', b'"id": %d' % id_))
    assert peer.channel.paused
    await peer.event("kore/test/begun")
    peer.workspace.release.set()
    for id_ in range(100, 109):
        await peer.reply(id_)
    await asyncio.sleep(0)
    assert not peer.channel.paused
