"""Pickers, who answers a session, the keys of providers, what was decided, and copies of the store."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.editors.nvim.editor import Nvim, Start


def test_the_agent_of_a_session_is_chosen(nvim: Nvim) -> None:
    nvim.kore("new talk")
    nvim.answer("builtin")
    nvim.kore("agent")
    nvim.tells("from the next turn on: builtin")

    nvim.gives("require('kore').session().agent.backend", "builtin")


@pytest.fixture
def bare(start: Start, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Nvim:
    """A Neovim whose server finds no key and no external agent."""
    for name in [name for name in os.environ if name.endswith("_API_KEY")]:
        monkeypatch.delenv(name)
    return start(project, PATH=str(tmp_path / "bin"))


def test_who_could_answer_is_offered_once_and_taken_by_one_key(bare: Nvim) -> None:
    nvim = bare
    nvim.kore("new talk")
    with nvim.heard("KoreCommandDone"):
        nvim.press("<Esc>:Kore key anthropic<CR>")
        nvim.secret("sk-test")
    nvim.tells("the key of anthropic is used")
    nvim.send("/help")
    assert "answered by" not in nvim.text()
    nvim.type("Gihalf ")
    nvim.lua("""require('kore').request('kore/turn/start', {
      sessionId = vim.b.kore_session, folder = vim.b.kore_folder, prompt = 'hello',
    }, function() end)""")
    nvim.shows("→ <M-a> has this session answered by anthropic:")
    nvim.type("typed")
    nvim.chat("chat.doc:prompt() == 'half typed'")
    assert nvim.request("nvim_get_mode")["mode"] == "i"

    with nvim.heard("KoreCommandDone"):
        nvim.type("<Esc><M-a>")
    nvim.tells("from the next turn on: model")
    nvim.hides("answered by")
    nvim.gives("require('kore').session().agent.backend", "model")
    nvim.answer("builtin")
    nvim.kore("agent")
    nvim.tells("from the next turn on: builtin")
    nvim.send("hello again")
    nvim.kore("mode plan")
    assert "answered by" not in nvim.text()


def test_why_an_agent_failed_is_told_in_the_user_s_language(start: Start, project: Path) -> None:
    nvim = start(project)
    nvim.lua("vim.g.kore = vim.tbl_extend('force', vim.g.kore or {}, { locale = 'zh-CN' })")

    def told(kind: str, **params: object) -> object:
        return nvim.lua(
            "return require('kore.say').agent(...)", {"kind": kind, "message": "raw\u202e", "params": params}
        )

    assert told("agentFailed", reason="rateLimit", provider="openai", retryAfter=30) == (
        "openai 目前不再接受请求；请在 30 秒后重试"
    )
    assert told("agentFailed", reason="rateLimit", provider="openai") == "openai 目前不再接受请求"
    assert told("authRequired", reason="noKey", provider="openai", variable="V\u202e") == (
        "没有设置 openai 的密钥。用 :Kore key，或环境变量 V<202E>"
    )
    assert told("agentUnavailable", reason="new") == "智能体未安装或未配置；见 kore-ls doctor"
    assert told("agentFailed", reason="new") == "raw<202E>"


def test_where_nobody_could_answer_nobody_is_offered(bare: Nvim) -> None:
    bare.kore("new talk")
    bare.send("hello")
    bare.ex("Kore! agent")
    bare.tells("no other agent could answer")

    assert "answered by" not in bare.text()


def test_an_external_agent_is_chosen_by_its_name(start: Start, project: Path, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "opencode"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    nvim = start(project, PATH=f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    nvim.kore("new talk")
    nvim.answer("opencode")
    nvim.kore("agent")
    nvim.tells("from the next turn on: acp      opencode")

    nvim.gives("require('kore').session().agent.name", "opencode")


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
