"""Folders whose sessions are gone, or never were: what is said there once, and looking after sessions by commands."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.client import connected, served
from tests.editors.nvim.editor import Nvim, Start
from tests.sessions.importers.tools import TALK, claude_code
from tests.storage.searching import raw


async def test_sessions_that_are_gone_are_told_of_once_and_come_back(
    start: Start, project: Path, tmp_path: Path
) -> None:
    application = served(tmp_path / "state" / "kore")
    client = await connected(application, project)
    await client.call("kore/session/create", {"name": "登录"})
    await client.workspace.folder(None).folder.backups.keep("daily")
    await client.workspace.close()
    await application.close()
    shutil.rmtree(project / ".kore")

    nvim = opened(start, project)
    nvim.tells(":Kore recover brings 1 back")
    assert not (project / ".kore").exists()
    nvim.close()

    again = opened(start, project)
    again.wait("return require('kore.state').trouble[vim.uri_from_fname(vim.fn.getcwd())] == nil")
    again.answer(1, "Yes")
    again.kore("recover")
    again.tells("1 sessions are back")
    again.kore("switch 登录")
    again.chat()
    again.kore("check")
    again.tells("nothing is wrong with the sessions")
    assert not again.lua("return table.concat(all, '\\n')").count(":Kore recover")


async def test_sessions_that_can_not_be_read_are_counted_where_they_are_missed(
    start: Start, project: Path, tmp_path: Path
) -> None:
    application = served(tmp_path / "state" / "kore")
    client = await connected(application, project)
    sound, spoiled = [await client.call("kore/session/create", {"name": name}) for name in ("sound", "spoiled")]
    for session in (spoiled, sound):
        await client.add(session["id"], "canary")
    await client.call("kore/session/save")
    await client.workspace.close()
    await application.close()
    raw(project / ".kore" / "sessions.db", "UPDATE sessions SET tags = x'00ff' WHERE id = ?", spoiled["id"])

    nvim = start(project)
    for command in ("sessions", "search canary"):
        nvim.answer(1)
        nvim.kore(command)
        nvim.tells("1 sessions can't be read and are left out; :Kore check says more")
        nvim.chat("#chat.messages == 1")
    nvim.kore("check")
    nvim.tells("(:Kore! check repairs)")


def test_conversations_of_other_tools_are_told_of_once_and_brought_in(
    start: Start, project: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    claude_code(home, project, TALK)

    nvim = opened(start, project, HOME=str(home))
    nvim.tells(":Kore history brings them in")
    nvim.close()

    again = opened(start, project, HOME=str(home))
    again.answer("Claude Code")
    again.kore("history")
    again.tells("1 sessions brought in")
    again.answer(1)
    again.kore("sessions")
    again.chat("#chat.messages > 0")
    assert not again.lua("return table.concat(all, '\\n')").count(":Kore history")


def opened(start: Start, folder: Path, **environment: str) -> Nvim:
    """A Neovim with a file of the folder open, whose server has said hello; `all` keeps what its user is told."""
    nvim = start(folder, **environment)
    nvim.lua("all = {} local tell = vim.notify vim.notify = function(text) table.insert(all, text) tell(text) end")
    nvim.lua("vim.lsp.enable('kore')")
    nvim.ex("edit notes.txt")
    nvim.wait("return vim.list_contains(heard, 'KoreState')")
    return nvim
