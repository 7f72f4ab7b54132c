"""The protected files that a folder has: found by walking it, within bounds, through no symlink. Reads names alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from attrs import field, frozen

from kore_ls.agents.git_settings import obeyed
from kore_ls.agents.protected import Guard, guards_of, holds_code
from kore_ls.agents.repository import is_git_directory, repository_of

MOST_ENTRIES = 200_000
MOST_REPOSITORIES = 1_000
GIT_READ_ONLY = (
    *("config", "config.worktree", "hooks", "commondir", "info/attributes"),
    *("objects/info/alternates", "objects/info/http-alternates"),
)
"""What git runs, obeys or takes for its own of a git directory."""
_MADE_BY_TOOLS = frozenset({"node_modules", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", "objects"})
_PACKAGES = _MADE_BY_TOOLS | {"site-packages", "vendor", ".venv", "venv"}
_MOST_NAMED = 300
_LEFT_OUT = frozenset({"objects", "refs", "logs", "lfs"})
"""Directories of a git directory that hold no secrets of the user, but many files."""


@frozen(kw_only=True)
class ProtectedFiles:
    """What was found: `secrets` are to be hidden, `fixed` is neither to be written nor moved, `linked` not written.

    `links` are symlinks in the place of something that is not to be written.

    `linked` are files with a further name somewhere else, or, where they are many, directories that hold such files.
    `whole` is False where the folder is too big to be looked through; `exposed`: the folder itself, or a repository
    in it, is what git runs things from. `identities` are device and inode of secrets with several names.
    """

    secrets: tuple[Path, ...] = ()
    fixed: tuple[Path, ...] = ()
    linked: tuple[Path, ...] = ()
    links: tuple[Path, ...] = ()
    whole: bool = True
    exposed: bool = False
    identities: frozenset[tuple[int, int]] = field(factory=frozenset)

    @property
    def complete(self) -> bool:
        """Whether all of it can be protected by its path."""
        return self.whole and not self.exposed and not self.links

    def secret_identities(self) -> frozenset[tuple[int, int]]:
        """Device and inode of the secret files that have more than one name."""
        return self.identities


class _Walk:
    def __init__(self, folder: Path, most: int, internal: Sequence[Path]) -> None:
        self.folder, self.left, self.internal = folder, most, frozenset(internal)
        self.secrets: list[Path] = []
        self.fixed: list[Path] = []
        self.links: list[Path] = []
        self.closed: list[Path] = []
        self.whole = True
        self.exposed = False
        self.shared: set[tuple[int, int]] = set()
        self.names: dict[tuple[int, int], tuple[int, list[Path]]] = {}

    def run(self) -> ProtectedFiles:
        self._take_bare(self.folder)
        around = repository_of(self.folder)
        if around is not None and around.top != self.folder:
            self._take_named(around.shared, around.top)
        pending = [(self.folder, False)]
        while pending:
            directory, made = pending.pop()
            for entry in self._entries(directory):
                if self._take(entry, directory, made=made):
                    pending.append((Path(entry.path), made or entry.name in _MADE_BY_TOOLS))
        for directory in self.closed:
            self._take_within(directory)
        if self.shared:
            self._find_other_names()
        return ProtectedFiles(
            secrets=tuple(sorted(set(self.secrets))),
            fixed=tuple(sorted(set(self.fixed))),
            linked=_gathered(
                self.folder, [path for links, paths in self.names.values() if len(paths) < links for path in paths]
            ),
            links=tuple(sorted(self.links)),
            whole=self.whole,
            exposed=self.exposed,
            identities=frozenset(self.shared),
        )

    def _entries(self, directory: Path) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    self.left -= 1
                    if self.left < 0:
                        self.whole = False
                        return
                    yield entry
        except OSError:
            if _may_be_reached(directory):  # by name, or once a command has made it readable
                self.whole = False

    def _take(self, entry: os.DirEntry[str], directory: Path, *, made: bool) -> bool:
        """Note an entry; True if it is a directory to be entered. `made`: it lies among packages or caches."""
        above = (directory.parent.name,) if self.folder not in (directory, directory.parent) else ()
        guards = guards_of((*above, *((directory.name,) if directory != self.folder else ()), entry.name))
        is_folder = entry.is_dir(follow_symlinks=False)
        if not guards and entry.is_symlink():
            if holds_code(entry.name):
                self.links.append(Path(entry.path))
            return False
        if not guards and not is_folder and made:
            self._note_link(entry)
            return False
        path = Path(entry.path)
        if path in self.internal:
            self.fixed.append(path)
            return False
        if not guards:
            if not is_folder:
                self._note_link(entry)
            else:
                self._take_bare(path)
            return is_folder
        if entry.is_symlink():
            if guards - {Guard.SECRET}:
                self.links.append(path)
            target = Path(os.path.realpath(path))
            if Guard.SECRET in guards and target.is_relative_to(self.folder) and target.exists():
                self.secrets.append(target)
            return False
        if Guard.SECRET in guards:
            self.secrets.append(path)
            self._note_names(entry, is_folder)
            if Guard.CODE in guards:  # what a command makes of that name is to be noticed, too
                self.fixed.append(path)
            return False
        if Guard.INTERNAL in guards:
            return self._take_internal(path, entry.name, is_folder)
        self.fixed.append(path)
        if is_folder:
            self.closed.append(path)
        return False

    def _take_internal(self, path: Path, name: str, is_folder: bool) -> bool:
        if name != ".git" or not is_folder:
            self.fixed.append(path)
            return False
        repositories = _repositories_within(path)
        if len(repositories) > MOST_REPOSITORIES:
            self.whole = False
        for repository in [path, *repositories[:MOST_REPOSITORIES]]:
            self._take_settings(repository, path.parent)
        self.closed.append(path)
        return False

    def _take_within(self, top: Path) -> None:
        """Secrets in what may be read but not written, and what links in it lead to."""
        pending = [top]
        while pending:
            directory = pending.pop()
            for entry in self._entries(directory):
                path = Path(entry.path)
                secret = Guard.SECRET in guards_of((directory.name, entry.name))
                if entry.is_symlink():
                    self._take_target(path, top, secret=secret)
                elif secret:
                    self.secrets.append(path)
                    self._note_names(entry, entry.is_dir())
                elif entry.is_dir() and not (top.name == ".git" and entry.name in _LEFT_OUT):
                    pending.append(path)

    def _take_target(self, link: Path, top: Path, *, secret: bool) -> None:
        target = Path(os.path.realpath(link))
        if self.folder not in target.parents or top in (target, *target.parents):
            return
        if secret and target.exists():
            self.secrets.append(target)
        elif top.name != ".git":
            (self.fixed if target.exists() else self.links).append(target if target.exists() else link)

    def _take_bare(self, directory: Path) -> None:
        if is_git_directory(directory):
            self._take_settings(directory, directory)

    def _take_settings(self, repository: Path, top: Path) -> None:
        for each in settings_of(repository):
            (self.links if each.is_symlink() else self.fixed).append(each)
        self._take_named(repository, top)

    def _take_named(self, repository: Path, top: Path) -> None:
        for each in obeyed(repository, top):
            real = Path(os.path.realpath(each))
            if real == self.folder or (self.folder in real.parents and (real / ".git").exists()):
                self.exposed = True  # where the work is done can't be kept from being written
            elif self.folder in real.parents and real.exists():
                self.fixed.append(real)

    def _find_other_names(self) -> None:
        """A secret's other names in the folder are secrets as well."""
        inodes = {inode for _, inode in self.shared}
        known = set(self.secrets)
        pending = [self.folder]
        while pending:
            for entry in self._entries(pending.pop()):
                if entry.is_dir(follow_symlinks=False):
                    pending.append(Path(entry.path))
                elif entry.inode() in inodes and Path(entry.path) not in known:
                    found = entry.stat(follow_symlinks=False)
                    if (found.st_dev, found.st_ino) in self.shared:
                        self.secrets.append(Path(entry.path))

    def _note_link(self, entry: os.DirEntry[str]) -> None:
        found = entry.stat(follow_symlinks=False)
        if found.st_nlink > 1 and stat.S_ISREG(found.st_mode):
            self.names.setdefault((found.st_dev, found.st_ino), (found.st_nlink, []))[1].append(Path(entry.path))

    def _note_names(self, entry: os.DirEntry[str], is_folder: bool) -> None:
        if is_folder:
            return
        found = entry.stat(follow_symlinks=False)
        if found.st_nlink > 1:
            self.shared.add((found.st_dev, found.st_ino))


def _gathered(folder: Path, linked: list[Path]) -> tuple[Path, ...]:
    """Files that share their contents with a tool's store come by the thousand: then whole packages are named, else
    all packages together.
    """
    for level in (None, 1, 0):
        found = {path if level is None else _package(folder, path, level) for path in linked}
        if len(found) <= _MOST_NAMED:
            break
    return tuple(sorted(path for path in found if not found.intersection(path.parents)))


def _package(folder: Path, path: Path, level: int) -> Path:
    """The directory of packages that a file lies in (`level` 0), or what of that; other files stay themselves."""
    names = path.relative_to(folder).parts
    at = next((number for number, name in enumerate(names[:-1]) if name in _PACKAGES), None)
    return path if at is None else folder.joinpath(*names[: at + 1 + level])


def settings_of(repository: Path) -> list[Path]:
    """What git runs or obeys in a git directory; git itself writes the rest when it works."""
    return [path for name in GIT_READ_ONLY if os.path.lexists(path := repository / name)]


def named_below(folder: Path, repository: Path) -> list[Path]:
    """What a repository's settings name for the working tree `folder` and what is in it: hooks, further settings."""
    named = [Path(os.path.realpath(each)) for each in obeyed(repository, folder)]
    return [each for each in named if folder in each.parents and each.exists()]


def _repositories_within(git: Path) -> list[Path]:
    """The git directories of submodules and of further working trees."""
    heads = (head for place in ("modules", "worktrees") for head in sorted((git / place).glob("**/HEAD")))
    return [head.parent for head in heads if is_git_directory(head.parent)]


def _may_be_reached(directory: Path) -> bool:
    """Whether a command could look into a directory that can't be listed now."""
    try:
        owner = directory.lstat().st_uid
    except OSError:
        return False
    return owner == getattr(os, "geteuid", lambda: owner)() or os.access(directory, os.X_OK)


def find_protected(folder: Path, *, internal: Sequence[Path] = (), most: int = MOST_ENTRIES) -> ProtectedFiles:
    """Walk a folder (a real path) for what is protected in it; nothing inside a protected directory is listed.

    `internal` are directories of Kore itself, whatever their names.
    """
    return _Walk(folder, most, internal).run()
