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


@pytest.fixture(scope="session")
def kept_start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """As `start`, for a Neovim that several tests use one after the other."""
    with starter(tmp_path_factory.mktemp("nvim") / "state") as begin:
        yield begin


@pytest.fixture(scope="session")
def kept() -> list[Nvim]:
    """The last one is in use; starting it and its server takes most of a second, so it is used again."""
    return []


@pytest.fixture
def nvim(kept: list[Nvim], kept_start: Start, project: Path) -> Nvim:
    """A Neovim in the project folder, with no file open and nothing left from other tests."""
    if not kept or kept[-1].ended:
        kept.append(kept_start(project))
    kept[-1].refresh(project)
    return kept[-1]
