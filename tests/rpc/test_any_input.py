"""Whatever comes in: each request gets exactly one reply, nothing hangs, and the connection goes on."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kore_ls.rpc.envelope import is_id
from tests.wire_peer import Peer
from tests.wire_table import TABLE

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(), max_size=8)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
NEVER_DONE_ALONE = {"kore/test/wait", "kore/test/big"}
METHODS = st.sampled_from([name for name in TABLE if name not in NEVER_DONE_ALONE] + ["kore/x", "$/x", "initialize"])
FIELDS = st.sampled_from(["sessionId", "name", "mode", "numbers", "value", "folder", "limit", "document", "sessionIds"])
PARAMS = st.dictionaries(FIELDS, JSON | st.sampled_from(["one", "two", "build"]), max_size=4) | JSON
COMMANDS = st.sampled_from(
    [*(name for name in TABLE.commands if not name.endswith(("wait", "big"))), "kore.x", "", None]
)
EXECUTE = st.fixed_dictionaries({"command": COMMANDS, "arguments": st.lists(PARAMS, max_size=2) | JSON})


async def started() -> Peer:
    peer = Peer(grace=0.01)
    await peer.initialize()
    await peer.result("kore/test/null")
    return peer


async def still_serves(peer: Peer) -> None:
    peer.raw(b"\r\n\r\n")
    peer.call("kore/test/echo", {"value": "still here"}, "the last one")
    assert (await peer.reply("the last one"))["result"] == "still here"
    await peer.connection.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(METHODS, PARAMS), min_size=1, max_size=5))
async def test_any_params_of_any_method_get_one_reply(calls: list[tuple[str, Any]]) -> None:
    peer = await started()
    ids = [peer.call(method, params) for method, params in calls]
    for id_ in ids:
        assert ("result" in (reply := await peer.reply(id_))) != ("error" in reply)
    assert not [message for message in peer.received if "method" not in message]
    await still_serves(peer)


@settings(max_examples=60, deadline=None)
@given(st.lists(EXECUTE, min_size=1, max_size=5))
async def test_any_command_with_any_arguments_gets_one_reply(commands: list[Any]) -> None:
    peer = await started()
    ids = [peer.call("workspace/executeCommand", params) for params in commands]
    for id_ in ids:
        await peer.reply(id_)
    assert not [message for message in peer.received if "method" not in message]
    await still_serves(peer)


ENVELOPES = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.sampled_from(["2.0", "1.0", 2, None]),
        "id": JSON,
        "method": METHODS | JSON,
        "params": JSON,
        "result": JSON,
        "error": JSON,
    },
)


@settings(max_examples=100, deadline=None)
@given(st.lists(ENVELOPES | JSON, min_size=1, max_size=5))
async def test_any_json_is_answered_once_if_it_asks_for_something(messages: list[Any]) -> None:
    peer = await started()
    asked: Counter[str] = Counter()
    for message in messages:
        peer.send(json.dumps(message).encode())
        if isinstance(message, dict) and "method" in message and "id" in message:
            asked[json.dumps(message["id"] if is_id(message["id"]) else None)] += 1
    for id_ in asked.elements():
        await peer.reply(json.loads(id_))
    await still_serves(peer)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=60) | st.just(b"Content-Length: 4\r\n\r\n"), max_size=8))
async def test_any_bytes_leave_a_connection_that_serves(chunks: list[bytes]) -> None:
    peer = await started()
    for chunk in chunks:
        peer.raw(chunk)
    peer.raw(b" " * 200_000 if _in_a_body(peer) else b"")
    await still_serves(peer)


def _in_a_body(peer: Peer) -> bool:
    """Whether the bytes announced a body that is not complete: what follows would be taken for it."""
    framer = peer.connection._framer
    return framer._length > 0 or bool(framer._skip or framer._oversize)
