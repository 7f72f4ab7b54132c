"""The snippets that users copy work as they are printed."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from tests.editors.nvim.editor import PLUGIN, Nvim, Start
from tests.project.source import ROOT

SNIPPETS = {
    f"{page.relative_to(ROOT).as_posix()}:{number}": block
    for page in (ROOT / "editors/README.md", PLUGIN / "README.md")
    for number, block in enumerate(re.findall(r"^```lua\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S))
}

LAZY = """
local spec = assert(loadstring(...))()
vim.opt.rtp:prepend(spec.dir)
spec.init()
vim.cmd.runtime('plugin/kore.lua')
spec.config()
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH on which `kore-ls` is this one."""
    shim = tmp_path / "bin" / "kore-ls"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} -m kore_ls "$@"\n', encoding="utf-8")
    shim.chmod(0o755)
    return f"{shim.parent}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.parametrize("place", SNIPPETS)
def test_a_snippet_starts_kore(place: str, start: Start, project: Path, path: str) -> None:
    nvim: Nvim = start(project, PATH=path)
    nvim.lua("vim.g.kore, vim.g.loaded_kore = nil, nil; vim.cmd.set('rtp-=' .. vim.env.KORE_PLUGIN)")
    nvim.lua("vim.api.nvim_del_user_command('Kore')")
    if SNIPPETS[place].startswith("return "):
        nvim.lua(LAZY, SNIPPETS[place])
    else:
        nvim.lua(SNIPPETS[place])
        nvim.ex("runtime plugin/kore.lua")
    nvim.ex("edit notes.txt")
    nvim.wait("return vim.lsp.get_clients({ name = 'kore', bufnr = 0 })[1] ~= nil")
    nvim.kore("new started")
    nvim.chat()

    assert nvim.lua("return require('kore').session().name") == "started"
