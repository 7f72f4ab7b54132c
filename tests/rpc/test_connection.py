"""What a peer answers, message by message: each request once, whatever it is and whatever becomes of it."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from kore_ls.model.limits import WIRE_BYTES
from kore_ls.rpc.connection import GREETING_BYTES
from tests.wire_peer import ABSENT, Peer


@pytest.fixture
async def peer() -> Peer:
    peer = Peer()
    await peer.initialize()
    return peer


@pytest.mark.parametrize("params", [ABSENT, None, {}, []])
async def test_params_may_be_missing_null_or_empty_where_all_are_optional(peer: Peer, params: Any) -> None:
    assert await peer.result("kore/test/sum", params) == 0


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"numbers": "12"}, "params.numbers: must be an array"),
        ({"numbers": [1, "2"]}, "params.numbers[1]: must be an integer"),
        ({"numbers": [True]}, "params.numbers[0]: must be an integer"),
        ([1], "params: must be an object"),
        ("text", "params: must be an object"),
        (7, "params: must be an object"),
    ],
)
async def test_wrong_params_are_answered_with_the_place_of_the_problem(peer: Peer, params: Any, problem: str) -> None:
    error = await peer.error("kore/test/sum", params)
    assert error["code"] == -32602
    assert error["data"] == {"kind": "invalidParams", "params": {}, "problems": [problem]}


async def test_a_missing_param_is_named(peer: Peer) -> None:
    error = await peer.error("kore/session/rename", {"sessionId": "one"})
    assert error["data"]["problems"] == ["params.name: is required"]


async def test_a_nested_jsonrpc_key_and_other_strange_keys_change_nothing(peer: Peer) -> None:
    value = {"jsonrpc": "2.0", "id": 1, "method": "x", "type_name": "T", "x-y": [{"jsonrpc": "1.0"}], "class": "文字🎉"}
    assert await peer.result("kore/test/echo", {"value": value}) == value


async def test_extra_keys_in_the_envelope_are_ignored(peer: Peer) -> None:
    peer.send({"jsonrpc": "2.0", "id": 50, "method": "kore/test/null", "trace": [1], "extra": {"jsonrpc": 1}})
    assert (await peer.reply(50))["result"] is None


async def test_text_is_sent_as_utf_8_not_escaped(peer: Peer) -> None:
    await peer.result("kore/test/echo", {"value": "会话"})
    assert "会话".encode() in peer.channel.bytes


async def test_optional_fields_without_a_value_are_left_out_of_a_result(peer: Peer) -> None:
    page = await peer.result("kore/session/list")
    assert "nextCursor" not in page
    assert page["sessions"][1] == {
        "id": "two",
        "name": "second",
        "folder": "file:///code",
        "mode": "build",
        "active": False,
    }


async def test_a_domain_error_carries_its_kind_and_facts(peer: Peer) -> None:
    assert await peer.error("kore/session/close", {"sessionId": "gone"}) == {
        "code": -31001,
        "message": "session not found",
        "data": {"kind": "sessionNotFound", "params": {"sessionId": "gone"}},
    }


@pytest.mark.parametrize("method", ["kore/test/crash", "kore/test/leave", "kore/test/stray-cancel"])
async def test_an_unexpected_failure_shows_a_reference_and_nothing_else(
    peer: Peer, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    error = await peer.error(method, {"value": "the user's words"})
    reference = error["data"]["reference"]
    assert error == {"code": -32603, "message": "internal error", "data": {"kind": "internal", "reference": reference}}
    assert reference in caplog.text
    assert "wire_table.py" in caplog.text
    assert "the user's words" not in caplog.text


@pytest.mark.parametrize("method", ["kore/test/unsendable", "kore/test/unsendable-error"])
async def test_what_can_not_be_sent_is_answered_as_an_internal_error(peer: Peer, method: str) -> None:
    assert (await peer.error(method))["data"]["kind"] == "internal"


async def test_a_result_beyond_the_size_of_a_message_is_answered_as_an_internal_error(peer: Peer) -> None:
    assert (await peer.error("kore/test/big", {"size": WIRE_BYTES}))["data"]["kind"] == "internal"


@pytest.mark.parametrize(
    "method", ["kore/test/unknown", "kore/", "other/method", "textDocument/hover", "$/unknown", "exit"]
)
async def test_an_unknown_request_is_answered_so(peer: Peer, method: str) -> None:
    assert (await peer.error(method, {}))["code"] == -32601


@pytest.mark.parametrize("method", ["kore/test/unknown", "other/method", "$/unknown", "$/cancelRequest"])
async def test_an_unknown_notification_is_ignored(peer: Peer, method: str) -> None:
    peer.notify(method, {"id": []})
    assert await peer.result("kore/test/echo", {"value": 1}) == 1
    assert peer.received == []


async def test_a_known_method_as_a_notification_is_done_and_not_answered(peer: Peer) -> None:
    waiting = peer.call("kore/test/wait")
    await peer.event("kore/test/begun")
    peer.notify("kore/test/release")
    assert (await peer.reply(waiting))["result"] == "released"
    assert peer.received == []


async def test_a_failing_notification_is_not_answered(peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    for method in ("kore/test/crash", "kore/test/leave"):
        peer.notify(method, {"value": "the user's words"})
    peer.notify("kore/session/close", {"sessionId": 7})
    assert await peer.result("kore/test/echo", {"value": 1}) == 1
    assert peer.received == []
    assert "the user's words" not in caplog.text


@pytest.mark.parametrize(
    ("body", "id_", "code"),
    [
        (b"", None, -32700),
        (b"{", None, -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"kore/test/null","params":NaN}', None, -32700),
        (b"\xff\xfe", None, -32700),
        (b"[" * 100_000, None, -32600),
        (
            b'{"jsonrpc":"2.0","id":7,"method":"kore/test/null","params":{"x":%b1%b}}' % (b"[" * 9_999, b"]" * 9_999),
            7,
            -32600,
        ),
        (b"[]", None, -32600),
        (b'[{"jsonrpc":"2.0","id":1,"method":"kore/test/null"}]', None, -32600),
        (b"7", None, -32600),
        (b"null", None, -32600),
        (b"{}", None, -32600),
        (b'{"jsonrpc":"2.0"}', None, -32600),
        (b'{"jsonrpc":"2.0","id":5}', 5, -32600),
        (b'{"id":5,"method":"kore/test/null"}', 5, -32600),
        (b'{"method":"kore/test/null"}', None, -32600),
        (b'{"jsonrpc":"1.0","id":"a","method":"kore/test/null"}', "a", -32600),
        (b'{"jsonrpc":2.0,"id":"a","method":"kore/test/null"}', "a", -32600),
        (b'{"jsonrpc":"2.0","id":5,"method":7}', 5, -32600),
        (b'{"jsonrpc":"2.0","id":5,"method":null}', 5, -32600),
        (b'{"jsonrpc":"2.0","method":[]}', None, -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"kore/test/null"}', None, -32600),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"kore/test/null"}', None, -32600),
        (b'{"jsonrpc":"2.0","id":true,"method":"kore/test/null"}', None, -32600),
        (b'{"jsonrpc":"2.0","id":[],"method":"kore/test/null"}', None, -32600),
        (b'{"jsonrpc":"2.0","id":{},"method":"kore/test/null"}', None, -32600),
        (b'{"jsonrpc":"2.0","id":"\\ud800","method":"kore/test/null"}', None, -32600),
    ],
)
async def test_what_is_no_proper_message_is_answered_and_the_next_one_is_served(
    peer: Peer, body: bytes, id_: Any, code: int
) -> None:
    peer.send(body)
    assert (await peer.reply(id_))["error"]["code"] == code
    assert await peer.result("kore/test/echo", {"value": 1}) == 1


async def test_a_request_before_initialize_is_refused() -> None:
    peer = Peer()
    assert (await peer.error("kore/test/null"))["code"] == -32002
    assert (await peer.error("textDocument/hover", {}))["code"] == -32002
    assert (await peer.error("shutdown"))["code"] == -32002
    peer.notify("kore/test/release")
    await peer.initialize()
    await peer.result("kore/test/null")
    assert not peer.workspace.release.is_set()


async def test_a_second_initialize_is_refused_and_changes_nothing(peer: Peer) -> None:
    assert (await peer.error("initialize", {"capabilities": {}}))["code"] == -32600
    assert await peer.result("kore/test/folders") == {"folders": ["file:///code"]}


async def test_an_initialize_that_fails_may_be_tried_again() -> None:
    peer = Peer()
    error = await peer.error("initialize", {"capabilities": 5})
    assert error["code"] == -32602
    assert error["data"]["problems"] == ["params.capabilities: must be an object"]
    assert "result" in await peer.initialize()


async def test_a_request_after_shutdown_is_refused(peer: Peer) -> None:
    assert await peer.result("shutdown") is None
    assert (await peer.error("kore/test/null"))["code"] == -32600
    assert (await peer.error("shutdown"))["code"] == -32600
    peer.notify("exit")
    assert peer.ended == ["exit"]


async def test_shutdown_closes_the_workspace_once_and_before_its_reply(peer: Peer) -> None:
    await peer.result("kore/test/null")
    await peer.result("shutdown")
    assert peer.workspace.closed == 1
    await peer.connection.close()
    assert peer.workspace.closed == 1


async def test_shutdown_lets_requests_in_work_finish(peer: Peer) -> None:
    waiting, release = peer.call("kore/test/wait"), peer.call("kore/test/release")
    shutdown = peer.call("shutdown")
    await peer.reply(shutdown)
    ids = [message.get("id") for message in peer.received if "method" not in message]
    assert ids == [release, waiting]


async def test_shutdown_cancels_what_does_not_finish(peer: Peer) -> None:
    waiting = peer.call("kore/test/wait")
    assert await peer.result("shutdown") is None
    assert (await peer.reply(waiting))["error"]["code"] == -32800


async def test_the_end_of_the_connection_answers_everything_and_the_shutdown_in_work(peer: Peer) -> None:
    waiting, shutdown = peer.call("kore/test/wait"), peer.call("shutdown")
    await peer.connection.close()
    assert (await peer.reply(waiting))["error"]["code"] == -32800
    assert (await peer.reply(shutdown))["result"] is None


@pytest.mark.parametrize("params", [ABSENT, None, 7, {}, {"id": None}, {"id": 10**6}, {"id": [1]}])
async def test_cancelling_what_is_not_there_is_ignored(peer: Peer, params: Any) -> None:
    peer.notify("$/cancelRequest", params)
    await peer.result("kore/test/null")
    assert peer.received == []


async def test_an_oversize_request_is_answered_by_its_id_and_the_stream_goes_on(peer: Peer) -> None:
    head = b'{"jsonrpc":"2.0","id":77,"method":"kore/test/echo","params":{"value":"'
    peer.raw(b"Content-Length: %d\r\n\r\n%b" % (WIRE_BYTES + 1, head))
    chunk = b"x" * (1 << 20)
    left = WIRE_BYTES + 1 - len(head)
    while left:
        peer.raw(chunk[:left])
        left -= min(left, len(chunk))
    assert (await peer.reply(77))["error"]["code"] == -32600
    assert await peer.result("kore/test/echo", {"value": 1}) == 1


async def test_a_broken_header_block_is_answered_without_an_id_and_the_stream_goes_on(peer: Peer) -> None:
    peer.raw(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (await peer.reply(None))["error"]["code"] == -32700
    assert await peer.result("kore/test/echo", {"value": 1}) == 1


async def test_without_resync_a_broken_header_block_ends_the_connection_without_an_answer() -> None:
    peer = Peer(resync=False)
    peer.raw(b"GET / HTTP/1.1\r\n")
    peer.call("initialize", {"capabilities": {}})
    assert peer.channel.aborted.is_set() and peer.ended == ["broken"] and peer.received == []


async def test_nothing_is_served_to_a_client_that_is_not_admitted() -> None:
    peer = Peer(admit=lambda params: params.get("word") == "right")
    assert (await peer.error("kore/test/null"))["code"] == -32002
    refused = await peer.error("initialize", {"capabilities": {}, "word": "wrong"})
    assert refused["code"] == -32600 and peer.ended == ["refused"]
    peer.call("initialize", {"capabilities": {}, "word": "right"})
    assert peer.received == [] and peer.application.workspaces == []


async def test_a_client_that_is_not_admitted_may_not_send_much() -> None:
    peer = Peer(admit=lambda params: True)
    peer.raw(b"Content-Length: %d\r\n\r\n%b" % (GREETING_BYTES + 1, b"x" * 5000))
    assert peer.channel.aborted.is_set()
    admitted = Peer(admit=lambda params: True)
    await admitted.initialize()
    assert len(await admitted.result("kore/test/echo", {"value": "x" * GREETING_BYTES})) == GREETING_BYTES


async def test_nothing_of_a_message_is_logged(peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await peer.result("kore/test/echo", {"value": "the user's words"})
    await peer.error("kore/session/rename", {"sessionId": "one", "name": ["the user's words"]})
    peer.send(b"{\"the user's words")
    peer.notify("textDocument/didOpen", {"the user's words": 1})
    await peer.error("textDocument/hover", {"the user's words": 1})
    assert "words" not in caplog.text
