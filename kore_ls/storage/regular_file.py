"""Opens files that somebody else put there: regular ones only, through no symlink, up to a size. Writes nothing."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from kore_ls.errors import ImportInvalid


def open_regular(path: Path, *, most: int) -> BinaryIO:
    """Open a regular file of at most `most` bytes for reading.

    The last component of `path` may be no symlink; a pipe or a device is refused without waiting for it. Raises
    ImportInvalid with the place `path`.
    """
    if not hasattr(os, "O_NOFOLLOW") and path.is_symlink():
        raise _refused("must not be a symbolic link")
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"):
        flags |= getattr(os, name, 0)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        raise _refused("no such file") from None
    except (OSError, ValueError):  # a symlink, a directory that may not be searched, a NUL in the path
        raise _refused("can't be opened") from None
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_size <= most:
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISREG(found.st_mode):
        raise _refused(f"must have at most {most} bytes")
    raise _refused("is not a regular file")


def is_file(path: Path) -> bool:
    """Whether there is a regular file, or a link to one; False where nobody may look, which `Path` raises."""
    return os.path.isfile(path)  # noqa: PTH113


def is_link(path: Path) -> bool:
    """Whether there is a symbolic link; False where nobody may look, which `Path` raises."""
    return os.path.islink(path)  # noqa: PTH114


def _refused(problem: str) -> ImportInvalid:
    return ImportInvalid(f"path: {problem}", place="path")
