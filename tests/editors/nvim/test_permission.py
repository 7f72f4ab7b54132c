"""What the agent asks is seen, takes no key from what is being typed, and is answered only on purpose."""

from __future__ import annotations

from typing import Any

import pytest

from tests.editors.nvim.editor import Nvim

ASK = """
local client = vim.lsp.get_clients({ name = 'kore' })[1]
local request = vim.tbl_extend('force', ..., { sessionId = vim.b.kore_session })
coroutine.wrap(function()
  outcome = client.handlers['kore/permission/request'](nil, request)
end)()
"""

REQUEST: dict[str, Any] = {
    "requestId": "r1",
    "turnId": "t1",
    "toolCall": {"id": "c1", "messageId": "m1", "name": "write", "kind": "edit", "title": "w", "status": "pending"},
    "summary": "write /project/a.txt\x1b[2J",
    "diff": "--- a.txt\n+++ a.txt\n@@ -1 +1 @@\n-old\n+new\u202e\n",
    "options": [
        {"id": "o1", "name": "Allow", "kind": "allowOnce"},
        {"id": "o2", "name": "Always", "kind": "allowAlways"},
        {"id": "o3", "name": "Reject", "kind": "rejectOnce"},
    ],
}


@pytest.fixture
def asked(nvim: Nvim) -> Nvim:
    """A Neovim in whose chat the user types while the agent asks."""
    nvim.kore("new talk")
    nvim.chat()
    nvim.ex("only")
    nvim.type("Gi12<CR>")
    nvim.chat("chat.doc:prompt() == '12'")
    nvim.lua(ASK, REQUEST)
    return nvim


def test_a_question_takes_no_key_and_stays_open(asked: Nvim) -> None:
    asked.type("1y<CR>3")
    asked.chat("chat.doc:prompt() == '12\\n1y\\n3'")

    assert asked.lua("return outcome") is None
    assert len(asked.lua("return vim.api.nvim_list_wins()")) == 1
    assert asked.lua("return vim.api.nvim_get_mode().mode") == "i"
    asked.shows("? write /project/a.txt␛[2J")
    asked.wait("return require('kore').statusline():find(':Kore permission', 1, true) ~= nil")
    asked.tells(":Kore permission")


def test_several_long_questions_at_once_take_no_key_either(asked: Nvim) -> None:
    asked.request("nvim_ui_attach", 80, 24, {})
    asked.lua("usual = vim.notify")
    asked.lua("vim.notify = function(text) vim.api.nvim_echo({ { text } }, true, {}) end")
    for number in range(3):
        asked.lua(ASK, REQUEST | {"requestId": f"more{number}", "summary": "run " + "很长" * 200 + "\nand more"})
    asked.wait("return vim.fn.execute('messages'):find('the agent of talk asks') ~= nil")
    asked.type("x<CR>yz")
    asked.chat("chat.doc:prompt() == '12\\nx\\nyz'")

    assert asked.request("nvim_get_mode") == {"mode": "i", "blocking": False}
    asked.request("nvim_ui_detach")
    asked.lua("vim.notify = usual")


def test_it_is_shown_with_its_diff_and_answered_there(asked: Nvim) -> None:
    asked.type("<Esc>")
    asked.kore("permission")
    asked.shows("+new<202E>")
    asked.gives("vim.api.nvim_get_current_line()", "3  Reject")  # <CR> rejects unless told otherwise
    asked.type("1")
    asked.wait("return outcome ~= nil")

    asked.gives("outcome", {"outcome": "selected", "optionId": "o1"})
    asked.gives("#vim.api.nvim_list_wins()", 1)
    asked.hides("? write")


def test_it_is_rejected_with_a_word_to_the_agent(asked: Nvim) -> None:
    asked.kore("reject not this file")

    asked.gives("outcome", {"outcome": "selected", "optionId": "o3", "feedback": "not this file"})


def test_always_needs_to_be_said(asked: Nvim) -> None:
    asked.kore("allow!")

    asked.gives("outcome", {"outcome": "selected", "optionId": "o2"})


def test_a_question_answered_elsewhere_is_gone(asked: Nvim) -> None:
    asked.type("<Esc>")
    asked.kore("permission")
    asked.hear("permission.resolved", requestId="r1", outcome="selected")
    asked.hear("permission.asked", request=REQUEST)  # a straggler

    asked.gives("outcome", {"outcome": "cancelled"})
    assert asked.lua("return vim.b.kore_session") is not None
    asked.hides("? write")
    assert asked.lua("return #require('kore.permission').pending()") == 0


def test_a_question_of_the_servers_own_is_not_agreed_to_by_a_key_pressed_too_early(nvim: Nvim) -> None:
    nvim.lua(
        "local actions = { { title = 'Trust' }, { title = 'No thanks' } }\n"
        "local question = { type = 2, message = 'Trust this folder?', actions = actions }\n"
        "coroutine.wrap(function() outcome = require('kore.permission').chosen(question) end)()"
    )
    nvim.kore("permission")
    nvim.shows("Trust this folder?")
    nvim.gives("vim.api.nvim_get_current_line()", "2  No thanks")
    nvim.type("<CR>")

    nvim.gives("outcome", {"title": "No thanks"})
