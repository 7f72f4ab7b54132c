"""Pickers, who answers a session, the keys of providers, what was decided, and copies of the store."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.editors.nvim.editor import Nvim


def test_the_agent_of_a_session_is_chosen(nvim: Nvim) -> None:
    nvim.kore("new talk")
    nvim.answer("builtin")
    nvim.kore("agent")
    nvim.tells("from the next turn on: builtin")

    nvim.gives("require('kore').session().agent.backend", "builtin")


def test_a_picker_that_previews_is_given_the_newest_messages(nvim: Nvim) -> None:
    """`preview_item` is what pickers over `vim.ui.select` ask for; it may not fail where the server is slow or gone."""
    nvim.kore("new talk")
    nvim.note("to be previewed")
    nvim.lua("""
        usual = vim.ui.select
        vim.ui.select = function(items, options, done)
          previewed = options.preview_item(items[1])
          done(nil)
        end
    """)
    nvim.kore("sessions")
    nvim.lua("vim.ui.select = usual")

    assert "to be previewed" in nvim.lua("return previewed")


def test_a_provider_s_key_is_typed_secretly_and_forgotten_again(nvim: Nvim) -> None:
    nvim.kore("new talk")
    with nvim.heard("KoreCommandDone"):
        nvim.press("<Esc>:Kore key deepseek<CR>")
        nvim.secret("sk-canary-1")
    nvim.tells("the key of deepseek is used")
    nvim.answer("deepseek  ●")
    with nvim.heard("KoreCommandDone"):
        nvim.press("<Esc>:Kore key<CR>")
        nvim.secret("")
    nvim.tells("the key of deepseek is forgotten")

    seen = "return vim.fn.execute('messages') .. vim.fn.execute('history :') .. vim.fn.execute('history input')"
    assert "canary" not in nvim.lua(seen)
    assert "deepseek" in nvim.request("nvim_call_function", "getcompletion", ["Kore key dee", "cmdline"])


def test_decisions_are_shown_and_the_store_is_copied(nvim: Nvim, project: Path) -> None:
    nvim.kore("new talk")
    nvim.kore("decisions")
    nvim.tells("nothing was decided")
    nvim.send("/read notes.txt")
    nvim.kore("decisions")
    nvim.shows("✓ ", "notes.txt")
    assert not nvim.lua("return vim.bo.modifiable")

    nvim.type("q")
    nvim.kore("backup copy.db")
    nvim.tells("bytes in ")
    with closing(sqlite3.connect(project / "copy.db")) as copy:
        assert copy.execute("SELECT count(*) FROM messages").fetchone() == (2,)
