"""Files that share their contents with names somewhere else: what is written by one name is written by all of them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

PACKAGES = frozenset(
    {
        *("node_modules", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", "objects"),
        *("site-packages", "vendor", ".venv", "venv"),
    }
)
"""Directories in which such files come by the thousand."""
_MOST_NAMED = 300


class HardLinks:
    """Collects the names that are seen below a directory, and tells which files have further ones."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: dict[tuple[int, int], tuple[int, list[Path]]] = {}

    def note(self, path: str, found: os.stat_result) -> None:
        """Take note of a file."""
        if found.st_nlink > 1 and stat.S_ISREG(found.st_mode):
            self._names.setdefault((found.st_dev, found.st_ino), (found.st_nlink, []))[1].append(Path(path))

    def elsewhere(self) -> tuple[Path, ...]:
        """The files with a name that was not seen; where they are many, their packages, else all packages together.

        Git's objects are counted apart: it could write none where their directory is named.
        """
        linked = [path for links, paths in self._names.values() if len(paths) < links for path in paths]
        objects = [path for path in linked if self._holder(path) == "objects"]
        others = [path for path in linked if self._holder(path) != "objects"]
        return tuple(sorted({*self._gathered(objects), *self._gathered(others)}))

    def _gathered(self, linked: list[Path]) -> set[Path]:
        found: set[Path] = set()
        for level in (None, 1, 0):
            found = {path if level is None else self._package(path, level) for path in linked}
            if len(found) <= _MOST_NAMED:
                break
        return {path for path in found if not found.intersection(path.parents)}

    def _package(self, path: Path, level: int) -> Path:
        """The directory of packages that a file lies in (`level` 0), or what of that; other files stay themselves."""
        names = path.relative_to(self._folder).parts
        at = next((number for number, name in enumerate(names[:-1]) if name in PACKAGES), None)
        return path if at is None else self._folder.joinpath(*names[: at + 1 + level])

    def _holder(self, path: Path) -> str:
        return next((name for name in path.relative_to(self._folder).parts[:-1] if name in PACKAGES), "")
