"""The store's file on disk: what may be opened, how it is made, and whether it is still the same one."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from kore_ls.errors import StoreDamaged, StoreForeign, StoreReadOnly, UnsupportedStore
from kore_ls.storage.migrations import APPLICATION_ID

MAGIC = b"SQLite format 3\0"
_APPLICATION_ID_AT = 68
_SUFFIXES = ("", "-wal", "-shm", "-journal")
_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ncpfs", "fuse.sshfs", "fuse.rclone"})

FileIdentity = tuple[int, int]


def identity(path: Path | str) -> FileIdentity | None:
    """Device and inode, or None where there is no file."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    return (status.st_dev, status.st_ino)


def check_openable(path: Path) -> bool:
    """Whether there is a store to open (an empty file counts as none).

    Raises StoreForeign for links and odd files, UnsupportedStore for another program's file, StoreDamaged for a file
    that is no database. Must run before SQLite has the file open: closing it here would drop SQLite's locks.
    """
    for suffix in _SUFFIXES:
        other = path.with_name(path.name + suffix)
        try:
            mode = other.lstat().st_mode
        except FileNotFoundError:
            continue
        if not stat.S_ISREG(mode):
            raise StoreForeign("a file of the store is a link or no regular file", reason="link")
    try:
        with path.open("rb") as file:
            head = file.read(100)
    except FileNotFoundError:
        return False
    except PermissionError as error:
        raise StoreReadOnly("the store can't be read", reason="permission") from error
    if not head:
        return False
    if not MAGIC.startswith(head[: len(MAGIC)]) or len(head) < 100:
        raise StoreDamaged("the store's file is not a database", reason="header")
    if int.from_bytes(head[_APPLICATION_ID_AT : _APPLICATION_ID_AT + 4], "big") != APPLICATION_ID:
        raise UnsupportedStore("the store's file belongs to another program; import it instead", reason="application")
    return True


def create_private(path: Path) -> None:
    """Make the directory (0700) and an empty file (0600); an existing file is left as it is."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_CREAT | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
        os.close(os.open(path, flags, 0o600))
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise StoreReadOnly("the store can't be created here", reason="permission") from error
    except OSError as error:
        raise StoreReadOnly("the store can't be created here", reason=os.strerror(error.errno or 0)) from error


def is_writable(path: Path) -> bool:
    """Whether SQLite can write: it needs the directory as well, for its log."""
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def has_log(path: Path) -> bool:
    """Whether a write-ahead log with content lies beside the file."""
    try:
        return path.with_name(path.name + "-wal").stat().st_size > 0
    except FileNotFoundError:
        return False


def on_network(path: Path) -> bool:
    """Whether the file lies on a known network file system, where write-ahead logging is unsafe. Linux only."""
    if sys.platform != "linux":
        return False
    try:
        mounts = Path("/proc/self/mounts").read_text(errors="replace").splitlines()
    except OSError:
        return False
    here = str(path.resolve())
    best, kind = "", ""
    for line in mounts:
        parts = line.split(" ")
        point = parts[1].replace("\\040", " ") if len(parts) > 2 else ""
        inside = here == point or here.startswith(point.rstrip("/") + "/")
        if point and inside and len(point) >= len(best):
            best, kind = point, parts[2]
    return kind in _NETWORK


def total_bytes(path: Path) -> int:
    """Bytes of the file and what SQLite keeps beside it."""
    total = 0
    for suffix in _SUFFIXES:
        try:
            total += path.with_name(path.name + suffix).stat().st_size
        except FileNotFoundError:
            continue
    return total
