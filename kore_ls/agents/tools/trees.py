"""A file or a whole directory that is to be moved or deleted: what is protected in it, and its contents, bounded."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

from attrs import evolve, frozen

from kore_ls.agents import anchored
from kore_ls.agents.paths import Access, Place, entry_of
from kore_ls.agents.problem import ToolProblem
from kore_ls.agents.protected import Guard, holds_code
from kore_ls.agents.protected_files import find_protected
from kore_ls.agents.tools.changing import FILE_BYTES, check_saved
from kore_ls.agents.tools.tool import Desk

_MOST_FILES = 1_000
_MOST_ENTRIES = 5_000
_MOST_BYTES = 64 << 20


@frozen(kw_only=True)
class Tree:
    """What a path names. `protected` are the special ones inside of a directory, as places to be written."""

    place: Place
    protected: tuple[Place, ...] = ()

    async def unkept(self) -> dict[Path, str | None]:
        """What in it has no before-image: too big, or no regular file; symlinks with their targets.

        Raises ToolProblem: too many files.
        """
        return {
            path: str(path.readlink()) if path.is_symlink() else None
            for path in await asyncio.to_thread(_files, self.place.path, kept=False)
        }

    async def contents(self, desk: Desk) -> dict[Path, bytes]:
        """All regular files in it with their contents, but symlinks and what is too big to be kept.

        Raises ToolProblem: too many files, too much in all, unsaved changes in an editor.
        """
        found: dict[Path, bytes] = {}
        total = 0
        for path in await asyncio.to_thread(_files, self.place.path, kept=True):
            place = entry_of(path)
            check_saved(desk, place)
            found[path] = await asyncio.to_thread(anchored.read_bytes, place, most=FILE_BYTES)
            total += len(found[path])
            if total > _MOST_BYTES:
                raise ToolProblem("This is too much at once; take smaller parts.")
        desk.budget.write(total)
        return found


def arrivals(desk: Desk, source: Path, target: Path) -> list[Place]:
    """The special ones among the places that a link, or all of a directory, would have at `target`.

    Raises ToolProblem: too many.
    """
    found = [_arrival(desk, source, target)]
    left = _MOST_ENTRIES
    for directory, directories, names in os.walk(source):
        left -= len(directories) + len(names)
        if left < 0:
            raise ToolProblem("This is too much at once; take smaller parts.")
        for name in (*directories, *names):
            each = Path(directory, name)
            found.append(_arrival(desk, each, target / each.relative_to(source)))
    return [place for place in found if place.guards or not place.inside]


def _arrival(desk: Desk, path: Path, target: Path) -> Place:
    place = desk.place(str(target), Access.WRITE, follow=False)
    if path.is_symlink() and holds_code(target.name):
        return evolve(place, guards=place.guards | {Guard.CODE})
    return place


async def tree_of(desk: Desk, text: str) -> Tree:
    """What a path names, a symlink at its end as such. Raises ToolProblem: nothing there, the folder itself."""
    place = desk.place(text, Access.WRITE, follow=False)
    if place.identity is None:
        raise ToolProblem("There is no such file or directory.")
    if place.path == desk.folder or place.path in desk.folder.parents:
        raise ToolProblem("The workspace folder itself stays where it is.")
    if not place.is_folder:
        return Tree(place=place)
    found = await asyncio.to_thread(find_protected, place.path, internal=desk.around.internal)
    if not found.whole:
        raise ToolProblem("This is too much at once; take smaller parts.")
    paths = (*found.secrets, *found.fixed)
    protected = [desk.place(str(each), Access.WRITE, follow=False) for each in paths]
    for link in found.links:  # by its name it may be plain, what it stands for is not
        each = desk.place(str(link), Access.WRITE, follow=False)
        protected.append(evolve(each, guards=each.guards | {Guard.CODE}))
    return Tree(place=place, protected=tuple(protected))


def _files(path: Path, *, kept: bool) -> list[Path]:
    """All in it but directories: what a before-image can be kept of, or what not."""
    if not stat.S_ISDIR(path.lstat().st_mode):
        return [path] if _can_be_kept(path) is kept else []
    found: list[Path] = []
    for directory, folders, names in os.walk(path):
        links = [name for name in folders if Path(directory, name).is_symlink()]
        for name in (*names, *links):
            each = Path(directory, name)
            if _can_be_kept(each) is kept:
                found.append(each)
            if len(found) > _MOST_FILES:
                raise ToolProblem("This is too much at once; take smaller parts.")
    return found


def _can_be_kept(path: Path) -> bool:
    found = path.lstat()
    return stat.S_ISREG(found.st_mode) and found.st_size <= FILE_BYTES
