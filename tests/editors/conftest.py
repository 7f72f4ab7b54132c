"""What the tests of all editors share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project folder with a file."""
    folder = tmp_path / "项目 one"
    (folder / ".git").mkdir(parents=True)
    (folder / "notes.txt").write_text("first line\nsecond line\n", encoding="utf-8")
    return folder
