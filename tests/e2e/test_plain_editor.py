"""Editors that know standard LSP alone: from their code action menu to an answer in a document."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
import pytest_lsp
from lsprotocol import types
from pytest_lsp import ClientServerConfig, LanguageClient, client_capabilities

from kore_ls.sessions.uris import path_of

LIMIT = 60


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file of which a line is a prompt for the agent that comes with the server."""
    path = tmp_path / "项目"
    path.mkdir()
    (path / "notes.txt").write_text("值😀 /read notes.txt\nuser_name = 1\n", encoding="utf-8")
    return path


class Editor:
    """What a user does and sees; questions are answered by `answers`, titles or their beginnings."""

    def __init__(self, client: LanguageClient, folder: Path) -> None:
        self.client = client
        self.file = folder / "notes.txt"
        self.answers: list[str] = []
        self.asked: list[list[str]] = []
        self.told: list[str] = []
        self.shown: asyncio.Queue[types.ShowDocumentParams] = asyncio.Queue()
        self.messages: asyncio.Queue[str] = asyncio.Queue()
        self.refreshed: asyncio.Queue[str] = asyncio.Queue()
        assert client.capabilities is not None
        self.abilities: Any = client.capabilities
        self.holds = asyncio.Event()
        self._serve()

    def _serve(self) -> None:
        feature: Any = self.client.feature
        for known in ("window/showDocument", "window/showMessage"):
            self.client.protocol.fm.features.pop(known)

        @feature("window/showMessageRequest")  # type: ignore[untyped-decorator]
        async def ask(params: types.ShowMessageRequestParams) -> types.MessageActionItem | None:
            titles = [action.title for action in params.actions or []]
            self.asked.append(titles)
            if not self.answers:
                self.holds.set()
                await asyncio.Event().wait()
            wanted = self.answers.pop(0)
            return types.MessageActionItem(title=next(title for title in titles if title.startswith(wanted)))

        @feature("window/showDocument")  # type: ignore[untyped-decorator]
        async def show(params: types.ShowDocumentParams) -> types.ShowDocumentResult:
            self.shown.put_nowait(params)
            return types.ShowDocumentResult(success=True)

        @feature("window/showMessage")  # type: ignore[untyped-decorator]
        def tell(params: types.ShowMessageParams) -> None:
            self.messages.put_nowait(params.message)

        @feature("workspace/textDocumentContent/refresh")  # type: ignore[untyped-decorator]
        def refresh(params: types.TextDocumentContentRefreshParams) -> None:
            self.refreshed.put_nowait(params.uri)

    def open(self, uri: str, text: str) -> None:
        self.opened = types.TextDocumentIdentifier(uri)
        item = types.TextDocumentItem(uri=uri, language_id="markdown", version=1, text=text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))

    async def actions(self, start: tuple[int, int], end: tuple[int, int], *problems: str, **more: Any) -> list[Any]:
        place = types.Range(types.Position(*start), types.Position(*end))
        found = await self.client.text_document_code_action_async(
            types.CodeActionParams(
                text_document=types.TextDocumentIdentifier(self.file.as_uri()),
                range=place,
                context=types.CodeActionContext(
                    diagnostics=[types.Diagnostic(range=place, message=problem) for problem in problems], **more
                ),
            )
        )
        return list(found or [])

    async def run(self, action: types.Command) -> Any:
        return await self.client.workspace_execute_command_async(
            types.ExecuteCommandParams(action.command, action.arguments)
        )

    async def choose(self, title: str, start: tuple[int, int], end: tuple[int, int], *problems: str) -> Any:
        """Run the action whose title begins so."""
        offered = await self.actions(start, end, *problems)
        return await self.run(next(each for each in offered if each.title.startswith(title)))

    async def ask(self, command: str, text: str) -> None:
        """Run a command with its text, as a user's own key binding may."""
        await self.run(types.Command("", command, arguments=[{"uri": self.file.as_uri(), "text": text}]))

    async def document(self) -> types.ShowDocumentParams:
        """The next document that the server shows."""
        return await asyncio.wait_for(self.shown.get(), LIMIT)

    async def message(self) -> str:
        """The next message to the user."""
        return await asyncio.wait_for(self.messages.get(), LIMIT)

    async def send(self, method: str, **params: Any) -> Any:
        send: Any = self.client.protocol.send_request_async
        return await send(method, params)


@pytest_lsp.fixture(  # type: ignore[untyped-decorator]
    config=ClientServerConfig(server_command=[sys.executable, "-m", "kore_ls", "--stdio"]),
    params=["content", pytest.param("emacs", marks=pytest.mark.slow), pytest.param("neovim", marks=pytest.mark.slow)],
)
async def client(state: None, request: pytest.FixtureRequest, lsp_client: LanguageClient, folder: Path) -> Any:
    capabilities = client_capabilities("neovim" if request.param == "content" else request.param)
    assert capabilities.workspace is not None
    if request.param == "content":
        capabilities.workspace.text_document_content = types.TextDocumentContentClientCapabilities()
        assert capabilities.window is not None
        capabilities.window.show_document = types.ShowDocumentClientCapabilities(support=True)
    result = await lsp_client.initialize_session(
        types.InitializeParams(
            capabilities=capabilities,
            workspace_folders=[types.WorkspaceFolder(uri=folder.as_uri(), name="work")],
            initialization_options={"kore": {"trusted": True, "defaultMode": "general"}},
        )
    )
    content = result.capabilities.workspace and result.capabilities.workspace.text_document_content
    assert (content is not None) is (request.param == "content")
    yield
    await asyncio.wait_for(lsp_client.shutdown_session(), LIMIT)


@pytest.fixture
def editor(client: LanguageClient, folder: Path) -> Editor:
    """An editor with the file open."""
    made = Editor(client, folder)
    made.open(made.file.as_uri(), made.file.read_text(encoding="utf-8"))
    return made


def column(editor: Editor, characters: int) -> int:
    """A column of the first line, in the encoding of the connection, counted from what comes after `值😀 `."""
    encoding = editor.abilities.general and editor.abilities.general.position_encodings
    wide = {"utf-8": 8, "utf-16": 4, "utf-32": 3}[(encoding or ["utf-16"])[0]]
    return wide + characters


async def shown_text(editor: Editor, document: types.ShowDocumentParams) -> str:
    """What the editor shows: a file, or what it asks the server for."""
    if document.uri.startswith("file:"):
        return path_of(document.uri).read_text(encoding="utf-8")
    content = await editor.client.workspace_text_document_content_async(types.TextDocumentContentParams(document.uri))
    return content.text


async def transcript(editor: Editor) -> tuple[str, int]:
    """The next transcript, opened, and the line at which it is shown; where none is shown, its file is named."""
    abilities = editor.abilities.window
    if abilities is not None and abilities.show_document is not None and abilities.show_document.support:
        document = await editor.document()
        assert document.selection is not None
        text, uri, line = await shown_text(editor, document), document.uri, document.selection.start.line
    else:
        while not (told := await editor.message()).endswith(".md"):
            pass
        path = Path(told.removeprefix("Kore: "))
        text, uri, line = path.read_text(encoding="utf-8"), path.as_uri(), -1
    editor.open(uri, text)
    return text, line


async def test_a_selection_is_asked_about_and_the_answer_is_shown(editor: Editor) -> None:
    titles = [each.title for each in await editor.actions((0, column(editor, 0)), (0, column(editor, 15)))]
    assert titles == ["Kore: ask about the selection", "Kore: search for “/read notes.txt”", "Kore: new session"]
    editor.answers = ["The selection is the prompt"]
    assert await editor.choose("Kore: ask", (0, column(editor, 0)), (0, column(editor, 15))) is None
    text, _ = await transcript(editor)

    assert editor.asked[0][0] == "Explain this"
    assert "\n/read notes.txt\n" in text and "- *" in text and "completed" in text
    symbols = await editor.client.text_document_document_symbol_async(types.DocumentSymbolParams(editor.opened))
    assert [symbol.name for symbol in symbols or []] == ["1 · /read notes.txt"]
    folds = await editor.client.text_document_folding_range_async(types.FoldingRangeParams(editor.opened))
    lines = text.split("\n")
    assert [lines[fold.start_line].split(" · ")[1] for fold in folds or []] == ["user", "user", "assistant"]


@pytest.mark.slow
async def test_a_problem_is_given_to_the_agent(editor: Editor, folder: Path) -> None:
    await editor.choose("Kore: fix “bad name", (1, 0), (1, 9), "bad name [x](http://h)")
    text, _ = await transcript(editor)

    assert "Fix this problem in notes.txt, line 2: bad name \\[x\\](`http://h`)" in text
    turns = await editor.send("kore/session/list")
    assert turns.sessions[0].messageCount == 2


async def test_what_was_said_is_searched_for_and_shown_at_its_place(editor: Editor) -> None:
    session = await editor.send("kore/session/create", name="登录")
    for number in range(3):
        await editor.send("kore/message/add", sessionId=session.id, role="user", content=f"note {number}")
    await editor.send("kore/message/add", sessionId=session.id, role="user", content="where user_name is set")
    editor.answers = ["1. 登录: where user_name"]
    await editor.choose("Kore: search for “user_name”", (1, 3), (1, 3))
    text, line = await transcript(editor)

    assert text.split("\n")[line].startswith("## 4 · user") or line == -1
    editor.answers = []
    await editor.run(
        types.Command("", "kore.action.search", arguments=[{"uri": editor.file.as_uri(), "text": "nowhere"}])
    )
    assert await editor.message() == "Kore: nothing found."


async def test_sessions_are_made_switched_shown_and_stopped(editor: Editor) -> None:
    made = await editor.choose("Kore: new session", (0, 0), (0, 0))
    assert made["name"] == "Session 1" and await editor.message() == "Kore: Session 1"
    await editor.send("kore/message/add", sessionId=made["id"], role="user", content="hello")
    await editor.send("kore/session/create", name="other")
    editor.answers = ["Session 1"]
    await editor.choose("Kore: switch session", (0, 0), (0, 0))
    assert await editor.message() == "Session switch: Session 1"
    await editor.choose("Kore: show the session", (0, 0), (0, 0))
    text, _ = await transcript(editor)
    assert text.startswith("# Session 1\n") and "hello" in text
    await editor.send("kore/message/add", sessionId=made["id"], role="user", content="more")
    reads_uris = editor.opened.uri.startswith("kore:")
    if reads_uris:
        assert await asyncio.wait_for(editor.refreshed.get(), LIMIT) == editor.opened.uri
    await editor.send("kore/store/encrypt", passphrase="secret")
    await editor.choose("Kore: show the session", (0, 0), (0, 0))
    if reads_uris:
        text, _ = await transcript(editor)
        assert "more" in text
    else:
        while "no file of its sessions is written" not in await editor.message():
            pass
    assert not (editor.file.parent / ".kore" / "view").exists()


async def test_a_turn_shows_its_progress_and_is_stopped_from_there_or_by_an_action(editor: Editor) -> None:
    await editor.run(
        types.Command("", "kore.action.ask", arguments=[{"uri": editor.file.as_uri(), "text": "/run sleep 60"}])
    )
    await asyncio.wait_for(editor.holds.wait(), LIMIT)
    (session,) = (await editor.send("kore/session/list")).sessions
    reports: Any = editor.client.progress_reports
    running = list(reports)
    await editor.ask("kore.action.ask", "and then this")
    while not getattr((await editor.send("kore/session/get", sessionId=session.id)).turn, "queued", None):
        pass
    window = editor.abilities.window
    if window is not None and window.work_done_progress:
        (token,) = running
        first, *later = [each.kind for each in reports[token]]
        assert first == "begin"
        assert set(later) == {"report"}
        editor.client.window_work_done_progress_cancel(types.WorkDoneProgressCancelParams(token))
    else:
        assert running == []
        await editor.choose("Kore: stop “Session 1”", (0, 0), (0, 0))
    ended = 0
    while ended < 2:  # that of the turn, and that of the prompt that waited
        ended += await editor.message() == "Kore: the turn ended: cancelled"
    page = await editor.send("kore/message/list", sessionId=session.id)
    assert [message.content for message in page.messages if message.role == "user"] == ["/run sleep 60"]
    assert all(each[-1].kind == "end" for each in reports.values())


@pytest.mark.slow
async def test_unsaved_text_of_a_file_with_a_foreign_name_is_what_is_looked_at(editor: Editor) -> None:
    changed = types.TextDocumentContentChangeWholeDocument(text="unsaved words\n")
    document = types.VersionedTextDocumentIdentifier(uri=editor.file.as_uri(), version=2)
    editor.client.text_document_did_change(types.DidChangeTextDocumentParams(document, [changed]))

    assert [each.title for each in await editor.actions((0, 0), (0, 7))][1] == "Kore: search for “unsaved”"


@pytest.mark.slow
async def test_only_fixes_are_offered_where_only_fixes_are_wanted(editor: Editor) -> None:
    wanted = {"only": [types.CodeActionKind.QuickFix]}
    assert [each.title for each in await editor.actions((1, 0), (1, 4), "wrong", **wanted)] == ["Kore: fix “wrong”"]
    assert await editor.actions((1, 0), (1, 4), "wrong", only=[types.CodeActionKind.SourceFixAll]) == []
