"""View files: copies for editors, private, and gone with their session."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kore_ls.lsp.symbols import find_symbols
from kore_ls.model.ids import SessionId
from kore_ls.model.message import Message
from kore_ls.model.mode import AgentMode
from kore_ls.model.session import SessionRecord
from kore_ls.model.settings import ClientSettings
from kore_ls.sessions.app import App
from kore_ls.sessions.documents import view
from kore_ls.sessions.documents.view import PART, remove_all_views, transcript, write_view
from kore_ls.sessions.folder import DATABASE
from kore_ls.sessions.uris import uri_of
from kore_ls.storage.cipher import Cipher
from kore_ls.storage.store import SQLiteStore
from tests.client import Client

RECORD = SessionRecord(id=SessionId("s"), name="登录\x1b[2J", agent_mode=AgentMode.BUILD, created_at=0, updated_at=0)


def test_each_message_starts_on_the_line_that_is_told() -> None:
    contents = ["one\r\ntwo", "", "# a heading\n\n\n", "\u202eevil\ttab"]
    messages = [Message(role="user", content=text, seq=seq) for seq, text in enumerate(contents, start=1)]

    text, lines = transcript(RECORD, messages)

    shown = text.split("\n")
    assert [shown[lines[seq]].split(" · ")[0] for seq in (1, 2, 3, 4)] == ["## 1", "## 2", "## 3", "## 4"]
    assert "\\# a heading" in shown
    assert shown[lines[1] + 2 : lines[1] + 4] == ["one", "two"]
    assert not {"\x1b", "\u202e", "\t", "\r"} & set(text)


async def _views(client: Client, folder: Path, session_id: str) -> list[Path]:
    """The view files after a symbol search that wrote two parts of one session."""
    await client.add(session_id, "needle1")
    await asyncio.gather(*(client.add(session_id, "hay") for _ in range(PART - 1)))
    await client.add(session_id, f"needle{PART + 1}")
    for query in ("needle1", f"needle{PART + 1}"):
        assert len(await find_symbols(client.workspace, f'"{query}"')) == 1
    return sorted((folder / ".kore" / "view").iterdir())


@pytest.mark.parametrize("permanent", [False, True])
async def test_they_go_with_their_session_and_no_others(client: Client, folder: Path, permanent: bool) -> None:
    gone, kept = await client.create(), await client.create()
    assert len(await _views(client, folder, gone["id"])) == 2
    await client.add(kept["id"], "stays")
    assert len(await find_symbols(client.workspace, "stays")) == 1

    await client.call("kore/session/delete", {"sessionId": gone["id"], "permanent": permanent})

    left = list((folder / ".kore" / "view").iterdir())
    assert ["stays" in path.read_text(encoding="utf-8") for path in left] == [True]


async def test_none_is_left_where_the_store_is_encrypted_while_one_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another server encrypts the store, and removes the views, after this one has read plain text for one."""
    (tmp_path / "project").mkdir()
    app = App(tmp_path / "state")
    try:
        workspace = app.connect(ClientSettings(), lambda method, params: None)
        await workspace.open_folder(uri_of(tmp_path / "project"))
        folder = workspace.folders[0].folder
        session = await folder.manager.create_session("s")
        await session.add_message(Message(role="user", content="needle"))
        record = await folder.manager.storage.load_session(session.id)
        write = view._write

        async def encrypt() -> None:
            other = SQLiteStore(folder.directory / DATABASE)
            await other.encryption.encrypt(Cipher(bytes(32)))
            await other.close()

        def write_late(path: Path, text: str) -> None:
            asyncio.run(encrypt())
            remove_all_views(folder.directory)
            write(path, text)
            assert "needle" in path.read_text(encoding="utf-8")

        monkeypatch.setattr(view, "_write", write_late)
        assert await write_view(folder, record, 1) is None
        assert list(folder.directory.glob("view/*")) == []
        monkeypatch.undo()
        assert await write_view(folder, record, 1) is None
    finally:
        await app.close()
