"""The project's own files, as its tests see them."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "kore_ls"


def modules() -> list[str]:
    """Every Python file of the package, as `storage/rows.py`, sorted."""
    return sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


@cache
def tree(module: str) -> ast.Module:
    """The syntax tree of a file that `modules` names."""
    return ast.parse((PACKAGE / module).read_text(encoding="utf-8"), module)
