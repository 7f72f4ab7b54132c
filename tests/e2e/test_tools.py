"""Tools of a real server with a real client: edits in open documents, the editor's language servers, cancelling."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from lsprotocol import types
from pytest_lsp import client_capabilities

from kore_ls.agents.sandbox.kinds import SandboxKind
from tests.agents.means import sandbox_of
from tests.e2e.test_editor import LIMIT, Editor, Json

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("tools")]

TEXT = "first 😀 line\nsecond\n"


class ToolEditor(Editor):
    """An editor that counts in UTF-8, changes its documents when asked, and has language servers."""

    def __init__(self) -> None:
        super().__init__()
        self.open: dict[str, tuple[int, str]] = {}
        self.applied: list[Json] = []
        self.asked_language: list[tuple[str, Any]] = []
        self.answers: dict[str, Any] = {}
        feature: Any = self.feature

        @feature("workspace/applyEdit")  # type: ignore[untyped-decorator]
        def apply(params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
            for change in params.edit.document_changes or ():
                assert isinstance(change, types.TextDocumentEdit)
                uri = change.text_document.uri
                version, text = self.open[uri]
                if change.text_document.version != version:
                    return types.ApplyWorkspaceEditResult(applied=False)
                for edit in change.edits:
                    assert isinstance(edit, types.TextEdit)
                    text = replaced(text, edit)
                self.applied.append({"uri": uri, "version": version})
                self.say(uri, version + 1, text)
            return types.ApplyWorkspaceEditResult(applied=True)

        for name in ("definition", "rename"):

            @feature(f"kore/lsp/{name}")  # type: ignore[untyped-decorator]
            def language(params: Any, name: str = name) -> Any:
                self.asked_language.append((name, params))
                return self.answers.get(name)

    def say(self, uri: str, version: int, text: str) -> None:
        """The document has this text now."""
        self.open[uri] = (version, text)
        self.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(uri=uri, version=version),
                [types.TextDocumentContentChangeWholeDocument(text=text)],
            )
        )

    def show(self, path: Path) -> str:
        """Open a file's document."""
        uri, text = path.as_uri(), path.read_text()
        self.open[uri] = (1, text)
        self.text_document_did_open(types.DidOpenTextDocumentParams(types.TextDocumentItem(uri, "text", 1, text)))
        return uri

    async def turn(self, prompt: str) -> Json:
        """Run a prompt to its end: the answering message."""
        session = await self.kore("kore/session/create", {"mode": "build"})
        await self.kore("kore/turn/start", {"sessionId": session["id"], "prompt": prompt})
        await self.event("turn.finished", session)
        found = await self.kore("kore/message/list", {"sessionId": session["id"]})
        message: Json = found["messages"][-1]
        return message


def replaced(text: str, edit: types.TextEdit) -> str:
    """A text with one edit, whose columns are bytes."""
    lines = text.split("\n")

    def offset(place: types.Position) -> int:
        before = sum(len(each.encode()) + 1 for each in lines[: place.line])
        return before + place.character

    content = text.encode()
    return (content[: offset(edit.range.start)] + edit.new_text.encode() + content[offset(edit.range.end) :]).decode()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work").resolve()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def editor(work: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ToolEditor]:
    client = ToolEditor()
    state = str(tmp_path_factory.mktemp("state"))
    await client.start_io(sys.executable, "-m", "kore_ls", "--stdio", env={**os.environ, "XDG_STATE_HOME": state})
    capabilities = client_capabilities("visual-studio-code")
    capabilities.general = types.GeneralClientCapabilities(position_encodings=[types.PositionEncodingKind.Utf8])
    options = {"events": True, "trusted": True, "lspBridge": ["definition", "rename"], "locale": "en"}
    client.greeting = await client.initialize_session(
        types.InitializeParams(
            capabilities=capabilities,
            workspace_folders=[types.WorkspaceFolder(uri=work.as_uri(), name="work")],
            initialization_options={"kore": options},
        )
    )
    yield client
    await asyncio.wait_for(client.shutdown_session(), LIMIT)
    await client.stop()  # type: ignore[no-untyped-call]


async def test_an_open_document_is_changed_by_its_editor_and_saved(editor: ToolEditor, work: Path) -> None:
    path = work / "open.txt"
    path.write_text(TEXT)
    uri = editor.show(path)
    await editor.turn("/edit open.txt\n<<<<<<< SEARCH\n😀 line\n=======\n中 line\n>>>>>>> REPLACE")
    assert editor.open[uri] == (2, "first 中 line\nsecond\n")
    assert editor.applied == [{"uri": uri, "version": 1}]
    assert path.read_text() == "first 中 line\nsecond\n"


async def test_unsaved_changes_stay_unsaved_and_are_kept(editor: ToolEditor, work: Path) -> None:
    path = work / "dirty.txt"
    path.write_text(TEXT)
    uri = editor.show(path)
    editor.say(uri, 2, "typed by hand\n")
    answer = await editor.turn("/edit dirty.txt\n<<<<<<< SEARCH\nby hand\n=======\nby both\n>>>>>>> REPLACE")
    assert answer["toolCalls"][0]["status"] == "completed"
    assert editor.open[uri][1] == "typed by both\n"
    assert path.read_text() == TEXT
    turn = {"turnId": answer["turnId"]}
    assert await editor.kore("kore/turn/revert", turn) == {"reverted": ["dirty.txt"], "conflicts": []}
    assert editor.open[uri][1] == "typed by hand\n"
    assert path.read_text() == TEXT


async def test_unsaved_changes_that_came_after_the_turn_are_a_conflict(editor: ToolEditor, work: Path) -> None:
    path = work / "later.txt"
    path.write_text(TEXT)
    uri = editor.show(path)
    editor.say(uri, 2, "typed by hand\n")
    answer = await editor.turn("/edit later.txt\n<<<<<<< SEARCH\nby hand\n=======\nby both\n>>>>>>> REPLACE")
    editor.say(uri, editor.open[uri][0] + 1, "typed again\n")
    turn = {"turnId": answer["turnId"]}
    assert await editor.kore("kore/turn/revert", turn) == {"reverted": [], "conflicts": ["later.txt"]}
    assert editor.open[uri][1] == "typed again\n"


async def test_an_edit_that_the_editor_refuses_is_no_change_of_the_turn(editor: ToolEditor, work: Path) -> None:
    path = work / "refused.txt"
    path.write_text(TEXT)
    uri = editor.show(path)
    editor.open[uri] = (7, TEXT)  # the editor has gone on, and has not said so yet
    answer = await editor.turn("/write refused.txt other")
    assert answer["toolCalls"][0]["status"] == "failed"
    dry = {"turnId": answer["turnId"], "dryRun": True}
    assert await editor.kore("kore/turn/revert", dry) == {"reverted": [], "conflicts": []}


async def test_the_editor_s_language_servers_are_asked_in_its_own_units(editor: ToolEditor, work: Path) -> None:
    path = work / "place.txt"
    path.write_text(TEXT)
    span = {"start": {"line": 0, "character": 11}, "end": {"line": 0, "character": 15}}
    editor.answers["definition"] = [{"uri": path.as_uri(), "range": span}]
    answer = await editor.turn("/definition place.txt:1:9")
    assert answer["content"] == "place.txt:1:9: first 😀 line"
    name, params = editor.asked_language[-1]
    assert name == "definition"
    assert (params.position.line, params.position.character) == (0, 11)


async def test_a_rename_is_the_editor_s_idea_and_our_edit(editor: ToolEditor, work: Path) -> None:
    path = work / "rename.txt"
    path.write_text(TEXT)
    span = {"start": {"line": 0, "character": 11}, "end": {"line": 0, "character": 15}}
    editor.answers["rename"] = {"changes": {path.as_uri(): [{"range": span, "newText": "row"}]}}
    await editor.turn("/rename rename.txt:1:9 row")
    assert path.read_text() == "first 😀 row\nsecond\n"


async def test_what_no_editor_lists_is_not_available(editor: ToolEditor, work: Path) -> None:
    (work / "a.txt").write_text(TEXT)
    assert "Not available" in (await editor.turn("/hover a.txt:1:1"))["content"]


async def test_cancelling_ends_a_command_with_all_its_children(editor: ToolEditor, work: Path) -> None:
    sandbox_of(SandboxKind.BUBBLEWRAP)
    os.mkfifo(work / "held")
    descriptor = os.open(work / "held", os.O_RDONLY | os.O_NONBLOCK)
    session = await editor.kore("kore/session/create", {"mode": "build"})
    prompt = "/run sh -c 'echo started; setsid sleep 61 > held & sleep 62 > held'"
    await editor.kore("kore/turn/start", {"sessionId": session["id"], "prompt": prompt})
    await editor.event("tool.output", session)
    assert (await editor.kore("kore/turn/cancel", {"sessionId": session["id"]}))["cancelled"] is True
    finished = await editor.event("turn.finished", session)
    assert finished["data"]["stopReason"] == "cancelled"
    os.set_blocking(descriptor, True)
    assert await asyncio.to_thread(os.read, descriptor, 1) == b""  # nobody holds the other end any more
    os.close(descriptor)
    found = await editor.kore("kore/message/list", {"sessionId": session["id"]})
    call = found["messages"][-1]["toolCalls"][0]
    assert call["status"] == "cancelled"
