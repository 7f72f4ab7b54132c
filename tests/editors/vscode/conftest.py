"""What the tests of the VS Code extension share: Node with the extension's packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.editors import missing
from tests.project.source import ROOT

EXTENSION = ROOT / "editors" / "vscode"

SEARCH_PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
"""Node may have been installed as a Python package."""

Npm = Callable[..., str]


@pytest.fixture(scope="session")
def npm() -> Npm:
    """`npm("run", "check")` in the extension's directory: its output. Fails the test where the command fails."""
    program = shutil.which("npm", path=SEARCH_PATH)
    if program is None or shutil.which("node", path=SEARCH_PATH) is None:
        missing("Node is not installed")
    if not (EXTENSION / "node_modules" / "esbuild").is_dir():
        missing("the extension's packages are not installed: run `npm ci` in editors/vscode")

    def run(*arguments: str) -> str:
        environment = os.environ | {"PATH": SEARCH_PATH}
        done = subprocess.run(
            [program, *arguments], cwd=EXTENSION, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def vsix(npm: Npm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged extension."""
    path = tmp_path_factory.mktemp("vsix") / "kore.vsix"
    npm("run", "package", "--", "--out", str(path))
    return path
