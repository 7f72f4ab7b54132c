"""The protected files that a folder has: found by walking it, within bounds, through no symlink. Reads names."""

from __future__ import annotations

import os
import re
import stat
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from kore_ls.agents.git.directories import MOST_REPOSITORIES, Plan, planned_by, repositories_within, settings_of
from kore_ls.agents.git.repository import is_git_directory, repository_of
from kore_ls.agents.git.settings import obeyed
from kore_ls.agents.hard_links import HardLinks
from kore_ls.agents.links import is_directory, target_of, way_of
from kore_ls.agents.protected import Guard, guards_of, holds_code, may_hold_special, names_of, plain_name
from kore_ls.agents.protection import ProtectedFiles
from kore_ls.agents.sockets import Listeners

MOST_ENTRIES = 200_000
_STORES = (".kore", "kore~1")
_REFS = frozenset({"refs", "logs"})
_OF_GIT = re.compile(rb"ref: |(?:[0-9a-f]{40}|[0-9a-f]{64})[ \n]")


class _Walk:
    def __init__(self, folder: Path, most: int, internal: Sequence[Path]) -> None:
        self.folder, self.left, self.internal = folder, most, frozenset(internal)
        self.names = names_of(folder, folder)
        self.secrets: list[Path] = []
        self.fixed: list[Path] = []
        self.links: list[Path] = []
        self.closed: list[Path] = []
        self.hidden: list[Path] = []
        self.behind: list[tuple[Path, tuple[str, ...]]] = []
        self.pinned: set[Path] = set()
        self.kept: dict[Path, str] = {}
        self.sockets: list[Path] = []
        self.outer: list[Path] = []
        self.unlisted: list[Path] = []
        self.stores: list[Path] = []
        self.whole = True
        self.exposed = bool(guards_of(self.names) & {Guard.CODE, Guard.INTERNAL})
        self.shared: set[tuple[int, int]] = set()
        self.planned: set[Plan] = set()
        self.hard_links, self.listeners = HardLinks(folder), Listeners()

    def run(self) -> ProtectedFiles:
        self._take_bare(self.folder)
        around = repository_of(self.folder)
        if around is not None and around.top != self.folder:
            self._take_named(around.shared, around.top)
        pending = deque([(self.folder, self.names[-2:])])  # nearest to the top first: there most of it is
        while pending:
            directory, names = pending.popleft()
            for entry in self._entries(directory):
                if self._take(entry, names):
                    pending.append((Path(entry.path), (*names, entry.name)[-2:]))
        for directory in self.closed:
            self._take_within(directory)
        self._take_behind_links()
        if self.shared:
            self._find_other_names()
        return ProtectedFiles(
            secrets=tuple(sorted({*self.secrets, *self.unlisted} - {self.folder})),
            fixed=tuple(sorted(set(self.fixed))),
            linked=self.hard_links.elsewhere(),
            links=tuple(sorted(self.links)),
            pinned=tuple(sorted(self.pinned)),
            kept=tuple(sorted(self.kept.items())),
            sockets=tuple(sorted(self.sockets)),
            unlisted=tuple(self.unlisted),
            outer=tuple(sorted(self.outer)),
            stores=tuple(sorted(self.stores)),
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
            if may_be_reached(directory):  # by name, or once a command has made it readable
                self.whole = False
                self.unlisted.append(directory)

    def _take(self, entry: os.DirEntry[str], names: tuple[str, ...]) -> bool:
        """Note an entry below a directory of these names; True if it is a directory to be entered."""
        guards = guards_of((*names, entry.name)) | (guards_of(self.names) if self.exposed else frozenset())
        is_folder = entry.is_dir(follow_symlinks=False)
        if not guards and not is_folder:
            self._take_plain(entry, names)
            return False
        path = Path(entry.path)
        if path in self.internal:
            self.fixed.append(path)
            self.stores.append(path)
            return False
        if not guards:
            self._take_bare(path)
            return True
        if entry.is_symlink():
            self._take_link(path, names, guards)
            return False
        if Guard.SECRET in guards:
            self._take_secret(entry, names, is_folder)
            if Guard.CODE in guards:  # what a command makes of that name is to be noticed, too
                self.fixed.append(path)
            return False
        if Guard.INTERNAL in guards:
            return self._take_internal(path, entry.name, is_folder)
        self.fixed.append(path)
        if is_folder:
            self.closed.append(path)
        return False

    def _take_plain(self, entry: os.DirEntry[str], names: tuple[str, ...]) -> None:
        if entry.is_symlink():
            self._take_link(Path(entry.path), names, frozenset())
        elif (found := self._looked_at(entry)) is not None:
            self.hard_links.note(entry.path, found)
            if stat.S_ISSOCK(found.st_mode) and self.listeners.may_hear(Path(entry.path)):
                self.sockets.append(Path(entry.path))

    def _looked_at(self, entry: os.DirEntry[str]) -> os.stat_result | None:
        try:
            return entry.stat(follow_symlinks=False)
        except FileNotFoundError:  # it is gone by now
            return None
        except OSError:  # its path is too long, and can still be walked to
            self.whole = False
            return None

    def _take_secret(self, entry: os.DirEntry[str], names: tuple[str, ...], is_folder: bool) -> None:
        path = Path(entry.path)
        self.secrets.append(path)
        if Guard.SECRET not in guards_of((entry.name,)):  # it is one by where it lies
            self._pin(path)
        self._note_names(entry, is_folder)
        if is_folder:
            self.hidden.append(path)

    def _take_link(self, path: Path, names: tuple[str, ...], guards: frozenset[Guard]) -> None:
        """A link in a special place, or of a name below which something special has its place."""
        if guards - {Guard.SECRET} or (not guards and holds_code(path.name)):
            self.links.append(path)
        if Guard.SECRET not in guards and not may_hold_special(path.name):
            return
        way, target = way_of(path)
        if not os.path.lexists(target):
            return
        if self.folder not in target.parents:
            if Guard.SECRET in guards and target != self.folder and target not in self.folder.parents:
                self.outer.append(target)
            return
        for link in way:
            if self.folder in link.parents and (said := target_of(link)) is not None:
                self._pin(link)
                self.kept[link] = said
        if Guard.SECRET in guards:
            self._pin(target)
            self.secrets.append(target)
            if is_directory(target):
                self.hidden.append(target)
        elif is_directory(target):
            self._pin(target)
            self.behind.append((target, (*names, path.name)[-2:]))

    def _pin(self, path: Path) -> None:
        """What decides that a path is a secret stays where it is: the directories around it."""
        self.pinned |= {each for each in path.parents if self.folder in each.parents}

    def _take_behind_links(self) -> None:
        """What is special by the name of a link to its directory, and where links in secret directories lead."""
        known: set[object] = set()
        while self.behind or self.hidden:
            directory, names = self.behind.pop() if self.behind else (self.hidden.pop(), None)
            if (directory, names) in known:
                continue
            known.add((directory, names))
            for entry in self._entries(directory):
                is_folder = entry.is_dir(follow_symlinks=False)
                if names is None:
                    self._take_hidden(entry, is_folder)
                    continue
                guards = guards_of((*names, entry.name))
                if entry.is_symlink():
                    self._take_link(Path(entry.path), names, guards)
                elif Guard.SECRET in guards:
                    self._take_secret(entry, names, is_folder)
                elif not guards and is_folder and may_hold_special(names[-1]):
                    self.behind.append((Path(entry.path), (*names, entry.name)[-2:]))

    def _take_hidden(self, entry: os.DirEntry[str], is_folder: bool) -> None:
        if entry.is_symlink():
            self._take_link(Path(entry.path), (), frozenset({Guard.SECRET}))
        elif is_folder:
            self.hidden.append(Path(entry.path))
        else:
            self._note_names(entry, is_folder)

    def _take_internal(self, path: Path, name: str, is_folder: bool) -> bool:
        if name != ".git" or not is_folder:
            self.fixed.append(path)
            if plain_name(name) in _STORES:
                self.stores.append(path)
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
        pending, known = [(top, False)], {top}
        while pending:
            directory, among_refs = pending.pop()
            for entry in self._entries(directory):
                path = Path(entry.path)
                names = (directory.parent.name, directory.name)
                secret = Guard.SECRET in guards_of((*names, entry.name))
                if entry.is_symlink():
                    if secret:
                        self._take_link(path, names, frozenset({Guard.SECRET}))
                    elif (target := self._target_of(path, top)) is not None and target not in known:
                        known.add(target)
                        pending.append((target, False))
                elif secret and not (among_refs and _is_of_git(path)):
                    self._take_secret(entry, names, entry.is_dir())
                elif entry.is_dir():
                    pending.append((path, among_refs or (top.name == ".git" and entry.name in _REFS)))
                elif top.name == ".git" and (found := self._looked_at(entry)) is not None:
                    self.hard_links.note(entry.path, found)

    def _target_of(self, link: Path, top: Path) -> Path | None:
        """Note where a link leads from what is not to be written; a directory is to be looked through as well."""
        target = Path(os.path.realpath(link))
        if top.name == ".git" or self.folder not in target.parents or top in (target, *target.parents):
            return None
        there = os.path.lexists(target)
        (self.fixed if there else self.links).append(target if there else link)
        return target if is_directory(target) else None

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
                    found = self._looked_at(entry)
                    if found is not None and (found.st_dev, found.st_ino) in self.shared:
                        self.secrets.append(Path(entry.path))

    def _note_names(self, entry: os.DirEntry[str], is_folder: bool) -> None:
        if is_folder:
            return
        found = self._looked_at(entry)
        if found is not None and found.st_nlink > 1:
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


def may_be_reached(directory: Path) -> bool:
    """Whether a command could look into a directory that can't be listed now."""
    try:
        owner = directory.lstat().st_uid
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # its path is too long: it is walked to step by step
        return True
    return owner == getattr(os, "geteuid", lambda: owner)() or os.access(directory, os.X_OK)


def find_protected(folder: Path, *, internal: Sequence[Path] = (), most: int = MOST_ENTRIES) -> ProtectedFiles:
    """Walk a folder (a real path) for what is protected in it; nothing inside a protected directory is listed.

    `internal` are directories of Kore itself, whatever their names.
    """
    return _Walk(folder, most, internal).run()
