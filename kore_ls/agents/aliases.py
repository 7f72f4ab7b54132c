"""What a path also is: symlinks somewhere in the folder may put it in the place of something special. Reads names."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

from attrs import evolve, frozen

from kore_ls.agents.links import is_directory, way_of
from kore_ls.agents.paths import Access, Place
from kore_ls.agents.protected import Guard, guards_of, may_hold_special, names_of
from kore_ls.agents.protected_files import MOST_ENTRIES, may_be_reached

UNLISTED = (
    "Not available: a directory of the workspace can't be listed, so that nobody knows what is secret by its links."
)
_MOST_ALIASES = 5_000
_DEEPEST_PLACE = 2
"""So many names follow the first one of a special place, at most."""


@frozen
class _Alias:
    """A further name of something: its segments, what it is the name of, and the links on the way."""

    names: tuple[str, ...]
    real: Path
    links: tuple[Path, ...]

    def guards(self, place: Place) -> frozenset[Guard]:
        """What a place is by this name, or when what gives it the name goes with it."""
        if self.real == place.path or self.real in place.path.parents:
            return guards_of((*self.names, *place.path.relative_to(self.real).parts))
        if place.access is Access.WRITE and any(
            place.path == each or place.path in each.parents for each in (self.real, *self.links)
        ):
            return guards_of(self.names)
        return frozenset()


@frozen
class Aliases:
    """The further names in a folder. `whole` is False where there is a directory that can't be listed but entered."""

    found: tuple[_Alias, ...]
    whole: bool

    def is_secret(self, path: Path) -> bool:
        """Whether a path is, or lies in, a secret by another name."""
        return any(
            (each.real == path or each.real in path.parents)
            and Guard.SECRET in guards_of((*each.names, *path.relative_to(each.real).parts))
            for each in self.found
        )


def as_linked(folder: Path, places: Iterable[Place]) -> tuple[Place, ...]:
    """The places with what they are by all links of the folder (a real path). Blocking: walks the folder.

    In a folder of more than 200,000 entries the links nearest to its top count.
    """
    judged = tuple(places)
    if not any(place.inside for place in judged):
        return judged
    aliases = aliases_of(folder)
    return tuple(_judged(place, aliases) if place.inside else place for place in judged)


def aliases_of(folder: Path) -> Aliases:
    """All further names that links in the folder (a real path) give to what is special by them. Blocking."""
    return _Search(folder).run()


def _judged(place: Place, aliases: Aliases) -> Place:
    found = frozenset(guard for alias in aliases.found for guard in alias.guards(place))
    if Guard.INTERNAL in found:  # a link is no directory of git's or Kore's, but may be what runs from there
        found = found - {Guard.INTERNAL} | {Guard.CODE}
    if not aliases.whole:  # it may be anything
        found |= {Guard.CODE if place.access is Access.WRITE else Guard.SECRET}
    return evolve(place, guards=place.guards | found) if found else place


class _Search:
    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, names_of(folder, folder)
        self.left = MOST_ENTRIES
        self.whole = True
        self.found: list[_Alias] = []
        self.pending: deque[_Alias] = deque()
        self.known: set[tuple[object, ...]] = set()

    def run(self) -> Aliases:
        directories: deque[tuple[str, ...]] = deque([()])
        while directories and self.left > 0:
            names = directories.popleft()
            for entry in self._entries(self.folder.joinpath(*names)):
                below = (*names, entry.name)
                if entry.is_symlink():
                    self._take_link(Path(entry.path), (*self.root, *below), ())
                elif entry.is_dir() and not (entry.name == "objects" and names[-1:] == (".git",)):
                    directories.append(below)
        while self.pending and self.left > 0:
            self._look_behind(self.pending.popleft())
        return Aliases(tuple(self.found), self.whole)

    def _entries(self, directory: Path) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    self.left -= 1
                    yield entry
        except OSError:
            self.whole = self.whole and not may_be_reached(directory)

    def _take_link(self, link: Path, names: tuple[str, ...], passed: tuple[Path, ...]) -> None:
        if not guards_of(names) and not may_hold_special(link.name):
            return
        way, real = way_of(link)
        if real == self.folder or self.folder in real.parents:
            links = (*passed, *(each for each in way if self.folder in each.parents))
            self._take(names, real, links, derived=bool(passed))

    def _take(self, names: tuple[str, ...], real: Path, links: tuple[Path, ...], *, derived: bool) -> None:
        # links may go round in circles: what is found behind one counts once for each real place and what it is there
        key = (real, names[-1 - _DEEPEST_PLACE :], guards_of(names)) if derived else (links[0],)
        if key in self.known:
            return
        if len(self.found) >= _MOST_ALIASES:
            self.whole = False
            return
        self.known.add(key)
        alias = _Alias(names, real, links)
        self.found.append(alias)
        if is_directory(real):
            self.pending.append(alias)

    def _look_behind(self, alias: _Alias) -> None:
        """Links and special names in a directory that has a further name itself."""
        special = bool(guards_of(alias.names))
        pending = [(alias.real, alias.names, 0)]
        while pending and self.left > 0:
            directory, names, depth = pending.pop()
            for entry in self._entries(directory):
                below = (*names, entry.name)
                if entry.is_symlink():
                    self._take_link(Path(entry.path), below, alias.links)
                elif not special and guards_of(below):
                    self._take(below, Path(entry.path), alias.links, derived=True)
                elif entry.is_dir() and (special or depth < _DEEPEST_PLACE):
                    pending.append((Path(entry.path), below, depth + 1))
