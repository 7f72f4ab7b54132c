"""What confined commands see in the place of secret files that git tracks: nothing to read, and yet nothing changed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from kore_ls.agents.git_index import IndexEntry, read_index, settle
from kore_ls.agents.repository import Repository, repository_of

MOST = 300
GIT_SETTINGS = {
    "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_KEY_0": "core.checkStat",
    "GIT_CONFIG_VALUE_0": "minimal",
    "GIT_CONFIG_KEY_1": "core.trustctime",
    "GIT_CONFIG_VALUE_1": "false",
}
"""With these git compares size and time of change, which a stand-in has from its file."""


def stand_ins(folder: Path, secrets: Iterable[Path], directory: Path) -> tuple[tuple[Path, Path], ...]:
    """Make files in `directory`, which nobody can read, for those of the folder's secrets that git tracks.

    Pairs of secret and stand-in. Such a file has no content of its secret, but its size and time of change: git takes
    it for unchanged where the secret is, and where it is not, fails to read it rather than store what is not there.
    """
    known: dict[Path, tuple[Path, Path, dict[str, IndexEntry]] | None] = {}
    made: list[tuple[Path, Path]] = []
    for secret in secrets:
        if len(made) >= MOST or secret.is_symlink() or not secret.is_file():
            continue
        if secret.parent not in known:
            known[secret.parent] = _index_of(folder, repository_of(secret.parent))
        index = known[secret.parent]
        if index is None or str(secret.relative_to(index[0])) not in index[2]:
            continue
        beside = directory / str(len(made))
        if _make(secret, beside):
            made.append((secret, beside))
    for top, file, entries in {each[1]: each for each in known.values() if each is not None}.values():
        if any(str(secret.relative_to(top)) in entries for secret, _ in made if top in secret.parents):
            settle(top, file, entries)
    return tuple(made)


def _index_of(folder: Path, repository: Repository | None) -> tuple[Path, Path, dict[str, IndexEntry]] | None:
    """Top, index file and entries of a repository whose working tree is in the folder."""
    if repository is None or not (repository.top == folder or folder in repository.top.parents):
        return None
    file = repository.own / "index"
    return repository.top, file, read_index(file)


def _make(secret: Path, beside: Path) -> bool:
    try:
        found = secret.lstat()
        descriptor = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, found.st_size)
            os.utime(descriptor, ns=(found.st_mtime_ns, found.st_mtime_ns))
            os.fchmod(descriptor, 0o100 if found.st_mode & 0o100 else 0)
        finally:
            os.close(descriptor)
    except OSError:
        return False
    return True
