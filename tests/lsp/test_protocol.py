"""Typed LSP through pygls: documents in order, bad params answered, nothing lost while pygls is being loaded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from kore_ls.lsp import late
from kore_ls.lsp.room import LanguageRoom
from kore_ls.lsp.server import KoreServer
from kore_ls.rpc.faults import ResponseError
from tests.wire_peer import Peer

URI = "file:///code/a.py"


async def started() -> tuple[Peer, KoreServer]:
    peer = Peer()
    await peer.initialize()
    await peer.error("some/method")
    room = peer.connection.room
    assert isinstance(room, LanguageRoom) and room._server is not None and room._server._server is not None
    return peer, room._server._server


def opened(text: str) -> dict[str, Any]:
    return {"textDocument": {"uri": URI, "languageId": "python", "version": 1, "text": text}}


def inserted(text: str, version: int) -> dict[str, Any]:
    start = {"line": 0, "character": 0}
    change = {"range": {"start": start, "end": start}, "text": text}
    return {"textDocument": {"uri": URI, "version": version}, "contentChanges": [change]}


async def test_documents_change_in_the_order_of_the_messages_also_while_pygls_is_being_loaded() -> None:
    peer = Peer()
    await peer.initialize()
    peer.notify("textDocument/didOpen", opened("!"))
    for version, letter in enumerate("dcba", 2):
        peer.notify("textDocument/didChange", inserted(letter, version))
    assert (await peer.error("some/method"))["code"] == -32601
    peer.notify("textDocument/didChange", inserted(">", 6))
    _, server = peer, peer.connection.room._server._server  # type: ignore[attr-defined]
    assert server.workspace.get_text_document(URI).source == ">abcd!"


async def test_kore_methods_are_served_while_pygls_is_being_loaded() -> None:
    peer = Peer()
    await peer.initialize()
    first = peer.call("some/method")
    assert await peer.result("kore/test/echo", {"value": 1}) == 1
    assert (await peer.reply(first))["error"]["code"] == -32601


async def test_pygls_knows_the_client_and_its_folders() -> None:
    peer = Peer()
    await peer.initialize(workspaceFolders=[{"uri": "file:///a", "name": "a"}])
    added = {"event": {"added": [{"uri": "file:///b", "name": "b"}], "removed": []}}
    peer.notify("workspace/didChangeWorkspaceFolders", added)
    await peer.error("some/method")
    server = peer.connection.room._server._server  # type: ignore[attr-defined]
    assert list(server.workspace.folders) == ["file:///a", "file:///b"]


async def test_capabilities_that_are_not_of_lsps_form_cost_only_themselves() -> None:
    peer = Peer()
    await peer.initialize(capabilities={"textDocument": 7, "general": {"positionEncodings": ["utf-8"]}})
    assert (await peer.error("some/method"))["code"] == -32601


async def test_bad_params_of_a_typed_request_are_answered_with_their_places() -> None:
    peer, server = await started()

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    def hover(params: types.HoverParams) -> None:
        return None

    error = await peer.error("textDocument/hover", {"textDocument": 5, "position": {"line": 0}})
    assert error["code"] == -32602 and error["data"]["kind"] == "invalidParams"
    places = sorted(each.split(":")[0] for each in error["data"]["problems"])
    assert places[0] == "params.position.character" and places[1].startswith("params.textDocument")
    good = {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 0}, "extra": {"jsonrpc": "2.0"}}
    assert await peer.result("textDocument/hover", good) is None


async def test_bad_params_of_a_typed_notification_change_nothing() -> None:
    peer, _ = await started()
    peer.notify("textDocument/didOpen", {"textDocument": 5})
    peer.notify("textDocument/didOpen")
    assert await peer.result("kore/test/echo", {"value": 1}) == 1
    assert peer.received == []


async def plain(params: types.HoverParams) -> types.Hover:
    await asyncio.sleep(0)
    return types.Hover(contents=types.MarkupContent(types.MarkupKind.PlainText, "会话"))


async def refuses(params: types.HoverParams) -> None:
    raise JsonRpcException("not now", -32803, {"why": "later"})


async def crashes(params: types.HoverParams) -> None:
    raise ValueError("the user's words")


@pytest.mark.parametrize(
    ("handler", "reply"),
    [
        (plain, {"result": {"contents": {"kind": "plaintext", "value": "会话"}}}),
        (refuses, {"error": {"code": -32803, "message": "not now", "data": {"why": "later"}}}),
        (crashes, {"error": {"code": -32603, "message": "internal error"}}),
    ],
)
async def test_typed_handlers_are_answered(handler: Callable[..., Any], reply: dict[str, Any]) -> None:
    peer, server = await started()
    server.feature(types.TEXT_DOCUMENT_HOVER)(handler)
    params = {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 0}}
    got = await peer.request("textDocument/hover", params)
    got.get("error", {}).get("data", {}).pop("reference", None)
    got.get("error", {}).get("data", {}).pop("kind", None) and got["error"].pop("data")
    assert {key: got[key] for key in reply} == reply


async def test_a_typed_request_can_be_cancelled() -> None:
    peer, server = await started()
    begun, ended = asyncio.Event(), asyncio.Event()

    async def hover(params: types.HoverParams) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    server.feature(types.TEXT_DOCUMENT_HOVER)(hover)
    id_ = peer.call("textDocument/hover", {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 0}})
    await begun.wait()
    peer.notify("$/cancelRequest", {"id": id_})
    assert (await peer.reply(id_))["error"]["code"] == -32800
    assert ended.is_set()


async def test_pygls_own_ways_to_talk_to_the_client_go_through_the_connection() -> None:
    peer, server = await started()
    server.window_show_message(types.ShowMessageParams(types.MessageType.Info, "会话"))
    assert (await peer.event("window/showMessage"))["params"] == {"type": 3, "message": "会话"}

    params = types.ShowMessageRequestParams(types.MessageType.Info, "which?", [types.MessageActionItem("this")])
    asking = asyncio.create_task(server.window_show_message_request_async(params))
    question = await peer.event("window/showMessageRequest")
    peer.answer(question, {"title": "this"})
    assert await asking == types.MessageActionItem("this")

    future = server.window_show_message_request(params)
    question = await peer.event("window/showMessageRequest")
    peer.send({"jsonrpc": "2.0", "id": question["id"], "error": {"code": -32603, "message": "no"}})
    with pytest.raises(ResponseError):
        await asyncio.wrap_future(future)


async def test_a_failure_to_load_pygls_is_answered_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    peer = Peer()
    await peer.initialize()

    def broken(name: str) -> Any:
        raise ImportError(name)

    with monkeypatch.context() as patch:
        patch.setattr(late.importlib, "import_module", broken)  # type: ignore[attr-defined]
        assert (await peer.error("some/method"))["data"]["kind"] == "internal"
    assert (await peer.error("some/method"))["code"] == -32601


@pytest.mark.parametrize("method", ["exit", "textDocument/didOpen", "initialized", "$/setTrace"])
async def test_a_notification_sent_as_a_request_is_refused(method: str) -> None:
    peer, _ = await started()
    assert (await peer.error(method, {}))["code"] == -32601
