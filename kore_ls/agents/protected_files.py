"""The protected files that a folder has: found by walking it, within bounds, through no symlink. Reads names alone."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from attrs import field, frozen

from kore_ls.agents.protected import Guard, guards_of, holds_code
from kore_ls.agents.repository import is_git_directory, obeyed

MOST_ENTRIES = 200_000
GIT_READ_ONLY = ("config", "config.worktree", "hooks", "commondir", "info/attributes")
"""What git runs or obeys of a git directory."""
_MADE_BY_TOOLS = frozenset({"node_modules", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", "objects"})


@frozen(kw_only=True)
class ProtectedFiles:
    """What was found: `secrets` are to be hidden, `fixed` is neither to be written nor moved, `linked` not written.

    `links` are symlinks in the place of something that is not to be written.

    `linked` files have a further name somewhere else: outside, or in a directory of packages or caches,
    whose own files share their contents with a tool's store by the thousand and are not among them.
    `complete` is False where the folder is too big, or something in it can't be protected by its path: a symlink
    in the place of a file that is not to be written. `identities` are device and inode of secrets with several names.
    """

    secrets: tuple[Path, ...] = ()
    fixed: tuple[Path, ...] = ()
    linked: tuple[Path, ...] = ()
    links: tuple[Path, ...] = ()
    complete: bool = True
    identities: frozenset[tuple[int, int]] = field(factory=frozenset)

    def secret_identities(self) -> frozenset[tuple[int, int]]:
        """Device and inode of the secret files that have more than one name."""
        return self.identities


class _Walk:
    def __init__(self, folder: Path, most: int, internal: Sequence[Path]) -> None:
        self.folder, self.left, self.internal = folder, most, frozenset(internal)
        self.secrets: list[Path] = []
        self.fixed: list[Path] = []
        self.links: list[Path] = []
        self.complete = True
        self.shared: set[tuple[int, int]] = set()
        self.names: dict[tuple[int, int], tuple[int, list[Path]]] = {}

    def run(self) -> ProtectedFiles:
        self._take_bare(self.folder)
        pending = [(self.folder, False)]
        while pending:
            directory, made = pending.pop()
            for entry in self._entries(directory):
                if self._take(entry, directory, made=made):
                    pending.append((Path(entry.path), made or entry.name in _MADE_BY_TOOLS))
        if self.shared:
            self._find_other_names()
        return ProtectedFiles(
            secrets=tuple(sorted(set(self.secrets))),
            fixed=tuple(sorted(set(self.fixed))),
            linked=tuple(sorted(path for links, paths in self.names.values() if len(paths) < links for path in paths)),
            links=tuple(sorted(self.links)),
            complete=self.complete and not self.links,
            identities=frozenset(self.shared),
        )

    def _entries(self, directory: Path) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    self.left -= 1
                    if self.left < 0:
                        self.complete = False
                        return
                    yield entry
        except OSError:
            return  # what we can't list, a child with our rights can't either

    def _take(self, entry: os.DirEntry[str], directory: Path, *, made: bool) -> bool:
        """Note an entry; True if it is a directory to be entered. `made`: it lies among packages or caches."""
        guards = guards_of((directory.name, entry.name)) if directory != self.folder else guards_of((entry.name,))
        is_folder = entry.is_dir(follow_symlinks=False)
        if not guards and entry.is_symlink():
            if holds_code(entry.name):
                self.links.append(Path(entry.path))
            return False
        if not guards and not is_folder and made:
            return False
        path = Path(entry.path)
        if path in self.internal:
            self.fixed.append(path)
            return False
        if not guards:
            if not is_folder:
                self._note_link(entry, path)
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
            return False
        if Guard.INTERNAL in guards:
            return self._take_internal(path, entry.name, is_folder)
        self.fixed.append(path)
        return False

    def _take_internal(self, path: Path, name: str, is_folder: bool) -> bool:
        if name != ".git" or not is_folder:
            self.fixed.append(path)
            return False
        for repository in [path, *_repositories_within(path)]:
            self._take_settings(repository, path.parent)
        return False

    def _take_bare(self, directory: Path) -> None:
        if is_git_directory(directory):
            self._take_settings(directory, directory)

    def _take_settings(self, repository: Path, top: Path) -> None:
        for each in settings_of(repository):
            (self.links if each.is_symlink() else self.fixed).append(each)
        for each in obeyed(repository, top):
            real = Path(os.path.realpath(each))
            if real == self.folder or (real / ".git").exists():
                self.complete = False  # where the work is done can't be kept from being written
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

    def _note_link(self, entry: os.DirEntry[str], path: Path) -> None:
        found = entry.stat(follow_symlinks=False)
        if found.st_nlink > 1:
            self.names.setdefault((found.st_dev, found.st_ino), (found.st_nlink, []))[1].append(path)

    def _note_names(self, entry: os.DirEntry[str], is_folder: bool) -> None:
        if is_folder:
            return
        found = entry.stat(follow_symlinks=False)
        if found.st_nlink > 1:
            self.shared.add((found.st_dev, found.st_ino))


def settings_of(repository: Path) -> list[Path]:
    """What git runs or obeys in a git directory; git itself writes the rest when it works."""
    return [path for name in GIT_READ_ONLY if os.path.lexists(path := repository / name)]


def named_below(folder: Path, repository: Path) -> list[Path]:
    """What a repository's settings name for the working tree `folder` and what is in it: hooks, further settings."""
    named = [Path(os.path.realpath(each)) for each in obeyed(repository, folder)]
    return [each for each in named if folder in each.parents and each.exists()]


def _repositories_within(git: Path) -> list[Path]:
    """The git directories of submodules and of further working trees."""
    found: list[Path] = []
    for place in ("modules", "worktrees"):
        found.extend(each.parent for each in sorted((git / place).glob("**/HEAD"))[:200] if "logs" not in each.parts)
    return found


def find_protected(folder: Path, *, internal: Sequence[Path] = (), most: int = MOST_ENTRIES) -> ProtectedFiles:
    """Walk a folder (a real path) for what is protected in it; nothing inside a protected directory is listed.

    `internal` are directories of Kore itself, whatever their names.
    """
    return _Walk(folder, most, internal).run()
