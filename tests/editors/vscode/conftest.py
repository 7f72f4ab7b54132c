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


def run_node_tests(file: str, environment: dict[str, str]) -> None:
    """Run tests that are written for Node; fails with what they print."""
    node = shutil.which("node", path=SEARCH_PATH)
    assert node is not None
    done = subprocess.run(
        [node, "--test", "--test-reporter=spec", file],
        cwd=EXTENSION,
        env=os.environ | {"PATH": SEARCH_PATH} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


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
def chromium() -> str:
    """The browser's program."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        missing("Chromium is not installed")
    return found


@pytest.fixture(scope="session")
def code_server() -> Path:
    """Where code-server, VS Code for a browser, is installed."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    named = os.environ.get("KORE_CODE_SERVER")
    path = Path(named) if named else caches / "kore-ls-tests" / "code-server-4.100.3"
    if not (path / "ready").exists():
        missing("code-server is not installed: .ci/vscode does it")
    return path


@pytest.fixture(scope="session")
def vsix(npm: Npm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged extension."""
    path = tmp_path_factory.mktemp("vsix") / "kore.vsix"
    npm("run", "package", "--", "--out", str(path))
    return path
