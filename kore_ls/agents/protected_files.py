"""The protected files that a folder has: found by walking it, within bounds, through no symlink. Reads names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from attrs import field, frozen

from kore_ls.agents.git_directories import MOST_REPOSITORIES, Plan, planned_by, repositories_within, settings_of
from kore_ls.agents.git_settings import obeyed
from kore_ls.agents.hard_links import PACKAGES, HardLinks
from kore_ls.agents.protected import Guard, guards_of, holds_code
from kore_ls.agents.repository import is_git_directory, repository_of

MOST_ENTRIES = 200_000
_MADE_BY_TOOLS = PACKAGES - {"site-packages", "vendor", ".venv", "venv"}
_REFS = frozenset({"refs", "logs"})
_OF_GIT = re.compile(rb"ref: |(?:[0-9a-f]{40}|[0-9a-f]{64})[ \n]")


@frozen(kw_only=True)
class ProtectedFiles:
    """What was found: `secrets` are to be hidden, `fixed` is neither to be written nor moved, `linked` not written.

    `links` are symlinks in the place of something that is not to be written.

    `linked` are files with a further name somewhere else, or, where they are many, directories that hold such files.
    `whole` is False where the folder is too big to be looked through; `exposed`: the folder itself, or a repository
    in it, is what git runs things from. `identities` are device and inode of secrets with several names.
    `planned` are the commands of rebases that are under way.
    """

    secrets: tuple[Path, ...] = ()
    fixed: tuple[Path, ...] = ()
    linked: tuple[Path, ...] = ()
    links: tuple[Path, ...] = ()
    whole: bool = True
    exposed: bool = False
    identities: frozenset[tuple[int, int]] = field(factory=frozenset)
    planned: frozenset[Plan] = field(factory=frozenset)

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
        self.planned: set[Plan] = set()
        self.hard_links = HardLinks(folder)

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
            linked=self.hard_links.elsewhere(),
            links=tuple(sorted(self.links)),
            whole=self.whole,
            exposed=self.exposed,
            identities=frozenset(self.shared),
            planned=frozenset(self.planned),
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
            self.hard_links.note(entry)
            return False
        path = Path(entry.path)
        if path in self.internal:
            self.fixed.append(path)
            return False
        if not guards:
            if not is_folder:
                self.hard_links.note(entry)
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
        repositories = repositories_within(path)
        if len(repositories) > MOST_REPOSITORIES:
            self.whole = False
        for repository in [path, *repositories[:MOST_REPOSITORIES]]:
            self._take_settings(repository, path.parent)
        self.closed.append(path)
        return False

    def _take_within(self, top: Path) -> None:
        """Secrets in what may be read but not written, and what links in it lead to."""
        pending = [(top, False)]
        while pending:
            directory, among_refs = pending.pop()
            for entry in self._entries(directory):
                path = Path(entry.path)
                secret = Guard.SECRET in guards_of((directory.parent.name, directory.name, entry.name))
                if entry.is_symlink():
                    self._take_target(path, top, secret=secret)
                elif secret and not (among_refs and _is_of_git(path)):
                    self.secrets.append(path)
                    self._note_names(entry, entry.is_dir())
                elif entry.is_dir():
                    refs = among_refs or (top.name == ".git" and entry.name in _REFS)
                    pending.append((path, refs))
                elif top.name == ".git":
                    self.hard_links.note(entry)

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
        self.planned |= planned_by(repository)
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

    def _note_names(self, entry: os.DirEntry[str], is_folder: bool) -> None:
        if is_folder:
            return
        found = entry.stat(follow_symlinks=False)
        if found.st_nlink > 1:
            self.shared.add((found.st_dev, found.st_ino))


def _is_of_git(path: Path) -> bool:
    """Whether something that is named like a secret is a branch or its log; no name of git's begins with a dot."""
    if path.name.startswith("."):
        return False
    try:
        if path.is_dir():
            return True
        with path.open("rb") as file:
            return _OF_GIT.match(file.read(100)) is not None
    except OSError:
        return False


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
