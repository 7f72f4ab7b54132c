"""Which files of other tools an import has read to their end, and in what state: those need not be read again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from attrs import frozen

from kore_ls import __version__
from kore_ls.errors import KoreError
from kore_ls.sessions.importers.thread import QUIET_MS, Importer, Where
from kore_ls.storage.history_store import HistoryStore, ReadFile

_BATCH = 200


@frozen(kw_only=True)
class SourceFile:
    """A file as it is found. `name` stands for it and for whose conversations are wanted of it, in SHA-256.

    `state` stands for its size and time, and for the version of what reads it; None: it may change unseen.
    """

    path: Path
    name: str
    state: str | None


class SourceFiles:
    """The files that imports into one store have read; `load` first, and `flush` at the end."""

    def __init__(self, store: HistoryStore) -> None:
        self._store = store
        self._known: dict[str, ReadFile] = {}
        self._new: dict[str, ReadFile] = {}

    async def load(self) -> None:
        """Take up what earlier imports noted."""
        self._known = await self._store.read_files()

    def unread(self, file: SourceFile) -> int:
        """How many conversations are in a file that is as it was when it was read; 0: it must be read."""
        known = self._known.get(file.name)
        return known.sessions if known is not None and known.state == file.state else 0

    async def read(self, file: SourceFile, sessions: int) -> None:
        """All that was in a file is stored. What held nothing is soon read, and not remembered."""
        if file.state is None or not sessions:
            return
        self._new[file.name] = ReadFile(state=file.state, sessions=sessions)
        if len(self._new) >= _BATCH:
            await self.flush()

    async def flush(self) -> None:
        """Write down what was read; a store that does not take it costs only time."""
        noted, self._new = self._new, {}
        with suppress(KoreError):
            await self._store.note_read(noted)


def source_file(importer: Importer, path: Path, where: Where) -> SourceFile:
    """A file as it is now."""
    asked = (importer.name, os.fspath(where.folder), "all" if where.everything else "own", os.fspath(path.absolute()))
    state = _state(importer, path, where.now)
    return SourceFile(path=path, name=_hash(asked), state=None if state is None else _hash(state))


def _state(importer: Importer, path: Path, now: int) -> Iterator[str] | None:
    """None where a file was written to so lately that it may be again, at the same size and time."""
    found = [__version__, importer.checked]
    for each in (path, path.with_name(path.name + "-wal"), *importer.further(path)):
        try:
            status = each.stat()
        except OSError:
            found.append("-")
            continue
        if not 0 <= now - status.st_mtime_ns // 1_000_000 >= QUIET_MS:
            return None
        found.append(f"{status.st_size} {status.st_mtime_ns}")
    return iter(found)


def _hash(parts: Iterator[str] | tuple[str, ...]) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
