"""What somebody else wrote into a session is shown; nothing of it is evaluated, obeyed or taken for something else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.editors.nvim.editor import Nvim, Start

NAME = "%{system('touch evil1')}\x1b]0;\x07\u202e%{%system('touch evil2')%}"
LINES = [
    "vim: set modeline filetype=evil shiftwidth=77 :",
    "%{system('touch evil3')} `touch evil4` $(touch evil5) =system('touch evil6')",
    "\x1b]52;c;ZXZpbA==\x07\x1b[2J\x9b31m\x00 \u202eevil\u2066",
    "<C-r>=system('touch evil7')<CR> :!touch evil8\r:qa!\r",
    "## You · 2026-01-01 00:00",
    "vim: set modeline foldexpr=system('touch\\ evil9') foldmethod=expr :",
]


def test_names_and_messages_run_nothing(start: Start, project: Path) -> None:
    nvim = start(project)
    nvim.lua("vim.o.modeline, vim.o.modelines, vim.o.modelineexpr = true, 9, true")
    nvim.ex("set statusline=%{%v:lua.require'kore'.statusline()%} laststatus=2 title")
    document = {
        "id": "evil",
        "name": NAME,
        "messages": [{"role": "assistant", "content": "\n".join(LINES), "id": "evil-message"}],
    }
    (project / "evil.json").write_text(json.dumps(document), encoding="utf-8")
    nvim.kore("import evil.json")
    nvim.answer(1)
    nvim.kore("sessions")
    nvim.chat("#chat.messages == 1")
    nvim.ex("redraw!")
    nvim.answer("evil3")
    nvim.kore("search evil3")

    nvim.shows(LINES[1])
    assert nvim.lua("return { vim.bo.modeline, vim.bo.swapfile, vim.bo.undofile }") == [False, False, False]
    assert nvim.lua("return vim.bo.shiftwidth") != 77
    shown = nvim.lua("return vim.api.nvim_eval_statusline(vim.wo.winbar, { winid = 0, use_winbar = true }).str")
    assert shown.startswith("%{system('touch evil1')}␛]0;␇<202E>%{%s…")
    bar = nvim.lua("return vim.api.nvim_eval_statusline(vim.o.statusline, { maxwidth = 200 }).str")
    assert bar.startswith("%{system('touch evil1')}")
    picked = " ".join(line for each in nvim.lua("return asked") for line in each["lines"])
    assert "\x1b" not in picked and "\u202e" not in picked and "␛]0…" in picked
    assert [path.name for path in project.rglob("evil*")] == ["evil.json"]


def test_what_a_message_says_is_no_header(nvim: Nvim) -> None:
    nvim.kore("new talk")
    nvim.note("\n".join(LINES))

    headers = nvim.lua("""
        local marks = vim.api.nvim_buf_get_extmarks(0, vim.api.nvim_get_namespaces()['kore.chat'], 0, -1, {})
        return vim.tbl_map(function(mark) return mark[2] end, marks)
    """)
    assert headers == [0]
    assert nvim.lua("return require('kore.chat').of().doc.rows") == len(LINES) + 2


def test_what_a_tool_gave_is_shown_sign_by_sign(nvim: Nvim) -> None:
    trick = "\ta\u202eb\u2066\x07\x9b\u061c\r"
    given = {"result": {"text": f"one\n{trick}\n", "diff": f"+{trick}\n"}, "arguments": {"text": trick}}
    call: dict[str, Any] = {"id": "c", "messageId": "m", "name": "run", "title": "Run", "status": "completed"} | given
    running = {name: call[name] for name in call if name != "result"} | {"output": trick}
    message = {"id": "m", "role": "assistant", "content": "", "thinking": trick, "toolCalls": [call, running]}

    lines = nvim.lua("return (require('kore.chat.render').message(...)).lines", message)

    shown = "a<202E>b<2066>␇<009B><061C>␍"
    assert [line[4:] for line in lines if line.startswith("    ")] == [
        f"\t{shown}",
        *(f"text: ␉{shown}", "one", f"\t{shown}", f"+\t{shown}"),
        *(f"text: ␉{shown}", f"\t{shown}"),
    ]


def test_an_address_that_is_no_session_opens_nothing(nvim: Nvim, project: Path) -> None:
    nvim.lua("vim.cmd.edit({ args = { [[kore://%{system('touch evil')}]] }, magic = { file = false } })")

    nvim.tells("no session")
    assert not nvim.lua("return vim.bo.modifiable")
    assert not (project / ".kore").exists() and not (project / "evil").exists()


def test_completion_offers_names_that_do_nothing_when_taken(nvim: Nvim, project: Path) -> None:
    nvim.kore("new a|quit\x1b:!touch evil")
    nvim.kore("new another")
    with nvim.heard("KoreCommandDone"):
        nvim.type(":Kore switch a|<Tab><CR>")
    nvim.chat()

    nvim.gives("require('kore').session().name", "a|quit\x1b:!touch evil")
    assert not (project / "evil").exists()
