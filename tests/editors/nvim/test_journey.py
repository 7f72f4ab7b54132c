"""What a user of the Neovim plugin does in a day, and what they must see."""

from __future__ import annotations

from pathlib import Path

from tests.editors.nvim.editor import Start


def test_a_session_is_started_written_searched_renamed_forked_left_and_found_again(start: Start, project: Path) -> None:
    nvim = start(project)

    nvim.kore("new 登录接口")
    nvim.send("请检查用户认证的逻辑\nsecond line of it")
    nvim.shows("请检查用户认证的逻辑\nsecond line of it")
    nvim.send("another one")
    nvim.gives("require('kore').statusline()", "登录接口 [build]")

    nvim.kore("new other")
    nvim.send("nothing to see")
    nvim.answer("认证")
    nvim.kore("search 用户认证")
    nvim.gives("vim.api.nvim_get_current_line()", "请检查用户认证的逻辑")
    nvim.gives("vim.api.nvim_get_current_line():sub(vim.api.nvim_win_get_cursor(0)[2] + 1):sub(1, 12)", "用户认证")
    assert "登录接口" in nvim.lua("return asked[1].lines[1]")

    nvim.kore("rename 认证 🔑")
    nvim.wait("return require('kore').session().name == '认证 🔑'")
    nvim.kore("mode plan")
    nvim.wait("return require('kore').session().mode == 'plan'")
    first = nvim.lua("return vim.b.kore_session")
    nvim.kore("fork 认证 two")
    nvim.wait("return require('kore').session().name == '认证 two'")
    nvim.chat(f"chat.id ~= '{first}' and count(chat, 'user') == 1")  # up to the message under the cursor
    nvim.shows("## You")
    assert nvim.text().count("## You") == 1

    nvim.answer("  other  ")
    nvim.kore("sessions")
    nvim.wait("return require('kore').session().name == 'other' and vim.b.kore_session ~= nil")
    nvim.chat("count(chat, 'user') == 1")
    nvim.kore("delete")
    nvim.chat("chat.doc:find('notice') ~= nil")
    nvim.shows("deleted")
    nvim.kore("restore")
    nvim.wait("return require('kore').session() ~= nil")
    nvim.close()

    again = start(project)
    again.kore("")
    again.chat()
    again.shows("nothing to see")
    again.answer("认证 🔑")
    again.kore("sessions")
    again.wait("return require('kore').session().mode == 'plan'")
    again.chat("count(chat, 'user') == 2")
    again.shows("请检查用户认证的逻辑\nsecond line of it")
