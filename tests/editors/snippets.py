"""The snippets of `editors/README.md`, as users copy them, and a `kore-ls` that they find."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from tests.project.source import ROOT


def snippet(heading: str) -> str:
    """The code block under a heading."""
    page = (ROOT / "editors" / "README.md").read_text(encoding="utf-8")
    section = page.partition(f"\n## {heading}")[2].partition("\n## ")[0]
    found = re.search(r"^```\w+\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[1]


def environment(directory: Path) -> dict[str, str]:
    """An environment in whose PATH `kore-ls` is this one."""
    shim = directory / "bin" / "kore-ls"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} -m kore_ls "$@"\n', encoding="utf-8")
    shim.chmod(0o755)
    path = f"{shim.parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "HOME": str(directory), "LC_ALL": "C.UTF-8"}
