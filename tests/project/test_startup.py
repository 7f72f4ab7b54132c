"""Start-up stays light: what one command needs is not loaded for another."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "pydantic_ai",
    "pydantic",
    "acp",
    "openai",
    "anthropic",
    "lsprotocol",
    "pygls",
    "typer",
    "rich",
    "prompt_toolkit",
    "aiosqlite",
    "sqlite3",
    "cryptography",
    "uuid_utils",
}
SERVING = "kore_ls.api, kore_ls.lsp.serving, kore_ls.rpc.stdio, kore_ls.sessions.app"
"""What `kore-ls serve` imports before it answers `initialize`."""
LATE = {
    *(HEAVY - {"aiosqlite", "sqlite3"}),
    "http.client",
    "kore_ls.api.session",
    "kore_ls.api.store_keys",
    "kore_ls.lsp.server",
    "kore_ls.rpc.tcp",
    "kore_ls.sessions.adopt",
    "kore_ls.sessions.documents.import_document",
    "kore_ls.storage.convert",
    "kore_ls.storage.foreign_reader",
    "kore_ls.storage.repair",
}


@pytest.mark.parametrize("module", ["kore_ls", "kore_ls.__main__"])
def test_importing_it_loads_nothing_heavy(module: str, tmp_path: Path) -> None:
    program = f"import sys, {module}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert HEAVY & set(done.stdout.split()) == set()


def test_a_server_loads_late_what_the_greeting_does_not_need(tmp_path: Path) -> None:
    program = f"import sys, {SERVING}; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert LATE & set(done.stdout.split()) == set()
