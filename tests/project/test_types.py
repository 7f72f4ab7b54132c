"""Types, lint and format hold over the whole project."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.project.source import ROOT

pytestmark = [pytest.mark.xdist_group("tools"), pytest.mark.timeout(900)]


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("mypy",), marks=pytest.mark.slow),
        ("ruff", "check", "kore_ls", "tests"),
        ("ruff", "format", "--check", "kore_ls", "tests"),
    ],
    ids=" ".join,
)
def test_the_tool_finds_nothing(command: tuple[str, ...]) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
