"""A look for words in all files of a directory, while processes may still be at work there."""

from __future__ import annotations

from pathlib import Path


def files_with(directory: Path, word: str) -> list[str]:
    """The names of the files that hold a word in UTF-8; all are read again if one goes meanwhile."""
    while True:
        try:
            files = sorted(path for path in directory.rglob("*") if path.is_file())
            return [path.name for path in files if word.encode() in path.read_bytes()]
        except FileNotFoundError:
            continue
