"""What confined commands see in the place of secret files: nothing to read, for git nothing changed, nothing shown."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from attrs import frozen

from kore_ls.agents.git.index import IndexEntry, read_index, settle
from kore_ls.agents.git.repository import Repository, repository_of
from kore_ls.agents.git.settings import patterns
from kore_ls.agents.protected import secret_patterns

MOST = 300
_SETTINGS = (("core.checkStat", "minimal"), ("core.trustctime", "false"))
"""With these git compares size and time of change, which a stand-in has from its file."""
_LISTS = {"core.excludesFile": "ignore", "core.attributesFile": "attributes"}
"""The settings of git that name lists, and what these are called where nothing names them."""
_SPECIAL = re.compile(r"([*?\[\]\\!# ])")


@frozen
class _Index:
    """An index; `below` has the names of its files by each of their places: their own, and the directories around."""

    file: Path
    entries: dict[str, IndexEntry]
    below: dict[str, list[str]]

    @classmethod
    def of(cls, repository: Repository) -> _Index:
        file = repository.own / "index"
        entries = read_index(file)
        below: dict[str, list[str]] = {}
        for name in entries:
            end = len(name)
            while end > 0:
                below.setdefault(name[:end], []).append(name)
                end = name.rfind("/", 0, end)
        return cls(file, entries, below)


@frozen(kw_only=True)
class StandIns:
    """`pairs` of a secret and what is seen in its place; `lists` is a directory of what git is told of secrets."""

    pairs: tuple[tuple[Path, Path], ...]
    lists: Path

    def environment(self) -> dict[str, str]:
        """Git's settings that go with them, as variables."""
        lists = [(key, str(self.lists / name)) for key, name in _LISTS.items()]
        settings = [*(_SETTINGS if self.pairs else ()), *lists]
        env = {"GIT_CONFIG_COUNT": str(len(settings))}
        for number, (key, value) in enumerate(settings):
            env |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        return env


def stand_ins(folder: Path, secrets: Iterable[Path], directory: Path) -> StandIns:
    """Make in `directory` what nobody can read, for those of the folder's secrets that git tracks; list the others.

    A stand-in has no content of its secret, but its size and time of change: git takes it for unchanged where the
    secret is, and where it is not, fails to read it rather than store what is not there. A directory has stand-ins for
    its tracked files alone. What git does not track it is told to ignore: it fails at what it can't read. And nothing
    named like a secret is compared as text, so that git shows none from its history unless it is told to.
    """
    known: dict[Path, _Index] = {}
    made: list[tuple[Path, Path]] = []
    ignored: list[str] = []
    touched: set[Path] = set()
    for secret in secrets:
        if secret.is_symlink() or not os.path.lexists(secret):
            continue
        repository = repository_of(secret.parent)
        if repository is None or not (repository.top == folder or folder in repository.top.parents):
            continue
        top = repository.top
        if top not in known:
            known[top] = _Index.of(repository)
        name = str(secret.relative_to(top))
        tracked = known[top].below.get(name, [])
        if not tracked:
            ignored.append(f"/{_SPECIAL.sub(_escaped, name)}")
        elif len(made) < MOST and _stands(top, name, tracked, beside := directory / str(len(made))):
            made.append((secret, beside))
            touched.add(top)
    for top in touched:
        settle(top, known[top].file, known[top].entries)
    lists = directory / "lists"
    lists.mkdir()
    told = {"ignore": ignored, "attributes": _compared_as_bytes()}
    around = repository_of(folder)
    for key, name in _LISTS.items():
        text = patterns(None if around is None else around.shared, folder, key.rsplit(".", 1)[1].lower(), name)
        lines = [text, *(line for line in told[name] if "\n" not in line)]
        (lists / name).write_text("\n".join(lines) + "\n", errors="surrogateescape")
    return StandIns(pairs=tuple(made), lists=lists)


def _compared_as_bytes() -> list[str]:
    like_secrets, public = secret_patterns()
    return [*(f"{each} -diff" for each in like_secrets), *(f"{each} !diff" for each in public)]


def _escaped(found: re.Match[str]) -> str:
    return f"\\{found[1]}"


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
