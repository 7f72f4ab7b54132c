"""What an editor does with a server, through pytest-lsp: greeting, sessions, events, commands, folders, cancelling."""

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
from pygls.exceptions import JsonRpcException
from pygls.protocol import JsonRPCNotification, JsonRPCResponseMessage, default_converter
from pytest_lsp import LanguageClient, client_capabilities

from kore_ls import __version__
from kore_ls.api import TABLE
from tests.transcripts import real_transcript

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("editor")]

LIMIT = 30
Json = dict[str, Any]


def _plain_json() -> Any:
    """A converter that leaves what is not LSP as it came."""
    converter = default_converter()  # type: ignore[no-untyped-call]
    converter.register_structure_hook(
        JsonRPCResponseMessage,
        lambda m, _: JsonRPCResponseMessage(id=m["id"], jsonrpc=m["jsonrpc"], result=m.get("result")),
    )
    converter.register_structure_hook(
        JsonRPCNotification,
        lambda m, _: JsonRPCNotification(method=m["method"], jsonrpc=m["jsonrpc"], params=m.get("params")),
    )
    return converter


class Editor(LanguageClient):
    """An editor that has opted in to events, and lets its user choose by `choose`."""

    def __init__(self) -> None:
        super().__init__(converter_factory=_plain_json)
        self.greeting: types.InitializeResult | None = None
        self.events: asyncio.Queue[Json] = asyncio.Queue()
        self.reports: asyncio.Queue[Json] = asyncio.Queue()
        self.shown: asyncio.Queue[str] = asyncio.Queue()
        self.asked: asyncio.Queue[types.ShowMessageRequestParams] = asyncio.Queue()
        self.choice: int | None = None

        feature: Any = self.feature

        @feature("kore/event")  # type: ignore[untyped-decorator]
        def heard(params: Json) -> None:
            self.events.put_nowait(params)

        @feature("$/progress")  # type: ignore[untyped-decorator]
        def progressed(params: types.ProgressParams) -> None:
            self.reports.put_nowait(params.value or {})

        @feature("window/showMessage")  # type: ignore[untyped-decorator]
        def told(params: types.ShowMessageParams) -> None:
            self.shown.put_nowait(params.message)

        @feature("window/logMessage")  # type: ignore[untyped-decorator]
        def logged(params: types.LogMessageParams) -> None:
            self.shown.put_nowait(params.message)

        @feature("workspace/configuration")  # type: ignore[untyped-decorator]
        def configuration(params: types.ConfigurationParams) -> list[Json]:
            return [{"maxSessions": 4} for _ in params.items]

        @feature("window/showMessageRequest")  # type: ignore[untyped-decorator]
        def choose(params: types.ShowMessageRequestParams) -> types.MessageActionItem | None:
            self.asked.put_nowait(params)
            return None if self.choice is None else (params.actions or [])[self.choice]

    async def kore(self, method: str, params: Any = None, id_: str | None = None) -> Any:
        """The result of a request, as JSON."""
        send: Any = self.protocol.send_request_async
        return await asyncio.wait_for(send(method, {} if params is None else params, msg_id=id_), LIMIT)

    async def command(self, name: str, *arguments: Any) -> Any:
        """The result of a workspace command, as JSON."""
        return await asyncio.wait_for(
            self.workspace_execute_command_async(types.ExecuteCommandParams(name, list(arguments))), LIMIT
        )

    async def event(self, type_: str, session: Json) -> Json:
        """Wait for an event of this type about a session; those before it are dropped."""
        while True:
            event = await asyncio.wait_for(self.events.get(), LIMIT)
            if (event["type"], event["sessionId"]) == (type_, session["id"]):
                return event


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("folder-one")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def editor(one: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Editor]:
    client = Editor()
    state = str(tmp_path_factory.mktemp("state"))
    await client.start_io(sys.executable, "-m", "kore_ls", "--stdio", env={**os.environ, "XDG_STATE_HOME": state})
    client.greeting = await client.initialize_session(
        types.InitializeParams(
            capabilities=client_capabilities("visual-studio-code"),
            workspace_folders=[types.WorkspaceFolder(uri=one.as_uri(), name="one")],
            initialization_options={"kore": {"events": True, "locale": "zh-cn"}},
        )
    )
    yield client
    await asyncio.wait_for(client.shutdown_session(), LIMIT)
    await client.stop()  # type: ignore[no-untyped-call]


async def test_the_greeting_says_what_can_be_done(editor: Editor) -> None:
    assert editor.greeting is not None and editor.greeting.server_info is not None
    assert (editor.greeting.server_info.name, editor.greeting.server_info.version) == ("kore-ls", __version__)
    offered: Any = editor.greeting.capabilities.experimental
    assert offered["kore"]["version"] == 1
    assert offered["kore"]["methods"] == list(TABLE)
    assert set(offered["kore"]["events"]) >= {"session.created", "message.added", "store.changed"}
    provider = editor.greeting.capabilities.execute_command_provider
    assert provider is not None
    assert set(TABLE.commands) <= set(provider.commands)


async def test_a_session_is_made_talked_in_and_listed(editor: Editor, one: Path) -> None:
    session = await editor.kore("kore/session/create", {"name": "我的项目", "mode": "plan"})
    assert (session["folder"], session["active"]) == (one.as_uri(), True)
    message = {"sessionId": session["id"], "role": "user", "content": '帮我\r\n🙂 {"jsonrpc": "2.0"}'}
    stored = await editor.kore("kore/message/add", message)
    assert (stored["seq"], stored["content"]) == (1, message["content"])
    page = await editor.kore("kore/message/list", {"sessionId": session["id"]})
    assert page == {"messages": [stored], "hasMore": False}
    assert (await editor.kore("kore/session/current"))["id"] == session["id"]
    assert session["id"] in {each["id"] for each in (await editor.kore("kore/session/list"))["sessions"]}


async def test_what_happens_is_told_in_order(editor: Editor) -> None:
    session = await editor.kore("kore/session/create")
    created = await editor.event("session.created", session)
    assert created["data"]["session"]["name"] == session["name"]
    switched = await editor.event("session.switched", session)
    assert switched["seq"] == created["seq"] + 1
    await editor.kore("kore/message/add", {"sessionId": session["id"], "role": "user", "content": "x"})
    added = await editor.event("message.added", session)
    assert added["data"]["message"]["content"] == "x"


async def test_an_error_has_a_kind_and_names_what_is_wrong(editor: Editor) -> None:
    with pytest.raises(JsonRpcException) as raised:
        await editor.kore("kore/session/rename", {"sessionId": "../../x", "name": " "})
    assert raised.value.code == -32602
    data: Any = raised.value.data
    assert data["kind"] == "invalidParams"
    assert [problem.split(":")[0] for problem in data["problems"]] == ["params.sessionId", "params.name"]
    with pytest.raises(JsonRpcException) as raised:
        await editor.kore("kore/session/get", {"sessionId": "unknown"})
    assert raised.value.data == {"kind": "sessionNotFound", "params": {"sessionId": "unknown"}}


async def test_a_command_takes_one_object(editor: Editor) -> None:
    session = await editor.command("kore.session.create", {"name": "by command"})
    renamed = await editor.command("kore.session.rename", {"sessionId": session["id"], "name": "新名称"})
    assert renamed["name"] == "新名称"
    assert (await editor.kore("kore/session/get", {"sessionId": session["id"]}))["name"] == "新名称"


async def test_a_bare_command_asks_its_user(editor: Editor, one: Path) -> None:
    session = await editor.kore("kore/session/create", {"name": "to be closed"})
    editor.choice = 0
    try:
        assert await editor.command("kore.session.close") is None
        question = await asyncio.wait_for(editor.asked.get(), LIMIT)
        assert "to be closed" in (question.actions or [])[0].title
        await editor.event("session.closed", session)
        assert await editor.command("kore.session.current", (one / "a.py").as_uri()) is not None
    finally:
        editor.choice = None


async def test_folders_come_and_go(editor: Editor, one: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    two = types.WorkspaceFolder(uri=tmp_path_factory.mktemp("folder-two").as_uri(), name="two")

    def change(*, added: list[types.WorkspaceFolder], removed: list[types.WorkspaceFolder]) -> None:
        event = types.WorkspaceFoldersChangeEvent(added=added, removed=removed)
        editor.workspace_did_change_workspace_folders(types.DidChangeWorkspaceFoldersParams(event))

    change(added=[two], removed=[types.WorkspaceFolder(uri="untitled:not-a-folder", name="x")])
    with pytest.raises(JsonRpcException) as raised:
        await editor.kore("kore/session/create")
    assert raised.value.data == {"kind": "folderRequired", "params": {}}
    session = await editor.kore("kore/session/create", {"folder": two.uri, "name": "in two"})
    folders = {each["folder"] for each in (await editor.kore("kore/session/list"))["sessions"]}
    assert folders == {one.as_uri(), two.uri}
    change(added=[], removed=[two])
    with pytest.raises(JsonRpcException) as raised:
        await editor.kore("kore/session/get", {"sessionId": session["id"]})
    assert raised.value.data == {"kind": "sessionNotFound", "params": {"sessionId": session["id"]}}


async def test_a_cancelled_import_is_answered_and_leaves_nothing(editor: Editor) -> None:
    document = real_transcript(4_000, session_id="cancelled", large=False)
    params = {"document": document, "workDoneToken": "t"}
    importing = asyncio.ensure_future(editor.kore("kore/session/import", params, "import-1"))
    while not (await asyncio.wait_for(editor.reports.get(), LIMIT)).get("message", "").startswith("storing"):
        pass
    editor.cancel_request(types.CancelParams(id="import-1"))
    with pytest.raises((JsonRpcException, asyncio.CancelledError)):
        await importing
    with pytest.raises(JsonRpcException) as raised:
        await editor.kore("kore/session/get", {"sessionId": "cancelled"})
    assert raised.value.data == {"kind": "sessionNotFound", "params": {"sessionId": "cancelled"}}
    assert await editor.kore("kore/store/check") == {"ok": True, "problems": []}
