"""What goes out: few writes, and no end of patience with a client that does not read."""

from __future__ import annotations

import asyncio

import pytest

from tests.wire_peer import Peer


@pytest.fixture
async def peer() -> Peer:
    peer = Peer()
    await peer.initialize()
    return peer


async def test_replies_to_a_batch_of_requests_go_out_in_few_writes(peer: Peer) -> None:
    await peer.result("kore/test/null")
    before = peer.channel.writes
    ids = [peer.call("kore/test/null") for _ in range(100)]
    for id_ in ids:
        await peer.reply(id_)
    assert peer.channel.writes - before < 10


async def test_input_is_paused_while_the_client_does_not_read(peer: Peer) -> None:
    peer.connection.pause_writing()
    assert peer.channel.paused
    peer.connection.resume_writing()
    assert not peer.channel.paused


async def test_a_client_that_never_reads_is_cut_off(peer: Peer) -> None:
    await peer.result("kore/test/null")
    peer.channel.stalled = True
    peer.call("kore/test/big", {"size": 50 << 20, "count": 4})
    async with asyncio.timeout(30):
        await peer.channel.aborted.wait()
    assert peer.channel.get_write_buffer_size() < 250 << 20
