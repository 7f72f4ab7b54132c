"""The chat buffer: who may write where, what streams, which windows follow."""

from __future__ import annotations

import pytest

from tests.editors.nvim.editor import Nvim


@pytest.fixture
def chat(nvim: Nvim) -> Nvim:
    """A Neovim with a chat of one message."""
    nvim.kore("new talk")
    nvim.note("hello")
    return nvim


def stream(nvim: Nvim, *pieces: str, id_: str = "m1") -> None:
    """Let an answer stream in, and wait until it is shown."""
    offset = 0
    for piece in pieces:
        nvim.hear("message.streaming", messageId=id_, kind="text", offset=offset, delta=piece)
        offset += len(piece.encode("utf-16-le")) // 2
    nvim.chat("chat.live and not chat.live.timer")


def test_the_prompt_is_typed_and_sent_by_keys(chat: Nvim) -> None:
    chat.type("Gione line<CR>two lines<Esc><CR>")
    chat.chat("count(chat, 'user') == 2 and not chat.sending")

    chat.shows("one line\ntwo lines")
    assert chat.lua("return require('kore.chat').of().doc:prompt()") == ""


def test_an_answer_streams_in_and_what_is_being_typed_stays_whole(chat: Nvim) -> None:
    chat.type("Gimy next ")
    stream(chat, "Hel", "lo 😀", " wor", "ld\nnext ", "line")
    chat.type("question")
    chat.chat("chat.doc:prompt() == 'my next question'")

    chat.shows("\nHello 😀 world\nnext line\n")
    assert chat.request("nvim_get_mode")["mode"] == "i"


def test_a_stretch_heard_twice_is_shown_once(chat: Nvim) -> None:
    stream(chat, "one 😀 ", "two")
    chat.hear("message.streaming", messageId="m1", kind="text", offset=4, delta="😀 two three")
    chat.chat("chat.live and not chat.live.timer")

    chat.shows("\none 😀 two three\n")


def test_the_finished_message_takes_the_place_of_the_streamed_one(chat: Nvim) -> None:
    stream(chat, "half")
    begun = {key: value for key, value in TOOL.items() if key != "result"} | {"status": "inProgress"}
    chat.hear("tool.start", toolCall=begun)
    chat.hear("tool.output", toolCallId="t1", offset=0, chunk="so far")
    chat.chat("not chat.live.timer")
    chat.shows("… read a file — inProgress\n", "    so far")
    message = {"id": "m1", "seq": 2, "role": "assistant", "content": "whole", "timestamp": 1, "toolCalls": [TOOL]}
    chat.hear("message.added", message=message)

    chat.hides("half")
    assert chat.text().count("whole") == 1
    chat.shows("✓ read a file — completed")


def test_a_question_is_shown_below_what_led_to_it(chat: Nvim) -> None:
    chat.lua("vim.g.kore = vim.tbl_extend('force', vim.g.kore, { flush_ms = 600000 })")
    chat.hear("tool.start", toolCall={key: value for key, value in TOOL.items() if key != "result"})
    request = {"requestId": "r1", "sessionId": chat.lua("return vim.b.kore_session"), "summary": "read a.txt"}
    chat.hear("permission.asked", request=request | {"options": []})

    chat.shows("read a file", "? read a.txt")
    assert chat.text().index("read a file") < chat.text().index("? read a.txt")


TOOL = {
    "id": "t1",
    "messageId": "m1",
    "name": "read",
    "kind": "read",
    "title": "read a file",
    "arguments": {"path": "a.txt"},
    "status": "completed",
    "result": "first\nsecond",
}


def test_tool_calls_and_thinking_are_folded(chat: Nvim) -> None:
    message = {
        "id": "m1",
        "seq": 2,
        "role": "assistant",
        "content": "done",
        "timestamp": 1,
        "thinking": "hm\nwell",
        "toolCalls": [TOOL, TOOL | {"id": "t2", "title": "read it again"}],
    }
    chat.hear("message.added", message=message)
    chat.ex("redraw!")

    closed = chat.lua("""
        local folds = {}
        for row = 1, vim.fn.line('$') do
          if vim.fn.foldclosed(row) == row then
            table.insert(folds, vim.fn.getline(row))
          end
        end
        return folds
    """)
    assert closed == ["✻ Thinking", "✓ read a file — completed", "✓ read it again — completed"]


def test_a_window_at_the_end_follows_and_one_that_reads_stays(chat: Nvim) -> None:
    chat.ex("split")
    chat.type("ggj")
    chat.wait("return vim.api.nvim_win_get_cursor(0)[1] == 2 and not vim.bo.modifiable")  # it was seen to have moved
    stream(chat, *(f"line {number}\n" for number in range(100)))

    reading, following = chat.lua("""
        return vim.tbl_map(function(window)
          return { vim.api.nvim_win_get_cursor(window)[1], vim.fn.line('w$', window) }
        end, vim.fn.win_findbuf(vim.api.nvim_get_current_buf()))
    """)
    assert reading[0] == 2
    assert following[1] == chat.lua("return vim.fn.line('$')")


def test_the_transcript_can_not_be_changed_and_undo_concerns_the_prompt(chat: Nvim) -> None:
    before = chat.lines()
    chat.type("ggdd")
    assert chat.lines() == before

    chat.type("Gia draft<Esc>ggVGd")
    chat.type("G:normal! dgg<CR>")
    chat.chat("not chat.doc.damaged")
    chat.wait("return vim.fn.getline(2) == 'hello'")
    assert chat.lines()[: len(before) - 1] == before[:-1]

    chat.lua("require('kore.chat').of().doc:set_prompt('')")
    chat.type("Giabc<Esc>")
    stream(chat, "text")
    chat.type("Goxyz<Esc>u")
    chat.chat("chat.doc:prompt() == 'abc'")
    chat.shows("text")


@pytest.mark.parametrize("key", ["i", "a", "I", "A", "o", "O", "gi"])
def test_whoever_begins_to_write_in_the_transcript_writes_into_the_prompt(chat: Nvim, key: str) -> None:
    before = chat.lines()
    chat.type("Gi12<Esc>gg")
    chat.wait("return not vim.bo.modifiable")
    chat.type(f"{key}34")
    chat.chat("chat.doc:prompt() == '1234'")

    assert chat.lines()[:-1] == before[:-1]
    chat.type("<Esc>I0<Esc>a.")  # in the prompt they are what they are
    chat.chat("chat.doc:prompt() == '0.1234'")


def test_a_prompt_that_can_not_be_sent_comes_back(chat: Nvim) -> None:
    chat.kore("close")
    chat.lua("require('kore.chat').of().doc:set_prompt('keep me')")
    chat.lua("require('kore.chat').of():submit()")
    chat.chat("not chat.sending and chat.doc:prompt() == 'keep me'")

    chat.tells(":Kore switch")


def test_older_messages_come_page_by_page(chat: Nvim) -> None:
    chat.lua("vim.g.kore = vim.tbl_extend('force', vim.g.kore, { page = 3 })")
    for number in range(6):
        chat.note(f"message {number}")
    chat.ex("edit")
    chat.chat("#chat.messages == 3 and chat.older")
    chat.hides("message 2")

    chat.type("gg<CR>")
    chat.chat("#chat.messages == 6")
    chat.shows("message 1", "message 2", "message 3")
    assert chat.text().index("message 1") < chat.text().index("message 2") < chat.text().index("message 3")
    chat.kore("older")
    chat.gives("vim.fn.getline(2)", "hello")


def test_the_chat_outlives_its_server(chat: Nvim) -> None:
    chat.kore("restart")
    chat.chat("chat.doc:find('notice') == nil")
    chat.note("after")

    chat.shows("hello")
    assert chat.text().count("hello") == 1
    chat.shows("after")


def test_what_a_tool_was_given_is_told_line_by_line_and_not_as_json(nvim: Nvim) -> None:
    given = {"command": ["git", "commit", "-m", "a b"], "path": "a.txt", "text": "one\ntwo", "more": {"deep": [1]}}
    call = {"id": "c", "messageId": "m", "name": "run", "title": "Run", "status": "completed", "arguments": given}
    message = {"id": "m", "role": "assistant", "content": "", "toolCalls": [call | {"result": {"lines": 2}}]}

    lines = nvim.lua("return (require('kore.chat.render').message(...)).lines", message)

    told = ['command: git commit -m "a b"', 'more: {"deep":[1]}', "path: a.txt", "text:", "one", "two", "lines: 2"]
    assert [line.strip() for line in lines if line.startswith("    ")] == told
