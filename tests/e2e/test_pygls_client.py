"""A client of another make, pygls' own, greets the server, opens documents, calls methods and commands, and leaves."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
import pytest_lsp
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pytest_lsp import ClientServerConfig, LanguageClient, client_capabilities


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest_lsp.fixture(  # type: ignore[untyped-decorator]
    config=ClientServerConfig(server_command=[sys.executable, "-m", "kore_ls", "--stdio"]),
    params=["neovim", "visual-studio-code", "emacs"],
)
async def client(state: None, request: pytest.FixtureRequest, lsp_client: LanguageClient, tmp_path: Path) -> Any:
    await lsp_client.initialize_session(
        types.InitializeParams(
            capabilities=client_capabilities(request.param),
            workspace_folders=[types.WorkspaceFolder(uri=tmp_path.as_uri(), name="work")],
        )
    )
    yield
    await asyncio.wait_for(lsp_client.shutdown_session(), 30)


async def test_it_is_served_like_any_other(client: LanguageClient, tmp_path: Path) -> None:
    uri = (tmp_path / "a.py").as_uri()
    client.text_document_did_open(
        types.DidOpenTextDocumentParams(types.TextDocumentItem(uri=uri, language_id="python", version=1, text="x"))
    )
    send: Any = client.protocol.send_request_async
    made = await send("kore/session/create", {"name": "会话"})
    done: Any = await client.workspace_execute_command_async(
        types.ExecuteCommandParams("kore.session.rename", [{"sessionId": made.id, "name": "新"}])
    )
    assert done["name"] == "新"
    with pytest.raises(JsonRpcException) as raised:
        await send("kore/session/get", {"sessionId": "gone"})
    assert raised.value.data == {"kind": "sessionNotFound", "params": {"sessionId": "gone"}}
    assert (tmp_path / "state").exists()
