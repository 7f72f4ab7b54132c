"""Neovims for the tests, and folders for them to work in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.editors.nvim.editor import Nvim, Start, starter


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """`start(folder)`: another Neovim of the same user."""
    with starter(tmp_path / "state") as begin:
        yield begin


@pytest.fixture
def nvim(start: Start, project: Path) -> Nvim:
    """A Neovim in the project folder, with no file open."""
    return start(project)
