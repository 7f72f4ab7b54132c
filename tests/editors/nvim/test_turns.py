"""Turns of the agent that comes with the server: what it does, what it asks, how it is stopped, what is taken back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.editors.nvim.editor import CHAT, Nvim, Start

SHOWN = "return vim.tbl_map(function(message) return { message.role, message.content } end, chat.messages)"


@pytest.fixture
def nvim(nvim: Nvim, project: Path) -> Nvim:
    """A Neovim in a trusted folder, a file open, and a chat in general mode: the agent asks before it acts."""
    nvim.lua("vim.lsp.enable('kore')")
    nvim.ex("edit notes.txt")
    nvim.kore("new work")
    nvim.chat()
    nvim.kore("mode general")
    return nvim


def begin(nvim: Nvim, prompt: str) -> None:
    """Send a prompt whose turn will ask, and wait until the question is drawn below what led to it."""
    nvim.chat()
    nvim.lua(CHAT + "chat.doc:set_prompt(...) chat:submit()", prompt)
    nvim.chat("#require('kore.permission').pending(chat.id) == 1 and chat.live and not chat.live.timer")


def test_an_allowed_change_reaches_the_open_buffer_and_is_taken_back(nvim: Nvim, project: Path) -> None:
    begin(nvim, "/edit notes.txt\n<<<<<<< SEARCH\nsecond line\n=======\n第二行\n>>>>>>> REPLACE")
    nvim.shows("## Agent", "\n? ")
    chat = nvim.lines()
    assert chat.index("## Agent") < next(i for i, line in enumerate(chat) if line.startswith("? "))
    nvim.kore("permission")
    nvim.shows("+第二行")
    with nvim.heard("KoreTurnFinished"):
        nvim.type("1")

    assert (project / "notes.txt").read_text(encoding="utf-8") == "first line\n第二行\n"
    buffer = "local buf = vim.fn.bufnr('notes.txt') return "
    nvim.wait(buffer + "vim.fn.getbufline(buf, 2)[1] == '第二行' and not vim.bo[buf].modified")
    assert nvim.lua(buffer + "vim.api.nvim_buf_get_lines(buf, 0, -1, false)") == ["first line", "第二行"]
    nvim.shows("✓")
    nvim.shows("    +第二行")

    nvim.answer(1, "Yes")
    nvim.kore("revert")
    assert (project / "notes.txt").read_text(encoding="utf-8") == "first line\nsecond line\n"
    nvim.wait("return vim.fn.getbufline('notes.txt', 2)[1] == 'second line'")
    nvim.lua("vim.api.nvim_buf_call(vim.fn.bufnr('notes.txt'), function() vim.cmd('write') end)")


def test_a_rejected_change_is_not_made(nvim: Nvim, project: Path) -> None:
    begin(nvim, "/write new.txt text")
    with nvim.heard("KoreTurnFinished"):
        nvim.kore("reject please not")

    assert not (project / "new.txt").exists()
    nvim.shows("⊘")
    nvim.hides("\n? ")


def test_always_is_remembered_until_it_is_forgotten(nvim: Nvim, project: Path) -> None:
    begin(nvim, "/run true")
    with nvim.heard("KoreTurnFinished"):
        nvim.kore("allow!")
    nvim.send("/run true")
    assert nvim.lua("return times('KorePermissionAsked')") == 1

    nvim.answer(1)
    nvim.kore("rules")
    nvim.tells("forgotten: Allow, always: run_command true")
    begin(nvim, "/run true")


def test_a_turn_is_stopped_by_a_key_and_a_queued_prompt_comes_back(nvim: Nvim) -> None:
    begin(nvim, "/run sleep 60")
    nvim.lua(CHAT + "chat.doc:set_prompt('and then this') chat:submit()")
    nvim.wait("return require('kore').statusline():find('1 queued') ~= nil")
    nvim.type("G")
    with nvim.heard("KoreTurnFinished"):
        nvim.press("<C-c>")
    nvim.chat("chat.doc:prompt() == 'and then this'")

    nvim.shows("cancelled")
    nvim.wait("return require('kore').statusline() == 'work [general]'")


@pytest.mark.parametrize("mode", ["normal", "insert"])
def test_a_turn_is_stopped_by_a_key_pressed_while_neovim_is_busy(nvim: Nvim, mode: str) -> None:
    begin(nvim, "/run sleep 60")
    nvim.type("G" if mode == "normal" else "Gi")
    nvim.lua("vim.keymap.set({ 'n', 'i' }, '<F11>', function() vim.api.nvim_input('<C-c>') end, { buffer = 0 })")
    with nvim.heard("KoreTurnFinished"):
        nvim.press("<F11>")
    nvim.shows("cancelled")
    assert nvim.lua("return #said") == 1  # the question; a second cancelling would complain


def test_whether_a_folder_is_trusted_is_asked_without_taking_keys(start: Start, project: Path) -> None:
    nvim = start(project)
    nvim.lua("vim.g.kore = vim.tbl_extend('force', vim.g.kore, { server = {} })")
    nvim.kore("new work")
    nvim.send("/write new.txt text")
    nvim.wait("return #require('kore.permission').pending() == 1")
    nvim.type("GiTrust<CR>1")
    nvim.chat("chat.doc:prompt() == 'Trust\\n1'")
    assert not (project / "new.txt").exists()  # plan mode so far
    nvim.tells(":Kore permission")

    nvim.type("<Esc>")
    nvim.kore("permission")
    nvim.lua("vim.fn.search('Trust')")
    nvim.type("<CR>")
    nvim.wait("return #require('kore.permission').pending() == 0")
    nvim.lua(CHAT + "chat.doc:set_prompt('')")
    nvim.send("/write new.txt text")
    assert (project / "new.txt").exists()


def test_who_comes_later_sees_the_question_and_may_answer(nvim: Nvim, project: Path) -> None:
    """A chat that is read anew in mid-turn shows what runs and what is asked."""
    begin(nvim, "/write late.txt text")
    nvim.ex("edit")
    nvim.chat("chat.doc:find('permission:' .. require('kore.permission').pending()[1].requestId) ~= nil")
    with nvim.heard("KoreTurnFinished"):
        nvim.kore("allow")

    assert (project / "late.txt").read_text(encoding="utf-8").strip() == "text"


def said(nvim: Nvim) -> list[str]:
    """What the user said, as far as the chat shows it."""
    return [text for role, text in nvim.lua(CHAT + SHOWN) if role == "user"]


def test_a_prompt_is_taken_back_with_its_files_and_written_anew(nvim: Nvim, project: Path) -> None:
    nvim.kore("mode build")
    nvim.chat()
    for number, prompt in enumerate(("one", "/write new.txt text"), start=1):
        with nvim.heard("KoreTurnFinished"):
            nvim.lua(CHAT + "chat.doc:set_prompt(...) chat:submit()", prompt)
        nvim.chat(f"count(chat, 'assistant') == {number}")
    nvim.answer("No")
    nvim.kore("rewind")
    assert (project / "new.txt").exists() and said(nvim) == ["one", "/write new.txt text"]
    assert "Take back 2 messages" in nvim.lua("return asked[#asked].prompt")

    nvim.answer("Yes, and take back 1 files")
    nvim.kore("rewind")
    nvim.chat("#chat.messages == 2")
    assert not (project / "new.txt").exists()
    assert said(nvim) == ["one"]
    assert nvim.lua(CHAT + "return chat.doc:prompt()") == "/write new.txt text"
    assert "new.txt" not in "\n".join(nvim.lines()[: nvim.lua(CHAT + "return chat.doc.rows")])


def test_an_answer_is_given_anew(nvim: Nvim) -> None:
    nvim.chat()
    with nvim.heard("KoreTurnFinished"):
        nvim.lua(CHAT + "chat.doc:set_prompt('one') chat:submit()")
    nvim.chat("count(chat, 'assistant') == 1")
    first = nvim.lua(CHAT + "return chat.messages[2].id")
    with nvim.heard("KoreTurnFinished"):
        nvim.kore("regenerate")
    nvim.chat(f"count(chat, 'assistant') == 1 and chat.messages[2].id ~= '{first}'")
    assert said(nvim) == ["one"]


def test_what_is_taken_back_elsewhere_goes_here_too(nvim: Nvim) -> None:
    nvim.chat()
    with nvim.heard("KoreTurnFinished"):
        nvim.lua(CHAT + "chat.doc:set_prompt('one') chat:submit()")
    nvim.chat("#chat.messages == 2")
    nvim.lua(
        CHAT + "local params = chat:about({ messageId = chat.messages[1].id }) "
        "vim.lsp.get_clients({ name = 'kore' })[1]:request('kore/session/rewind', params, function() end)"
    )
    nvim.chat("#chat.messages == 0")
    nvim.hides("\none\n")
