"""Greeting, folders and settings of a connection, as its client sees them."""

from __future__ import annotations

from typing import Any

import pytest

from kore_ls.errors import StoreForeign
from tests.wire_peer import Peer
from tests.wire_table import TableWorkspace

A, B = {"uri": "file:///a", "name": "a"}, {"uri": "file:///b", "name": "b"}


@pytest.mark.parametrize(
    ("params", "folders"),
    [
        ({"workspaceFolders": [A, B], "rootUri": "file:///root"}, ["file:///a", "file:///b"]),
        ({"workspaceFolders": None, "rootUri": "file:///root"}, ["file:///root"]),
        ({"workspaceFolders": None, "rootUri": None}, []),
    ],
)
async def test_the_folders_of_initialize_are_open_for_the_first_request(params: Any, folders: list[str]) -> None:
    peer = Peer()
    peer.call("initialize", {"processId": None, "capabilities": {}} | params)
    assert await peer.result("kore/test/folders") == {"folders": folders}


async def test_folders_come_and_go() -> None:
    peer = Peer()
    await peer.initialize(workspaceFolders=[A])
    peer.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [B], "removed": []}})
    assert await peer.result("kore/test/folders") == {"folders": ["file:///a", "file:///b"]}
    peer.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [], "removed": [A]}})
    assert await peer.result("kore/test/folders") == {"folders": ["file:///b"]}


@pytest.mark.parametrize("error", [StoreForeign(), OSError("the user's path")])
async def test_a_folder_that_can_not_be_opened_keeps_no_other_from_it(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    opens = TableWorkspace.open_folder

    async def open_folder(self: TableWorkspace, uri: str) -> None:
        if uri == A["uri"]:
            raise error
        await opens(self, uri)

    monkeypatch.setattr(TableWorkspace, "open_folder", open_folder)
    peer = Peer()
    await peer.initialize(workspaceFolders=[A, B])
    assert await peer.result("kore/test/folders") == {"folders": ["file:///b"]}
    assert "the user's path" not in caplog.text


async def test_bad_settings_never_fail_initialize_and_are_told() -> None:
    peer = Peer()
    reply = await peer.initialize(initializationOptions={"kore": {"maxSessions": "many", "defaultMode": "plan"}})
    assert "result" in reply
    told = (await peer.event("window/logMessage"))["params"]
    assert told["type"] == 2 and "initializationOptions.kore.maxSessions" in told["message"]
    await peer.result("kore/test/null")
    assert peer.workspace.settings.max_sessions == 10
    assert peer.workspace.settings.default_mode.value == "plan"


async def test_settings_of_the_workspace_are_there_for_the_first_request() -> None:
    peer = Peer()
    await peer.initialize(capabilities={"workspace": {"configuration": True}})
    first = peer.call("kore/test/null")
    question = await peer.event("workspace/configuration")
    assert question["params"] == {"items": [{"section": "kore"}]}
    peer.answer(question, [{"maxSessions": 3, "trusted": True, "evictIdle": 7}])
    await peer.reply(first)
    assert peer.workspace.settings.max_sessions == 3 and peer.workspace.settings.trusted is None
    assert "kore.evictIdle" in (await peer.event("window/logMessage"))["params"]["message"]


@pytest.mark.parametrize("answer", [{"error": {"code": -32601, "message": "no"}}, {"result": None}, {"result": "x"}])
async def test_a_client_that_does_not_tell_its_settings_is_served_all_the_same(answer: Any) -> None:
    peer = Peer()
    await peer.initialize(capabilities={"workspace": {"configuration": True}})
    question = await peer.event("workspace/configuration")
    peer.send({"jsonrpc": "2.0", "id": question["id"]} | answer)
    await peer.result("kore/test/null")
    assert peer.workspace.settings.max_sessions == 10


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({}, "params.capabilities: is required"),
        ({"capabilities": [], "rootUri": 7}, "params.capabilities: must be an object"),
        ({"capabilities": {}, "rootUri": 7}, "params.rootUri: is not valid"),
        ({"capabilities": {}, "processId": "7"}, "params.processId: is not valid"),
        ({"capabilities": {}, "workspaceFolders": {}}, "params.workspaceFolders: is not valid"),
    ],
)
async def test_an_initialize_that_is_none_is_refused_with_the_place(params: Any, problem: str) -> None:
    error = await Peer().error("initialize", params)
    assert error["code"] == -32602
    assert error["data"]["problems"][0].split(":")[0] == problem.split(":")[0]
