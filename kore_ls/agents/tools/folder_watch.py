"""What a command finds protected in the folder, and what it left there: new files that run code get other names."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import stat
import time
from collections.abc import Sequence
from pathlib import Path

from attrs import evolve, field, frozen

from kore_ls.agents.git.directories import Plan, shared_repository
from kore_ls.agents.links import changed_links, put_back
from kore_ls.agents.protected_files import MOST_ENTRIES, find_protected
from kore_ls.agents.protection import ProtectedFiles

FRESH_S = 1.0
_ROUNDS = 30
"""So many directories, one in the other, are made readable again."""
_MORE_AFTER = 10
"""So many times more entries are looked at after a command: it may have made them to hide something."""


@frozen(kw_only=True)
class Before:
    """What has to be known of a folder as it was before a command, to find what the command made."""

    known: frozenset[Path]
    planned: frozenset[Plan] = field(factory=frozenset)
    kept: tuple[tuple[Path, str], ...] = ()
    whole: bool = True

    @classmethod
    def of(cls, protected: ProtectedFiles) -> Before:
        """From what was found in the folder."""
        known = frozenset((*protected.fixed, *protected.links))
        return cls(known=known, planned=protected.planned, kept=protected.kept, whole=protected.whole)

    def note(self, *, confined: bool) -> str:
        """As JSON; links are put back after confined commands alone."""
        return json.dumps(
            {
                "known": sorted(map(str, self.known)),
                "planned": sorted((str(path), line) for path, line in self.planned),
                "kept": [(str(link), target) for link, target in self.kept] if confined else [],
                "whole": self.whole,
            }
        )

    @classmethod
    def read(cls, note: str) -> Before:
        """The counterpart of `note`. Raises ValueError."""
        try:
            told = json.loads(note)
            return cls(
                known=frozenset(map(Path, told["known"])),
                planned=frozenset((Path(path), str(line)) for path, line in told["planned"]),
                kept=tuple((Path(link), str(target)) for link, target in told["kept"]),
                whole=told["whole"] is True,
            )
        except (LookupError, TypeError, RecursionError) as error:
            raise ValueError("this is no note of a folder") from error


class FolderWatch:
    """The folder before a command and after it. All of it is blocking.

    `protected` is what must be kept from the command, `git` a git directory elsewhere that it may write. Afterwards
    `left` are files that run code and could not be put aside, `restored` links that were put back, and `overlooked`
    says that the folder has become too big to be looked through. With `before`, a command has run already.
    """

    def __init__(
        self, folder: Path, internal: Sequence[Path], *, most: int = MOST_ENTRIES, before: Before | None = None
    ) -> None:
        self._folder, self._internal, self._most = folder, tuple(internal), most
        shared = shared_repository(folder)
        self.git = None if shared is None else shared.directory
        self.protected = self._look(most) if before is None else ProtectedFiles()
        self.before = before or Before.of(self.protected)
        self._aside: list[tuple[Path, Path]] = []
        self.left: list[str] = []
        self.restored: list[str] = []
        self.overlooked = False
        self._seen_at = time.monotonic()

    @property
    def stale(self) -> bool:
        """Whether the folder may have become another since it was looked through."""
        return time.monotonic() - self._seen_at > FRESH_S

    def _look(self, most: int) -> ProtectedFiles:
        """What is protected in the folder, and in the git directory of its working tree where that is elsewhere."""
        found = find_protected(self._folder, internal=self._internal, most=most)
        shared = shared_repository(self._folder) if self.git is not None else None
        if shared is None:
            return found
        return evolve(
            found,
            fixed=(*found.fixed, *shared.fixed),
            linked=(*found.linked, *shared.linked),
            planned=found.planned | shared.planned,
            exposed=found.exposed or shared.exposed,
            whole=found.whole and shared.whole,
        )

    def restore(self) -> None:
        """Put back the links that make a secret one: a confined command can't be kept from taking them away."""
        for link, target in changed_links(self.before.kept):
            if not os.path.lexists(link) or _renamed(link) is not None:
                put_back(link, target)
            self.restored.append(os.path.relpath(link, self._folder))

    def made(self) -> list[Path]:
        """Files that editors, agents or git run and that were not there before the command."""
        now = self._listed()
        self.overlooked = self.before.whole and not now.whole
        planned = sorted({path for path, _ in now.planned - self.before.planned})
        every = (*(path for path in (*now.fixed, *now.links) if path not in self.before.known), *planned)
        ours = (self._folder / ".kore", *self._internal)
        return [path for path in dict.fromkeys(every) if not any(path.is_relative_to(each) for each in ours)]

    def _listed(self) -> ProtectedFiles:
        """The folder as it is now; what could be looked through before is made so again."""
        if not self.before.whole:
            return self._look(self._most)
        for _ in range(_ROUNDS):
            now = self._look(_MORE_AFTER * self._most)
            for each in now.unlisted:
                with contextlib.suppress(OSError):
                    _make_listable(each)
            if not now.unlisted:
                break
        return now

    def put_aside(self) -> list[Path]:
        """Give what was made other names, under which nothing runs it. The old names of all that has been renamed."""
        made = self.made()
        for path in made:
            aside = _renamed(path)
            if aside is not None:
                self._aside.append((path, aside))
        self.left = [os.path.relpath(path, self._folder) for path in made if os.path.lexists(path)]
        return [path for path, _ in self._aside]

    def take_back(self) -> None:
        """Give what was put aside its names again, where nothing has them by now."""
        put, self._aside = self._aside, []
        for path, aside in reversed(put):
            if os.path.lexists(path) or not _rename(aside, path):
                self._aside.append((path, aside))

    @property
    def aside(self) -> list[str]:
        """The old names of what is put aside, relative to the folder."""
        return [os.path.relpath(path, self._folder) for path, _ in self._aside]


def _make_listable(directory: Path) -> None:
    """Through a descriptor, so that no link put in its place is followed; O_PATH needs no right to read."""
    place = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        Path(f"/proc/self/fd/{place}").chmod(0o700 | stat.S_IMODE(os.fstat(place).st_mode))
    finally:
        os.close(place)


def _renamed(path: Path) -> Path | None:
    for number in range(20):
        end = "" if not number else f"-{number}" if number < 10 else f"-{secrets.token_hex(6)}"
        aside = path.with_name(f"{path.name[:200]}.put-aside{end}")
        if not os.path.lexists(aside):
            return aside if _rename(path, aside) else None
    return None


def _rename(path: Path, aside: Path) -> bool:
    for _ in range(2):
        try:
            path.rename(aside)
        except PermissionError:  # what may not be changed by its mode alone
            with contextlib.suppress(OSError):
                path.parent.chmod(0o700 | stat.S_IMODE(path.parent.stat().st_mode))
        except OSError:
            return False
        else:
            return True
    return False
