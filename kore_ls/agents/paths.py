"""What a path that an agent names really is: its real place, inside the folder or not, and what is special about it.

Nothing is opened here; `anchored` opens what was found here and notices when it has changed since.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path
from urllib.parse import unquote, urlsplit

from attrs import frozen

from kore_ls.agents.git.directories import GIT_READ_ONLY
from kore_ls.agents.git.repository import is_git_directory, repository_of
from kore_ls.agents.git.settings import obeyed
from kore_ls.agents.problem import ToolProblem
from kore_ls.agents.protected import Guard, guards_of, names_of
from kore_ls.agents.protected_files import find_protected

_LONGEST = 4096
_ENCODED = re.compile(r"%(?:2e|2f|5c|00)", re.IGNORECASE)
_WINDOWS = re.compile(r"[A-Za-z]:|.*\\")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


class Access(Enum):
    """What is to be done with a path."""

    READ = "read"
    WRITE = "write"


@frozen(kw_only=True)
class Place:
    """A path as it was found. `path` is real: no segment of it is a symlink (but the last one, where links are not
    followed); `relative` has `/` between its segments and is absolute outside of the folder; `identity` is device and
    inode of what is there, None if nothing is.
    """

    path: Path
    relative: str
    inside: bool
    guards: frozenset[Guard]
    access: Access
    identity: tuple[int, int] | None
    is_folder: bool = False


def locate(folder: Path, text: str, access: Access, *, follow: bool = True, internal: Sequence[Path] = ()) -> Place:
    """Where `text`, relative to `folder` or absolute, leads; the folder is a real path.

    `internal` are directories of Kore itself, whatever their names.
    `follow=False` leaves a symlink at the end of the path alone: the link itself is meant. Raises ToolProblem.
    """
    given = folder / _checked(text)
    try:
        path = Path(os.path.realpath(given)) if follow else _parent_real(given)
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        found = None
    except OSError as error:
        raise ToolProblem("This path can't be looked at.") from error
    if follow and found is not None and stat.S_ISLNK(found.st_mode):
        raise ToolProblem("This path is a symbolic link that leads nowhere.")
    inside = path == folder or folder in path.parents
    guards = guards_of(names_of(folder, path)) | guards_of(names_of(folder, Path(os.path.normpath(given))))
    if any(each in (path, *path.parents) and each not in folder.parents for each in internal):
        guards |= {Guard.INTERNAL}
    if inside and _in_bare_repository(folder, path):
        guards |= {Guard.INTERNAL}
    if access is Access.WRITE and _is_obeyed(path):
        guards |= {Guard.CODE}
    if found is not None and stat.S_ISREG(found.st_mode) and found.st_nlink > 1:
        # what else this file is can't be known: to write it may be to write somewhere else
        inside = inside and access is Access.READ
        if is_known_secret(folder, (found.st_dev, found.st_ino)):
            guards |= {Guard.SECRET}
    return Place(
        path=path,
        relative=path.relative_to(folder).as_posix() if folder in (path, *path.parents) else str(path),
        inside=inside,
        guards=guards,
        access=access,
        identity=(found.st_dev, found.st_ino) if found is not None else None,
        is_folder=found is not None and stat.S_ISDIR(found.st_mode),
    )


def unlocated(folder: Path, text: str, access: Access) -> Place | None:
    """A path that could not be looked at, as it is written, where that is outside of the folder; None inside of it."""
    path = Path(os.path.normpath(folder / text)) if "\0" not in text else folder
    if path == folder or folder in path.parents:
        return None
    guards = guards_of(names_of(folder, path))
    return Place(path=path, relative=str(path), inside=False, guards=guards, access=access, identity=None)


def entry_of(path: Path) -> Place:
    """Something found inside of a directory that the gate has let pass: its identity alone, nothing is judged.

    Raises OSError.
    """
    found = path.lstat()
    return Place(
        path=path,
        relative=path.name,
        inside=True,
        guards=frozenset(),
        access=Access.WRITE,
        identity=(found.st_dev, found.st_ino),
        is_folder=stat.S_ISDIR(found.st_mode),
    )


def is_known_secret(folder: Path, identity: tuple[int, int]) -> bool:
    """Whether a file with several names is, by another of them, a secret of the folder or of the user's home."""
    home = Path.home()
    private = [home, *(home / name for name in (".ssh", ".aws", ".gnupg", ".kube", ".docker"))]
    if any(identity == each for place in private for each in _secret_identities(place)):
        return True
    return identity in find_protected(folder).secret_identities()


def _secret_identities(directory: Path) -> Iterator[tuple[int, int]]:
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if Guard.SECRET in guards_of((directory.name, entry.name)):
                    found = entry.stat(follow_symlinks=True)
                    yield found.st_dev, found.st_ino
    except OSError:
        return


def _checked(text: str) -> str:
    if not text or "\0" in text or len(text) > _LONGEST:
        raise ToolProblem("This is not a path.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ToolProblem("This is not a path.") from error
    if text.startswith("file://"):
        parts = urlsplit(text)
        if parts.netloc not in ("", "localhost") or parts.query or parts.fragment or "%00" in parts.path:
            raise ToolProblem("Only paths of this machine can be used.")
        text = unquote(parts.path, errors="surrogatepass")
        return _checked(text) if not text.startswith("file://") else _refuse()
    if os.name != "nt" and _WINDOWS.match(text):
        raise ToolProblem("Windows paths don't work here: use / between the parts of a relative path.")
    if _SCHEME.match(text) and "://" in text:
        raise ToolProblem("Only paths of this machine can be used.")
    if _ENCODED.search(text):
        raise ToolProblem("Percent-encoded paths don't work here: write the path as it is.")
    return text


def _refuse() -> str:
    raise ToolProblem("This is not a path.")


def _parent_real(given: Path) -> Path:
    normal = Path(given)
    if normal.name in ("", ".", ".."):
        return Path(os.path.realpath(normal))
    return Path(os.path.realpath(normal.parent)) / normal.name


def _in_bare_repository(folder: Path, path: Path) -> bool:
    """A repository without a working tree keeps its hooks and settings in a directory of any name, which a file more
    may make one.
    """
    below = [each for each in (path, *path.parents) if folder in each.parents]
    names = ["", *(each.name for each in below)]
    if any(is_git_directory(each, but=name) for each, name in zip(below, names, strict=False)):
        return True
    return names[-1] in GIT_READ_ONLY and is_git_directory(folder)


def _is_obeyed(path: Path) -> bool:
    """Whether settings of a repository around a path name it, or what it lies in, as hooks or further settings."""
    around = [repository_of(each) for each in path.parents if os.path.lexists(each / ".git")]
    named = [each for one in around if one is not None for each in obeyed(one.shared, one.top)]
    return any(Path(os.path.realpath(each)) in (path, *path.parents) for each in named)
