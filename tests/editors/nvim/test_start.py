"""How the plugin comes to life: with files and without, in several folders, in none, in a broken installation."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from kore_ls.api import TABLE
from tests.editors.nvim.editor import PLUGIN, Nvim, Start, binary


def test_a_file_of_a_project_starts_one_server_and_a_nameless_buffer_none(start: Start, project: Path) -> None:
    nvim = start(project)
    nvim.lua("vim.lsp.enable('kore')")
    nvim.ex("new | setfiletype text")
    assert nvim.lua("return #vim.lsp.get_clients({ _uninitialized = true })") == 0

    nvim.ex("edit notes.txt")
    nvim.wait("return vim.lsp.get_clients({ name = 'kore', bufnr = 0 })[1] ~= nil")
    nvim.kore("")
    nvim.chat()
    assert nvim.lua("return #vim.lsp.get_clients()") == 1


def test_looking_at_a_folder_makes_no_store(nvim: Nvim, project: Path) -> None:
    nvim.lua("vim.lsp.enable('kore')")
    nvim.ex("edit notes.txt")
    nvim.wait("return vim.list_contains(heard, 'KoreState')")
    nvim.kore("sessions")

    nvim.tells("no sessions yet")
    assert not (project / ".kore").exists()


def test_several_folders_share_a_server_and_keep_their_sessions_apart(
    start: Start, project: Path, tmp_path: Path
) -> None:
    other = tmp_path / "second"
    (other / ".git").mkdir(parents=True)
    (other / "file.txt").write_text("x", encoding="utf-8")
    nvim = start(project)
    nvim.lua("vim.lsp.enable('kore')")
    nvim.ex("edit notes.txt")
    nvim.request("nvim_cmd", {"cmd": "edit", "args": [str(other / "file.txt")]}, {})
    nvim.kore("new in second")
    nvim.ex("wincmd p | buffer notes.txt")
    nvim.kore("new in one")
    nvim.ex("wincmd p | buffer file.txt")

    nvim.gives("require('kore').session().name", "in second")
    nvim.ex("redrawstatus!")
    nvim.gives("require('kore').statusline()", "in second [build]")
    nvim.kore("sessions")
    listed = nvim.lua("return asked[1].lines")
    assert len(listed) == 2 and any(" second" in line for line in listed) and any("项目" in line for line in listed)
    assert nvim.lua("return #vim.lsp.get_clients()") == 1
    assert (project / ".kore").exists() and (other / ".kore").exists()


def test_a_folder_without_marks_is_explained_and_can_be_taken(start: Start, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    nvim = start(bare)
    nvim.kore("")
    nvim.tells("no .git or .kore", ":Kore folder")
    assert nvim.lua("return #vim.lsp.get_clients({ _uninitialized = true })") == 0

    nvim.kore("folder")
    nvim.kore("")
    nvim.chat()
    assert (bare / ".kore").is_dir()


def test_a_missing_server_is_named(start: Start, project: Path) -> None:
    nvim = start(project)
    nvim.lua("vim.g.kore = { cmd = { '/nowhere/kore-ls', '--stdio' } }")
    nvim.kore("")

    nvim.tells("`/nowhere/kore-ls` is not installed")
    nvim.ex("checkhealth kore")
    assert "`/nowhere/kore-ls` is not installed" in nvim.text()


def test_checkhealth_tells_what_is_there(start: Start, project: Path, tmp_path: Path) -> None:
    shim = tmp_path / "kore-ls"
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} -m kore_ls "$@"\n', encoding="utf-8")
    shim.chmod(0o755)
    nvim = start(project)
    nvim.lua("vim.g.kore = { cmd = { ..., '--stdio' }, sender = 1, open = 3 }", str(shim))
    nvim.kore("new x")
    nvim.ex("checkhealth kore")

    text = nvim.text()
    assert "OK kore-ls 0.1.0" in text
    assert "1 sessions, 0 messages" in text
    assert f"protocol version 1, {len(TABLE)} methods" in text
    assert "unknown setting `sender`" in text and "`open` must be a string" in text
    assert "ERROR" not in text


def test_the_command_completes(nvim: Nvim) -> None:
    nvim.kore("new my session")

    assert "sessions" in nvim.request("nvim_call_function", "getcompletion", ["Kore se", "cmdline"])
    assert nvim.request("nvim_call_function", "getcompletion", ["Kore mode p", "cmdline"]) == ["plan"]
    assert nvim.request("nvim_call_function", "getcompletion", ["Kore switch my s", "cmdline"]) == ["session"]
    nvim.ex("Kore nonsense")
    nvim.wait("return #said > 0")
    nvim.tells("there is no :Kore nonsense")


def test_help_is_there_in_both_languages(tmp_path: Path) -> None:
    """Every subcommand and every map has its tag; the tags build, and the Chinese help has the same."""
    docs = tmp_path / "doc"
    docs.mkdir()
    for name in ("kore.txt", "kore.cnx"):
        (docs / name).write_bytes((PLUGIN / "doc" / name).read_bytes())
    command = [binary(), "--headless", "--clean", "-c", f"helptags {docs}", "-c", "qa!"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr.strip() == ""

    for name in ("tags", "tags-cn"):  # whoever only adds the plugin to the runtimepath builds none
        assert (PLUGIN / "doc" / name).read_bytes() == (docs / name).read_bytes(), "run :helptags on the plugin's doc"
    tags = {line.split("\t")[0] for line in (docs / "tags").read_text(encoding="utf-8").splitlines()}
    chinese = {line.split("\t")[0] for line in (docs / "tags-cn").read_text(encoding="utf-8").splitlines()}
    source = (PLUGIN / "lua/kore/commands.lua").read_text(encoding="utf-8")
    commands = set(re.findall(r"^commands\.(\w+) = ", source, re.MULTILINE)) | {"pause", "resume", "pin", "archive"}
    plugin = (PLUGIN / "plugin/kore.lua").read_text(encoding="utf-8")
    maps = set(re.findall(r"^  (Kore\w+) = \{", plugin, re.MULTILINE)) | {"KoreAsk"}
    assert {f":Kore-{each}" for each in commands} <= tags
    assert {f"<Plug>({each})" for each in maps} <= tags
    assert chinese - {"!_TAG_FILE_ENCODING"} == tags - {"!_TAG_FILE_ENCODING"}


@pytest.mark.parametrize(("locale", "page"), [("en", "kore.txt"), ("zh-cn", "kore.cnx")])
def test_help_opens_where_the_plugin_is_only_on_the_runtimepath(nvim: Nvim, locale: str, page: str) -> None:
    nvim.lua("vim.g.kore = vim.tbl_extend('force', vim.g.kore, { locale = ... })", locale)
    nvim.kore("help")
    assert nvim.lua("return vim.fn.expand('%:t')") == page


def test_every_text_has_its_chinese_form(nvim: Nvim) -> None:
    texts = set()
    for path in (PLUGIN / "lua").rglob("*.lua"):
        source = path.read_text(encoding="utf-8")
        texts |= {match[1] or match[2] for match in re.finditer(r"""\bt(?:ext)?\((?:'([^']*)'|"([^"]*)")""", source)}
    texts |= set(
        nvim.lua(
            "local i = require('kore.i18n')\n"
            "local modes = { 'build', 'plan', 'general' }\n"
            "local causes = vim.tbl_map(function(each) return each[1] end, i.causes)\n"
            "local tables = vim.tbl_map(vim.tbl_values, { i.faults, i.options, i.reasons, causes, modes })\n"
            "return vim.iter(tables):flatten():totable()"
        )
    )

    assert [text for text in sorted(texts) if not nvim.lua("return require('kore.i18n').translated(...)", text)] == []


def test_a_chinese_user_reads_chinese(start: Start, project: Path) -> None:
    nvim = start(project)
    nvim.lua("vim.g.kore = vim.tbl_extend('force', vim.g.kore, { locale = 'zh-CN' })")
    nvim.kore("new")
    nvim.note("你好")

    nvim.shows("## 我 · ")
    nvim.gives("require('kore').session().name", "会话 1")
    nvim.gives("require('kore').statusline()", "会话 1 [构建]")
    nvim.hear("turn.finished", stopReason="maxTokens")
    nvim.shows("回合结束：回答达到长度上限")
    nvim.kore("close")
    nvim.tells("已关闭：会话 1")


def test_limits_of_what_is_kept_are_told_at_the_server_s_start(nvim: Nvim) -> None:
    limits = {"keepDays": 365, "keepBytes": 2_000_000_000, "backups": False}

    told = nvim.lua(
        "vim.g.kore = vim.tbl_extend('force', vim.g.kore, { server = ... })\n"
        "local params = {}\n"
        "require('kore.client').before_init(params)\n"
        "return params.initializationOptions.kore",
        limits,
    )

    assert told == limits | {name: told[name] for name in ("locale", "lspBridge")}
    docs = [(PLUGIN / "doc" / name).read_text(encoding="utf-8") for name in ("kore.txt", "kore.cnx")]
    assert all(f"server.{name}" in each for each in docs for name in limits)
