"""Any editor's symbol picker searches the history, if its user asked for that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kore_ls.lsp.symbols import MOST, find_symbols
from kore_ls.model.message import Message
from kore_ls.model.settings import ClientSettings
from kore_ls.sessions import store_keys
from kore_ls.sessions.app import App
from kore_ls.sessions.uris import path_of, uri_of
from kore_ls.sessions.workspace import Workspace
from kore_ls.storage.cipher import Cipher


async def opened(tmp_path: Path) -> tuple[App, Workspace]:
    (tmp_path / "project").mkdir()
    app = App(tmp_path / "state")
    workspace = app.connect(ClientSettings(), lambda method, params: None)
    await workspace.open_folder(uri_of(tmp_path / "project"))
    return app, workspace


def pointed_at(symbol: dict[str, Any]) -> str:
    """The text an editor shows when the symbol is chosen: from its line on."""
    lines = path_of(symbol["location"]["uri"]).read_text(encoding="utf-8").split("\n")
    return "\n".join(lines[symbol["location"]["range"]["start"]["line"] :])


async def test_a_symbol_leads_to_the_message_in_a_readable_file(tmp_path: Path) -> None:
    app, workspace = await opened(tmp_path)
    try:
        manager = workspace.folders[0].manager
        session = await manager.create_session("登录")
        for number in range(30):
            await session.add_message(Message(role="user", content=f"note {number}\nmore"))
        await session.add_message(Message(role="assistant", content="用户认证 \x1b[31m在这里"))

        symbols = await find_symbols(workspace, "用户认证")

        assert [symbol["containerName"] for symbol in symbols] == ["登录"]
        assert pointed_at(symbols[0]).startswith("## 31 · assistant")
        assert "用户认证 ␛\\[31m在这里" in pointed_at(symbols[0])
        assert path_of(symbols[0]["location"]["uri"]).stat().st_mode & 0o777 == 0o400
    finally:
        await app.close()


async def test_at_most_twenty_are_answered_and_none_for_a_folder_without_history(tmp_path: Path) -> None:
    app, workspace = await opened(tmp_path)
    try:
        assert await find_symbols(workspace, "note") == []
        assert not (tmp_path / "project" / ".kore").exists()
        for number in range(8):
            session = await workspace.folders[0].manager.create_session(f"s{number}")
            for _ in range(5):
                await session.add_message(Message(role="user", content="note"))

        assert len(await find_symbols(workspace, "note")) == MOST
    finally:
        await app.close()


async def test_nothing_of_an_encrypted_store_is_put_into_a_file_unlocked_or_locked(tmp_path: Path) -> None:
    app, workspace = await opened(tmp_path)
    try:
        folder = workspace.folders[0].folder
        session = await folder.manager.create_session("s")
        await session.add_message(Message(role="user", content="note"))
        await store_keys.encrypt(folder, Cipher(bytes(32)))
        assert await find_symbols(workspace, "note") == []
        await store_keys.lock(folder)
        assert await find_symbols(workspace, "note") == []
        assert not (folder.directory / "views").exists()
    finally:
        await app.close()
