"""What the agent asks the user's language servers through Neovim, in the encoding of its own connection (UTF-8)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.editors.nvim import language_server
from tests.editors.nvim.editor import Nvim, Start

LINE = "值😀 = name"

ASK = """
local name, params = ...
answered = nil
coroutine.wrap(function()
  local result, problem = vim.lsp.get_clients({ name = 'kore' })[1].handlers['kore/lsp/' .. name](nil, params)
  answered = { result = result, problem = problem and problem.message }
end)()
"""


@pytest.fixture
def nvim(start: Start, project: Path) -> Nvim:
    """A Neovim with another language server for text files."""
    (project / "code.txt").write_text(f"{LINE}\n", encoding="utf-8")
    nvim = start(project)
    nvim.lua(
        """
        local cmd = { vim.env.KORE_PYTHON, ... }
        vim.lsp.config('other', { cmd = cmd, filetypes = { 'text' }, root_markers = { '.git' } })
        vim.lsp.enable('other')
        require('kore.bridge').wait_ms = 60000
        """,
        language_server.__file__,
    )
    nvim.kore("")
    nvim.chat()
    return nvim


def asked(nvim: Nvim, name: str, path: Path, character: int = 0, **more: Any) -> Any:
    """What the bridge answers about a place in the first line of a file."""
    params = {"textDocument": {"uri": path.as_uri()}, "position": {"line": 0, "character": character}} | more
    nvim.lua(ASK, name, params)
    nvim.wait("return answered ~= nil")
    return nvim.lua("return answered")


def test_places_are_changed_to_the_other_server_s_encoding_and_back(nvim: Nvim, project: Path) -> None:
    """`name` begins at byte 10 and at UTF-16 unit 6. The file was not open before."""
    byte = LINE.encode().index(b"name")
    definition = asked(nvim, "definition", project / "code.txt", byte)["result"]
    hover = asked(nvim, "hover", project / "code.txt", byte)["result"]
    rename = asked(nvim, "rename", project / "code.txt", byte, newName="other")["result"]

    there = {"start": {"line": 0, "character": byte}, "end": {"line": 0, "character": byte + 2}}
    assert definition == [{"uri": (project / "code.txt").as_uri(), "range": there}]
    assert hover == {"contents": "unit 6", "range": there}
    assert rename["changes"] == {(project / "code.txt").as_uri(): [{"range": there, "newText": "other"}]}
    assert (project / "code.txt").read_text(encoding="utf-8") == f"{LINE}\n"


def test_known_diagnostics_are_told(nvim: Nvim, project: Path) -> None:
    nvim.lua(
        """
        local buf = vim.fn.bufadd(...)
        vim.fn.bufload(buf)
        local bad = { lnum = 0, col = 3, end_col = 7, message = 'bad' }
        vim.diagnostic.set(vim.api.nvim_create_namespace('t'), buf, { bad })
        """,
        str(project / "code.txt"),
    )
    found = asked(nvim, "diagnostics", project / "code.txt")["result"]

    assert [(each["message"], each["range"]["start"]) for each in found["items"]] == [
        ("bad", {"line": 0, "character": 3})
    ]


def test_files_of_no_open_folder_are_refused(nvim: Nvim, project: Path, tmp_path: Path) -> None:
    outside = tmp_path / "secret.txt"
    outside.write_text("x", encoding="utf-8")
    (project / "link.txt").symlink_to(outside)

    assert "result" not in (refused := asked(nvim, "hover", outside)) and "open folder" in refused["problem"]
    assert "open folder" in asked(nvim, "hover", project / "link.txt")["problem"]
    assert nvim.lua("return vim.fn.bufexists(...)", str(outside)) == 0


def test_without_a_language_server_that_is_said(nvim: Nvim, project: Path) -> None:
    assert "no language server" in asked(nvim, "references", project / "code.txt")["problem"]
