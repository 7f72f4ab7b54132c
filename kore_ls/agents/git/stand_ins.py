"""What confined commands see in the place of secret files that git tracks: nothing to read, and yet nothing changed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from attrs import frozen

from kore_ls.agents.git.index import IndexEntry, read_index, settle
from kore_ls.agents.git.repository import Repository, repository_of

MOST = 300
_SETTINGS = (("core.checkStat", "minimal"), ("core.trustctime", "false"))
"""With these git compares size and time of change, which a stand-in has from its file."""
_SPECIAL = re.compile(r"([*?\[\]\\!# ])")

_Index = tuple[Path, Path, dict[str, IndexEntry]]


@frozen(kw_only=True)
class StandIns:
    """`pairs` of a secret and what is seen in its place; `ignored` is a file that tells git which secrets to ignore."""

    pairs: tuple[tuple[Path, Path], ...] = ()
    ignored: Path | None = None

    def environment(self) -> dict[str, str]:
        """Git's settings that go with them, as variables."""
        settings = [*(_SETTINGS if self.pairs else ())]
        settings += [] if self.ignored is None else [("core.excludesFile", str(self.ignored))]
        env = {"GIT_CONFIG_COUNT": str(len(settings))} if settings else {}
        for number, (key, value) in enumerate(settings):
            env |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        return env


def stand_ins(folder: Path, secrets: Iterable[Path], directory: Path) -> StandIns:
    """Make in `directory` what nobody can read, for those of the folder's secrets that git tracks; list the others.

    A stand-in has no content of its secret, but its size and time of change: git takes it for unchanged where the
    secret is, and where it is not, fails to read it rather than store what is not there. A directory has stand-ins for
    its tracked files alone. What git does not track it is told to ignore: it fails at what it can't read.
    """
    known: dict[Path, _Index | None] = {}
    made: list[tuple[Path, Path]] = []
    ignored: list[str] = []
    touched: dict[Path, _Index] = {}
    for secret in secrets:
        if secret.is_symlink() or not os.path.lexists(secret):
            continue
        if secret.parent not in known:
            known[secret.parent] = _index_of(folder, repository_of(secret.parent))
        index = known[secret.parent]
        if index is None:
            continue
        name = str(secret.relative_to(index[0]))
        tracked = [each for each in index[2] if each == name or each.startswith(f"{name}/")]
        if not tracked:
            ignored.append(f"/{_SPECIAL.sub(_escaped, name)}")
        elif len(made) < MOST and _stands(index[0], name, tracked, beside := directory / str(len(made))):
            made.append((secret, beside))
            touched[index[1]] = index
    for top, file, entries in touched.values():
        settle(top, file, entries)
    listed = directory / "ignored"
    lines = [line for line in ignored if "\n" not in line]
    if lines:
        listed.write_text("\n".join(lines) + "\n", errors="surrogateescape")
    return StandIns(pairs=tuple(made), ignored=listed if lines and not _says_itself(folder) else None)


def _escaped(found: re.Match[str]) -> str:
    return f"\\{found[1]}"


def _says_itself(folder: Path) -> bool:
    """Whether the repository's settings name a list of their own, which ours would replace."""
    repository = repository_of(folder)
    try:
        return repository is not None and "excludesfile" in (repository.shared / "config").read_text("utf-8").lower()
    except (OSError, UnicodeDecodeError):
        return True


def _stands(top: Path, name: str, tracked: list[str], beside: Path) -> bool:
    """Make a file's stand-in, or a directory with those of its tracked files."""
    if tracked == [name]:
        return _make(top / name, beside)
    beside.mkdir()
    for each in tracked[:MOST]:
        place = beside / Path(each).relative_to(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        if (top / each).is_file() and not (top / each).is_symlink():
            _make(top / each, place)
    return True


def _index_of(folder: Path, repository: Repository | None) -> _Index | None:
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
