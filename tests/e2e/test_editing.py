"""What agents do through an editor: edits of open documents, and questions to its language servers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.raw_client import Message, Process, process

COMMAND = (sys.executable, "-m", "kore_ls", "--stdio")
CAPABILITIES = {
    "workspace": {"applyEdit": True, "workspaceEdit": {"documentChanges": True}},
    "general": {"positionEncodings": ["utf-8"]},
}
OPTIONS = {"events": True, "trusted": True, "lspBridge": ["definition"], "locale": "en"}


@pytest.fixture
def server(folder: Path, state_home: Path) -> Iterator[Process]:
    with process(COMMAND, env={"XDG_STATE_HOME": str(state_home.parent)}) as server:
        server.initialize(rootUri=folder.as_uri(), capabilities=CAPABILITIES, initializationOptions={"kore": OPTIONS})
        yield server


class Editor:
    """A file that is open in an editor."""

    def __init__(self, server: Process, path: Path) -> None:
        self._server = server
        self.uri = path.as_uri()
        self.version = 1
        self.text = path.read_text()
        document = {"uri": self.uri, "languageId": "text", "version": 1, "text": self.text}
        server.notify("textDocument/didOpen", {"textDocument": document})

    def change(self, text: str) -> None:
        self.version += 1
        self.text = text
        identifier = {"uri": self.uri, "version": self.version}
        self._server.notify("textDocument/didChange", {"textDocument": identifier, "contentChanges": [{"text": text}]})


def start(server: Process, prompt: str) -> str:
    session = server.request("kore/session/create", {})["result"]["id"]
    assert "result" in server.request("kore/turn/start", {"sessionId": session, "prompt": prompt})
    return str(session)


def finished(server: Process) -> Any:
    event: Message = server.wait(
        lambda message: message.get("method") == "kore/event" and message["params"]["type"] == "turn.finished"
    )
    return event["params"]["data"]


def test_an_open_document_is_changed_by_its_editor_and_saved_if_it_was_clean(server: Process, folder: Path) -> None:
    path = folder / "a.txt"
    path.write_text("one\n二\nthree\n")
    editor = Editor(server, path)
    start(server, "/write a.txt 'one\nzwei\nthree\n'")
    request = server.event("workspace/applyEdit")
    (change,) = request["params"]["edit"]["documentChanges"]
    assert change["textDocument"] == {"uri": editor.uri, "version": 1}
    assert path.read_text() == "one\n二\nthree\n"
    # the text is what the tool was given, as typed
    wanted = change["edits"][0]["newText"]
    assert "zwei" in wanted
    first, last = change["edits"][0]["range"]["start"], change["edits"][0]["range"]["end"]
    lines = editor.text.split("\n")
    before = "\n".join([*lines[: first["line"]], lines[first["line"]].encode()[: first["character"]].decode()])
    after = "\n".join([lines[last["line"]].encode()[last["character"] :].decode(), *lines[last["line"] + 1 :]])
    editor.change(before + wanted + after)
    server.answer(request, {"applied": True})
    assert finished(server)["changedFiles"] == ["a.txt"]
    assert path.read_text() == editor.text
    assert "zwei" in editor.text


def test_an_editor_that_refuses_an_edit_keeps_its_text(server: Process, folder: Path) -> None:
    path = folder / "a.txt"
    path.write_text("one")
    Editor(server, path)
    session = start(server, "/write a.txt two")
    server.answer(server.event("workspace/applyEdit"), {"applied": False})
    finished(server)
    assert path.read_text() == "one"
    messages = server.request("kore/message/list", {"sessionId": session})["result"]["messages"]
    assert messages[-1]["toolCalls"][0]["status"] == "failed"


def test_the_editor_s_language_servers_are_asked_where_it_offers_that(server: Process, folder: Path) -> None:
    path = folder / "a.py"
    path.write_text("中文 = 1\nprint(中文)\n")
    session = start(server, "/definition a.py:2:8")
    request = server.event("kore/lsp/definition")
    assert request["params"]["textDocument"] == {"uri": path.as_uri()}
    assert request["params"]["position"] == {"line": 1, "character": 9}
    span = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 6}}
    server.answer(request, [{"uri": path.as_uri(), "range": span}])
    finished(server)
    messages = server.request("kore/message/list", {"sessionId": session})["result"]["messages"]
    assert "a.py:1" in messages[-1]["content"]
    start(server, "/hover a.py:2:8")
    finished(server)
    assert not any(message.get("method") == "kore/lsp/hover" for message in server.received)
