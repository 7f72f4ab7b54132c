"""Reading and changing files at places that were checked before: no symlink is followed, what changed is noticed.

Each segment of the real path is opened below the one before it, so that nothing put in between leads elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kore_ls.agents.paths import Place
from kore_ls.agents.problem import ToolProblem

_DIRECTORY = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_FILE = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
_BELOW = os.open in os.supports_dir_fd
"""Whether paths can be opened below a directory; where not (Windows), the real path is compared once more."""

CHANGED = "Something changed on this path while it was being looked at. Try again."


@contextmanager
def _parent(path: Path, *, make: bool = False) -> Iterator[int | None]:
    """A descriptor of the path's directory, None where the system can't use one."""
    if not _BELOW:
        if make:
            path.parent.mkdir(parents=True, exist_ok=True)
        if os.path.realpath(path.parent) != str(path.parent):
            raise ToolProblem(CHANGED)
        yield None
        return
    descriptor = os.open(path.anchor, _DIRECTORY)
    try:
        for segment in path.parts[1:-1]:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(segment, dir_fd=descriptor)
            below = os.open(segment, _DIRECTORY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


def _at(path: Path, parent: int | None) -> str:
    return path.name if parent is not None else str(path)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise ToolProblem("There is no such file or directory.") from error
    except FileExistsError as error:
        raise ToolProblem("There is already something with this name.") from error
    except (IsADirectoryError, NotADirectoryError) as error:
        raise ToolProblem("This is not what it should be: a directory in place of a file, or a file of one.") from error
    except OSError as error:
        raise ToolProblem(f"The system does not allow this ({os.strerror(error.errno or 0)}).") from error


def read_bytes(place: Place, *, most: int) -> bytes:
    """A regular file's content. Raises ToolProblem: also over `most` bytes, and where it is another file by now."""
    with _told(), _parent(place.path) as parent:
        descriptor = os.open(_at(place.path, parent), os.O_RDONLY | _FILE, dir_fd=parent)
        try:
            found = os.fstat(descriptor)
            if stat.S_ISDIR(found.st_mode):
                raise ToolProblem("This is a directory.")
            if not stat.S_ISREG(found.st_mode):
                raise ToolProblem("This is not a regular file.")
            if place.identity != (found.st_dev, found.st_ino):
                raise ToolProblem(CHANGED)
            if found.st_size > most:
                raise ToolProblem(f"This file is bigger than {most >> 10} KiB.")
            content = bytearray()
            while len(content) <= most and (chunk := os.read(descriptor, 1 << 20)):
                content += chunk
            if len(content) > most:
                raise ToolProblem(f"This file is bigger than {most >> 10} KiB.")
            return bytes(content)
        finally:
            os.close(descriptor)


@contextmanager
def working_directory(place: Place) -> Iterator[Path]:
    """A path of a directory for a child process to start in, that nothing put in its place leads elsewhere.

    Where the system has no such paths it is the plain one. Raises ToolProblem.
    """
    with _told(), _parent(place.path / "-") as descriptor:
        by_number = Path(f"/proc/self/fd/{descriptor}")
        yield by_number if descriptor is not None and by_number.exists() else place.path


def list_names(place: Place, *, most: int) -> list[tuple[str, bool]]:
    """A directory's names and whether each is a directory, in order; at most `most` of them. Raises ToolProblem."""
    with _told(), _parent(place.path / "-") as parent, os.scandir(parent if parent is not None else place.path) as all_:
        found: list[tuple[str, bool]] = []
        for entry in all_:
            found.append((entry.name, entry.is_dir(follow_symlinks=False)))
            if len(found) >= most:
                break
        return sorted(found)


def replace_bytes(place: Place, content: bytes, *, expected: bytes | None) -> None:
    """Write a file whole or not at all, making its directories; its permissions stay.

    `expected` is what it holds now, None if there must be nothing. Raises ToolProblem, also where that is not so.
    """
    with _told(), _parent(place.path, make=True) as parent:
        name, mode = _at(place.path, parent), 0o666
        with contextlib.suppress(FileNotFoundError):
            found = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if not stat.S_ISREG(found.st_mode) or expected is None:
                raise ToolProblem("There is already something with this name.")
            mode = stat.S_IMODE(found.st_mode)
        if expected is not None and read_bytes(place, most=len(expected)) != expected:
            raise ToolProblem(CHANGED)
        beside = _at(place.path.with_name(f".{place.path.name[:80]}.{secrets.token_hex(6)}.tmp"), parent)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FILE, mode & 0o777, dir_fd=parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                if expected is not None and hasattr(os, "fchmod"):
                    os.fchmod(file.fileno(), mode)
                file.flush()
                os.fsync(file.fileno())
            if expected is None and parent is not None:
                _name_anew(beside, name, parent)
            else:
                os.replace(beside, name, src_dir_fd=parent, dst_dir_fd=parent)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(beside, dir_fd=parent)
            raise


def _name_anew(beside: str, name: str, parent: int) -> None:
    """Give a file its name unless something has it; not every file system has links, and then the check was before."""
    try:
        os.link(beside, name, src_dir_fd=parent, dst_dir_fd=parent, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:
        os.replace(beside, name, src_dir_fd=parent, dst_dir_fd=parent)
    else:
        os.unlink(beside, dir_fd=parent)


def remove(place: Place) -> None:
    """Delete a file, a symlink itself, or an empty directory. Raises ToolProblem."""
    with _told(), _parent(place.path) as parent:
        name = _at(place.path, parent)
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if place.identity != (found.st_dev, found.st_ino):
            raise ToolProblem(CHANGED)
        if stat.S_ISDIR(found.st_mode):
            os.rmdir(name, dir_fd=parent)
        else:
            os.unlink(name, dir_fd=parent)


def rename(source: Place, target: Place) -> None:
    """Move a file, symlink or directory to a name that nothing has. Raises ToolProblem."""
    with _told(), _parent(source.path) as old, _parent(target.path, make=True) as new:
        found = os.stat(_at(source.path, old), dir_fd=old, follow_symlinks=False)
        if source.identity != (found.st_dev, found.st_ino):
            raise ToolProblem(CHANGED)
        with contextlib.suppress(FileNotFoundError):
            os.stat(_at(target.path, new), dir_fd=new, follow_symlinks=False)
            raise ToolProblem("There is already something with this name.")
        os.rename(_at(source.path, old), _at(target.path, new), src_dir_fd=old, dst_dir_fd=new)
