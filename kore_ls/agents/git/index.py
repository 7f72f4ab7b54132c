"""What a git index says of the files it tracks, and how it comes to need no reading of them. Runs nothing.

An index that can't be read is empty.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from attrs import frozen

_MOST_BYTES = 64 << 20
_MOST_RACY = 500
_MOST_FILE = 16 << 20
_SECONDS, _SIZE = 8, 36
_CLOCK_LAG_S = 0.02
"""A file's time is taken from a clock that is read at the kernel's ticks: it lags behind `time` by one."""
_FIXED = 40
"""Bytes of an entry before its object id."""


@frozen
class IndexEntry:
    """A tracked file as git saw it last: time of change in whole seconds, size, blob; `offset` is its place."""

    seconds: int
    size: int
    blob: bytes
    offset: int


def read_index(file: Path) -> dict[str, IndexEntry]:
    """The entries by their paths from the top, in the merged state alone. Versions 2 to 4; blocking."""
    try:
        if file.is_symlink() or not file.is_file() or file.stat().st_size > _MOST_BYTES:
            return {}
        content = file.read_bytes()
        return _entries(content, 20) or _entries(content, 32)
    except (OSError, struct.error, IndexError, ValueError):
        return {}


def _entries(content: bytes, id_size: int) -> dict[str, IndexEntry]:
    magic, version, count = struct.unpack_from(">4sLL", content)
    if (
        magic != b"DIRC"
        or version not in (2, 3, 4)
        or content[-id_size:] not in (_seal(content, id_size), bytes(id_size))
    ):
        return {}
    found: dict[str, IndexEntry] = {}
    at, name = 12, b""
    for _ in range(count):
        start = at
        seconds, size = (struct.unpack_from(">L", content, at + offset)[0] for offset in (_SECONDS, _SIZE))
        blob = content[at + _FIXED : at + _FIXED + id_size]
        at += _FIXED + id_size
        (flags,) = struct.unpack_from(">H", content, at)
        at += 4 if flags & 0x4000 else 2
        if version == 4:
            strip, at = _number(content, at)
            name = name[: len(name) - strip]
        end = content.index(b"\0", at)
        name = name + content[at:end] if version == 4 else content[at:end]
        at = end + 1 if version == 4 else start + (end - start + 8) // 8 * 8
        if not flags & 0x3000:
            found[os.fsdecode(name)] = IndexEntry(seconds, size, blob, start)
    while at < len(content) - id_size:  # extensions, to the very end: else the ids are of the other size
        at += 8 + struct.unpack_from(">L", content, at + 4)[0]
    return found if at == len(content) - id_size else {}


def _seal(content: bytes, id_size: int) -> bytes:
    return (hashlib.sha1 if id_size == 20 else hashlib.sha256)(content[:-id_size]).digest()


def _number(content: bytes, at: int) -> tuple[int, int]:
    """A number in git's own form of seven bits a byte, and where it ends."""
    value = content[at] & 0x7F
    while content[at] & 0x80:
        at += 1
        value = ((value + 1) << 7) | (content[at] & 0x7F)
    return value, at + 1


def settle(top: Path, file: Path, entries: dict[str, IndexEntry]) -> bool:
    """Make an index that needs no reading of files that are as it says. Whether it is so now; it takes up to a second.

    Git reads a file anew that was changed in the second in which the index was written, or later. That second is
    waited for, what such a file holds is looked at, and the index becomes younger; files that are not as it says are
    marked, as git does it. Whoever has locked it, or writes it meanwhile, is let be. Blocking.
    """
    try:
        before = file.stat()
        written = int(before.st_mtime)
        racy = {name: entry for name, entry in entries.items() if entry.seconds >= written}
        if not racy:
            return True
        latest = max(entry.seconds for entry in racy.values())
        if len(racy) > _MOST_RACY or latest > time.time():
            return False
        time.sleep(max(latest + 1 + _CLOCK_LAG_S - time.time(), 0))  # later changes have another time: git sees them
        changed = [entry for name, entry in racy.items() if not _same(top / name, entry)]
        with _locked(file) as lock:
            now = file.stat()
            if (now.st_ino, now.st_mtime_ns) != (before.st_ino, before.st_mtime_ns):
                return False
            if changed:
                lock.write_bytes(_marked(file.read_bytes(), changed))
                lock.replace(file)
            else:
                os.utime(file)
    except OSError:
        return False
    return True


@contextmanager
def _locked(file: Path) -> Iterator[Path]:
    """Git's own lock of an index, which may become the index. Raises OSError where somebody has it."""
    lock = file.with_name("index.lock")
    mode = stat.S_IMODE(file.stat().st_mode)
    descriptor = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, mode)
    try:
        yield lock
    finally:
        with suppress(FileNotFoundError):
            if os.path.samestat(
                os.fstat(descriptor), lock.lstat()
            ):  # else it is the index, and the next lock is another's
                lock.unlink()
        os.close(descriptor)


def _same(path: Path, entry: IndexEntry) -> bool:
    """Whether a file is what the index says, byte for byte."""
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode) or found.st_size != entry.size or entry.size > _MOST_FILE:
            return False
        content = path.read_bytes()
    except OSError:
        return False
    digest = hashlib.sha1 if len(entry.blob) == 20 else hashlib.sha256
    return digest(b"blob %d\0" % len(content) + content).digest() == entry.blob


def _marked(index: bytes, changed: list[IndexEntry]) -> bytes:
    """An index with no size for some entries: git compares their contents."""
    content = bytearray(index)
    for entry in changed:
        content[entry.offset + _SIZE : entry.offset + _SIZE + 4] = bytes(4)
    id_size = len(changed[0].blob)
    if any(content[-id_size:]):
        content[-id_size:] = _seal(bytes(content), id_size)
    return bytes(content)
