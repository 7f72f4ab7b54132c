"""What helps to write a prompt: earlier ones, and completion."""

from __future__ import annotations

from pathlib import Path

from kore_ls.agents.slash import USAGES
from tests.editors.nvim.editor import Nvim


def test_earlier_prompts_come_back_and_what_was_being_written_is_kept(nvim: Nvim) -> None:
    nvim.kore("new talk")
    for prompt in ("first", "second\nof two lines", "second\nof two lines"):
        nvim.note(prompt)
    nvim.type("Gia draft<M-p>")
    nvim.chat("chat.doc:prompt() == 'second\\nof two lines'")
    nvim.type("<M-p><M-p>")
    nvim.chat("chat.doc:prompt() == 'first'")
    nvim.type("<M-n><M-n><M-n>")
    nvim.chat("chat.doc:prompt() == 'a draft'")
    nvim.type("<M-p>!<M-p>")  # a changed one is what is being written now
    nvim.chat("chat.doc:prompt() == 'second\\nof two lines'")
    nvim.type("<M-n>")
    nvim.chat("chat.doc:prompt() == 'second\\nof two lines!'")


def test_slash_commands_and_paths_are_completed(nvim: Nvim, project: Path) -> None:
    (project / "文档").mkdir()
    (project / "文档" / "说明.md").write_text("x", encoding="utf-8")
    (project / "out").symlink_to("/")
    nvim.kore("new talk")
    nvim.chat()
    nvim.type("Gi/rea<C-x><C-o> not<C-x><C-o> @文<C-x><C-o>说<C-x><C-o>")
    nvim.chat("chat.doc:prompt() == '/read notes.txt @文档/说明.md'")
    nvim.type("<Esc>")

    assert nvim.lua("return require('kore.chat.complete').paths(..., '')", str(project)) == [
        "notes.txt",
        "out",
        "文档/",
    ]
    for outside in ("../", "out/", "/etc/", "文档/../../"):
        assert nvim.lua("return require('kore.chat.complete').paths(...)", str(project), outside) == []


def test_the_slash_commands_are_those_of_the_server(nvim: Nvim) -> None:
    assert set(nvim.lua("return require('kore.chat.complete').commands")) == set(USAGES)
