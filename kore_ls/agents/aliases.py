"""What a path also is: a symlink somewhere in the folder may put it in the place of something special. Reads names."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

from attrs import evolve, frozen

from kore_ls.agents.paths import Access, Place
from kore_ls.agents.protected import Guard, guards_of, may_hold_special
from kore_ls.agents.protected_files import MOST_ENTRIES


@frozen
class _Alias:
    """A link by its names below the folder, and where it leads."""

    names: tuple[str, ...]
    real: Path

    def guards(self, place: Place) -> frozenset[Guard]:
        """What a place is when it is reached through the link, or when what the link leads to goes with it."""
        if self.real == place.path or self.real in place.path.parents:
            return guards_of((*self.names, *place.path.relative_to(self.real).parts))
        goes_along = place.access is Access.WRITE and place.path in self.real.parents
        return guards_of(self.names) if goes_along else frozenset()


def as_linked(folder: Path, places: Iterable[Place]) -> tuple[Place, ...]:
    """The places with what they are by all links of the folder (a real path). Blocking: walks the folder.

    In a folder of more than 200,000 entries the links nearest to its top count.
    """
    judged = tuple(places)
    if not any(place.inside for place in judged):
        return judged
    aliases = list(_aliases(folder))
    return tuple(_judged(place, aliases) if place.inside else place for place in judged) if aliases else judged


def secret_targets(folder: Path) -> frozenset[Path]:
    """What the links of the folder that are named like secrets lead to. Blocking."""
    return frozenset(alias.real for alias in _aliases(folder) if Guard.SECRET in guards_of(alias.names))


def _judged(place: Place, aliases: list[_Alias]) -> Place:
    found = frozenset(guard for alias in aliases for guard in alias.guards(place))
    if Guard.INTERNAL in found:  # a link is no directory of git's or Kore's, but may be what runs from there
        found = found - {Guard.INTERNAL} | {Guard.CODE}
    return evolve(place, guards=place.guards | found) if found else place


def _aliases(folder: Path) -> Iterator[_Alias]:
    pending: deque[tuple[str, ...]] = deque([()])
    left = MOST_ENTRIES
    while pending and left > 0:
        names = pending.popleft()
        try:
            with os.scandir(folder.joinpath(*names)) as entries:
                for entry in entries:
                    left -= 1
                    if entry.is_symlink():
                        below = (*names, entry.name)
                        if guards_of(below) or may_hold_special(entry.name):
                            real = Path(os.path.realpath(entry.path))
                            if real == folder or folder in real.parents:
                                yield _Alias(below, real)
                    elif entry.is_dir() and not (entry.name == "objects" and names[-1:] == (".git",)):
                        pending.append((*names, entry.name))
        except OSError:
            continue
