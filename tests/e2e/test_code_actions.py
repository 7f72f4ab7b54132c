"""Sessions in the code action menu of editors without a plugin: offered, and run as the editor sends them back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.raw_client import Message, Process, process

COMMAND = (sys.executable, "-m", "kore_ls", "--stdio")
NOWHERE = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}}


@pytest.fixture
def server() -> Iterator[Process]:
    with process(COMMAND) as running:
        yield running


def offered(server: Process, path: Path) -> list[Message]:
    params = {"textDocument": {"uri": path.as_uri()}, "range": NOWHERE, "context": {"diagnostics": []}}
    actions: list[Message] = server.request("textDocument/codeAction", params)["result"]
    return actions


def greeted(server: Process, *folders: Path, **options: Any) -> Message:
    opened = [{"uri": folder.as_uri(), "name": folder.name} for folder in folders]
    reply = server.initialize(workspaceFolders=opened, initializationOptions={"kore": options})
    capabilities: Message = reply["result"]["capabilities"]
    return capabilities


def test_an_action_makes_a_session_in_the_folder_of_its_document(server: Process, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    assert greeted(server, other, folder)["codeActionProvider"] is True
    (new,) = offered(server, folder / "a.txt")
    assert new["title"] == "Kore: new session"
    assert not (folder / ".kore").exists()
    server.request("workspace/executeCommand", {"command": new["command"], "arguments": new["arguments"]})

    assert (folder / ".kore").exists() and not (other / ".kore").exists()
    assert [action["title"] for action in offered(server, folder / "a.txt")] == [
        "Kore: new session",
        "Kore: switch session",
        "Kore: show the session",
    ]
    assert offered(server, tmp_path / "elsewhere.txt") == []


def test_a_running_turn_can_be_stopped_and_its_session_s_name_steers_nothing(server: Process, folder: Path) -> None:
    greeted(server, folder, trusted=True, defaultMode="general", locale="zh-CN", permissions=True)
    session = server.request("kore/session/create", {"name": "a\x1b[2J\u202eb"})["result"]
    server.request("kore/turn/start", {"sessionId": session["id"], "prompt": "/run sleep 60"})
    server.event("kore/permission/request")
    stop = offered(server, folder / "a.txt")[-1]
    assert stop["title"] == "Kore：停止“a␛[2J<202E>b”"
    reply = server.request("workspace/executeCommand", {"command": stop["command"], "arguments": stop["arguments"]})

    assert reply["result"]["cancelled"] is True
    assert len(offered(server, folder / "a.txt")) == 3


def test_an_editor_with_a_face_of_its_own_is_offered_none(server: Process, folder: Path) -> None:
    assert "codeActionProvider" not in greeted(server, folder, events=True)
