"""A folder's sessions under a passphrase: set, asked for on the user's action, refused when wrong."""

from __future__ import annotations

from pathlib import Path

from tests.editors.nvim.editor import Start
from tests.words_in_files import files_with


def test_an_encrypted_store_asks_for_its_passphrase(start: Start, project: Path) -> None:
    writer = start(project)
    writer.kore("new 秘密计划")
    writer.note("the canary sings")
    with writer.heard("KoreCommandDone"):
        writer.press("<Esc>:Kore encrypt<CR>")
        writer.secret("correct horse", "correct horse")
    writer.note("still readable here")
    writer.close()
    assert files_with(project / ".kore", "canary") == []

    reader = start(project)
    reader.ex("Kore")
    reader.secret("wrong")
    reader.wait("return times('KoreCommandDone') == 1")
    reader.tells("not the passphrase")
    reader.wait("return require('kore').statusline() == 'Kore: the sessions are encrypted; :Kore unlock'")
    reader.ex("Kore")
    reader.secret("correct horse")
    reader.wait("return times('KoreCommandDone') == 2")
    reader.chat("#chat.messages == 2")

    reader.shows("the canary sings")
    reader.gives("require('kore').session().name", "秘密计划")
    with reader.heard("KoreCommandDone"):
        reader.press("<Esc>:Kore rekey<CR>")
        reader.secret("correct horse", "battery", "battery")
    reader.tells("the new passphrase counts")
    reader.answer("Yes")
    with reader.heard("KoreCommandDone"):
        reader.press("<Esc>:Kore decrypt<CR>")
        reader.secret("battery")
    reader.tells("not encrypted any more")
    assert files_with(project / ".kore", "canary") != []
    assert "correct horse" not in reader.lua("return vim.fn.execute('messages') .. vim.fn.execute('history :')")
