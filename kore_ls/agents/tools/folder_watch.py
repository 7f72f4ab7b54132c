"""What a command finds protected in the folder, and what it left there: new files that run code get other names."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import time
from collections.abc import Sequence
from pathlib import Path

from attrs import evolve

from kore_ls.agents.git_directories import shared_repository
from kore_ls.agents.links import changed_links, put_back
from kore_ls.agents.protected_files import MOST_ENTRIES, find_protected
from kore_ls.agents.protection import ProtectedFiles

FRESH_S = 1.0
_ROUNDS = 30
"""So many directories, one in the other, are made readable again."""
_MORE_AFTER = 10
"""So many times more entries are looked at after a command: it may have made them to hide something."""


class FolderWatch:
    """The folder before a command and after it. All of it is blocking.

    `protected` is what must be kept from the command, `git` a git directory elsewhere that it may write. Afterwards
    `left` are files that run code and could not be put aside, `restored` links that were put back, and `overlooked`
    says that the folder has become too big to be looked through.
    """

    def __init__(self, folder: Path, internal: Sequence[Path], *, most: int = MOST_ENTRIES) -> None:
        self._folder, self._internal, self._most = folder, tuple(internal), most
        shared = shared_repository(folder)
        self.git = None if shared is None else shared.directory
        self.protected = self._look(most)
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
        for link, target in changed_links(self.protected.kept):
            if not os.path.lexists(link) or _renamed(link):
                put_back(link, target)
            self.restored.append(os.path.relpath(link, self._folder))

    def made(self) -> list[Path]:
        """Files that editors, agents or git run and that were not there before the command."""
        now = self._listed()
        self.overlooked = self.protected.whole and not now.whole
        before = {*self.protected.fixed, *self.protected.links}
        planned = sorted({path for path, _ in now.planned - self.protected.planned})
        every = (*(path for path in (*now.fixed, *now.links) if path not in before), *planned)
        ours = (self._folder / ".kore", *self._internal)
        return [path for path in dict.fromkeys(every) if not any(path.is_relative_to(each) for each in ours)]

    def _listed(self) -> ProtectedFiles:
        """The folder as it is now; what could be looked through before is made so again."""
        if not self.protected.whole:
            return self._look(self._most)
        for _ in range(_ROUNDS):
            now = self._look(_MORE_AFTER * self._most)
            for each in now.unlisted:
                with contextlib.suppress(OSError):
                    _make_listable(each)
            if not now.unlisted:
                break
        return now

    def put_aside(self) -> list[str]:
        """Give them other names, under which nothing runs them; their old names, relative to the folder."""
        made = self.made()
        aside = [os.path.relpath(path, self._folder) for path in made if _renamed(path)]
        self.left = [os.path.relpath(path, self._folder) for path in made if os.path.lexists(path)]
        return aside


def _make_listable(directory: Path) -> None:
    """Through a descriptor, so that no link put in its place is followed; O_PATH needs no right to read."""
    place = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        Path(f"/proc/self/fd/{place}").chmod(0o700 | stat.S_IMODE(os.fstat(place).st_mode))
    finally:
        os.close(place)


def _renamed(path: Path) -> bool:
    for number in range(20):
        end = "" if not number else f"-{number}" if number < 10 else f"-{secrets.token_hex(6)}"
        aside = path.with_name(f"{path.name[:200]}.put-aside{end}")
        if not os.path.lexists(aside):
            return _rename(path, aside)
    return False


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
