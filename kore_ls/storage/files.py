"""The store's file on disk: what may be opened, how it is made, and whether it is still the same one.

The database file itself is only ever read through SQLite: closing it after a plain `open` would drop the locks that
SQLite holds on it for another store object of this process.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import sys
from contextlib import closing
from pathlib import Path

from kore_ls.errors import StoreBusy, StoreDamaged, StoreForeign, StoreReadOnly, UnsupportedStore
from kore_ls.storage.faults import FAULTS, translated
from kore_ls.storage.migrations import APPLICATION_ID
from kore_ls.storage.private_files import make_private_directory

JOURNALS = ("-wal", "-journal")
_ROLLBACK = bytes.fromhex("d9d505f920a163d7")
"""What a rollback journal that holds anything begins with (SQLite file format, section 3)."""
SUFFIXES = ("", "-wal", "-shm", "-journal")

_COPY_TRIES = 5
_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ncpfs", "fuse.sshfs", "fuse.rclone"})

FileIdentity = tuple[int, int]
Signature = tuple[tuple[int, int] | None, ...]


def beside(path: Path, suffix: str) -> Path:
    """The file that SQLite keeps under this suffix beside `path`."""
    return path.with_name(path.name + suffix)


def identity(path: Path | str) -> FileIdentity | None:
    """Device and inode, or None where there is no file."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return (status.st_dev, status.st_ino)


def signature(path: Path) -> Signature:
    """Size and time of change of the file and its journals: what moves when another program writes."""

    def of(file: Path) -> tuple[int, int] | None:
        try:
            status = file.lstat()
        except OSError:
            return None
        return (status.st_size, status.st_mtime_ns)

    return tuple(of(beside(path, suffix)) for suffix in ("", *JOURNALS))


def copy_unchanged(path: Path, target: Path) -> Signature:
    """Copy the file and its journals as they were at one moment; their signature then. Raises OSError, StoreBusy."""
    for _ in range(_COPY_TRIES):
        seen = signature(path)
        for suffix in ("", *JOURNALS):
            try:
                shutil.copyfile(beside(path, suffix), beside(target, suffix), follow_symlinks=False)
            except FileNotFoundError:
                beside(target, suffix).unlink(missing_ok=True)
        if signature(path) == seen:
            return seen
    raise StoreBusy


def check_openable(path: Path) -> bool:
    """Whether there is a store to open (an empty file counts as none).

    Raises StoreForeign for links and odd files, UnsupportedStore for another program's file, StoreDamaged for a file
    that is no database, StoreReadOnly for one that can't be read.
    """
    size = 0
    for suffix in SUFFIXES:
        try:
            status = beside(path, suffix).lstat()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StoreReadOnly("the store can't be read", reason="permission") from error
        if not stat.S_ISREG(status.st_mode):
            raise StoreForeign("a file of the store is a link or no regular file", reason="link")
        size = status.st_size if not suffix else size
    if not size:
        if _was_emptied(path):  # SQLite would throw the journal away, and it may hold everything
            raise StoreDamaged("the store's file is empty, but not its journal", reason="truncated")
        return _size(path) > 0
    if not os.access(path, os.R_OK):
        raise StoreReadOnly("the store can't be read", reason="permission")
    if _application(path) not in (APPLICATION_ID, None):
        raise UnsupportedStore("the store's file belongs to another program; import it instead", reason="application")
    return True


def _was_emptied(path: Path) -> bool:
    """Whether an empty file has lost what its journal belongs to, rather than being made at this moment.

    Who makes a store gives the file its first page before there is a log, and out of a rollback journal that knows of
    no page yet.
    """
    rollback = beside(path, "-journal")
    if not _size(beside(path, "-wal")) and (not _size(rollback) or _pages_before(rollback) == 0):
        return False
    return _size(path) == 0  # looked at last: another process may have made the file since the journals were


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0


def _pages_before(journal: Path) -> int:
    """How many pages the database had when this rollback journal was begun; 0 where there is nothing to roll back.

    Raises StoreReadOnly.
    """
    try:
        with journal.open("rb") as file:
            header = file.read(20)
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise StoreReadOnly("the store can't be read", reason="permission") from error
    return int.from_bytes(header[16:], "big") if header.startswith(_ROLLBACK) else 0


def _application(path: Path) -> int | None:
    """The application id in the file's header; None where only its journal can tell, or its writer."""
    for _ in range(_COPY_TRIES):
        seen = signature(path)
        try:
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as db:
                if db.execute("PRAGMA page_count").fetchone()[0] == 0:  # shorter than any header
                    raise StoreDamaged("the store's file is not a database", reason="header")
                return int(db.execute("PRAGMA application_id").fetchone()[0])
        except FAULTS as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
            if code == sqlite3.SQLITE_NOTADB:
                raise StoreDamaged("the store's file is not a database", reason="header") from error
            if code == sqlite3.SQLITE_CORRUPT and has_journal(path):
                return None
            if signature(path) == seen:  # else it was shrunk or filled while it was looked at
                raise translated(error) from error
    return None


def create_private(path: Path) -> None:
    """Make the directory (0700) and an empty file (0600); an existing file is left as it is. Raises StoreReadOnly."""
    if path.exists():
        return
    flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        make_private_directory(path.parent)
        os.close(os.open(path, flags, 0o600))
    except FileExistsError:
        if not path.is_file():
            raise StoreReadOnly("the store can't be created here", reason="name") from None
    except OSError as error:
        reason = "permission" if isinstance(error, PermissionError) else os.strerror(error.errno or 0)
        raise StoreReadOnly("the store can't be created here", reason=reason) from error


def is_writable(path: Path) -> bool:
    """Whether SQLite can write: it needs the directory as well, for its log."""
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def has_journal(path: Path) -> bool:
    """Whether a journal of either kind with content lies beside the file."""
    return any(each is not None and each[0] > 0 for each in signature(path)[1:])


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
    for suffix in SUFFIXES:
        try:
            total += beside(path, suffix).stat().st_size
        except FileNotFoundError:
            continue
    return total
