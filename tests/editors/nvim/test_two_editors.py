"""Two Neovims, two servers, one folder: each sees what the other does."""

from __future__ import annotations

from pathlib import Path

from tests.editors.nvim.editor import Start


def test_each_sees_what_the_other_writes(start: Start, project: Path) -> None:
    one, two = start(project), start(project)
    one.kore("new shared")
    one.send("from one")
    two.kore("switch shared")
    two.chat("count(chat, 'user') == 1")

    two.send("from two")
    one.chat("count(chat, 'user') == 2")
    one.kore("rename ours")
    two.wait("return require('kore').session().name == 'ours'")
    one.send("again")
    two.chat("count(chat, 'user') == 3")

    two.wait("return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\\n') == given[1]", one.text())
    assert two.text().index("from one") < two.text().index("from two") < two.text().index("again")
