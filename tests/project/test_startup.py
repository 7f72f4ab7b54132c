"""Start-up stays light: what one command needs is not loaded for another."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"lsprotocol", "pygls", "typer", "rich", "prompt_toolkit", "aiosqlite", "sqlite3", "cryptography", "uuid_utils"}


@pytest.mark.parametrize("module", ["kore_ls", "kore_ls.__main__"])
def test_importing_it_loads_nothing_heavy(module: str, tmp_path: Path) -> None:
    program = f"import sys, {module}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert HEAVY & set(done.stdout.split()) == set()
