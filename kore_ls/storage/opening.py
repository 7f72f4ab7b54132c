"""How a store's file is opened: a writer and a reader connection, or a reader alone where it can't be written."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from attrs import define, field

from kore_ls.errors import StoreDamaged, StoreReadOnly
from kore_ls.storage.changes import newest_change
from kore_ls.storage.database import Database
from kore_ls.storage.faults import is_busy
from kore_ls.storage.files import FileIdentity, create_private, has_log, identity, is_writable, on_network
from kore_ls.storage.indexer import Indexer
from kore_ls.storage.migrations import APPLICATION_ID, migrate
from kore_ls.storage.searcher import Searcher
from kore_ls.storage.writer import Writer

_LOG_BYTES = 16 << 20
_WAL_TRIES = 50


@define
class OpenStore:
    """The open connections of one store and what was found on opening."""

    path: Path
    identity: FileIdentity | None
    reader: Database
    journal_mode: str
    writing: Writer | None = None
    writer: Database | None = None
    searcher: Searcher | None = None
    scratch: tempfile.TemporaryDirectory[str] | None = None
    seen_version: int = 0
    seen_change: int = 0
    checkpointed: int = 0
    _path: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._path = str(self.path)

    @property
    def read_only(self) -> bool:
        """Whether nothing can be written."""
        return self.writing is None

    def moved(self) -> bool:
        """Whether another file, or none, is at the path now."""
        return identity(self._path) != self.identity

    async def close(self) -> None:
        """Let queued writes finish and close both connections."""
        if self.searcher is not None:
            await self.searcher.close()
        if self.writing is not None:
            await self.writing.idle()
        try:
            await self.reader.close()
        finally:
            if self.writer is not None:
                await self.writer.close()
            if self.scratch is not None:
                self.scratch.cleanup()


async def open_store(path: Path, *, synchronous: str, name: str) -> OpenStore:
    """Open, making the file if there is none; the caller has checked what lies there. Raises our store errors."""
    if path.exists() and not is_writable(path):
        return await _open_read_only(path)
    create_private(path)
    writer = await Database.connect(path)
    reader: Database | None = None
    try:
        use_log = not on_network(path)
        mode = await writer.run(lambda db: _set_up(db, synchronous, use_log))
        reader = await Database.connect(path)
        await reader.run(lambda db: db.execute("PRAGMA query_only = ON") and None)
        opened = OpenStore(path, identity(path), reader, mode, writer=writer)
        opened.writing = Writer(writer, name, _guard(opened))
        opened.searcher = Searcher(lambda: Database.connect(path), Indexer(opened.writing))
        opened.seen_version, opened.seen_change = await writer.run(_seen)
        return opened
    except BaseException:
        if reader is not None:
            await reader.close()
        await writer.close()
        raise


def _guard(opened: OpenStore) -> Callable[[], None]:
    def guard() -> None:
        if opened.moved():
            raise StoreDamaged("the store's file was replaced or removed by another program", reason="replaced")

    return guard


async def _open_read_only(path: Path) -> OpenStore:
    scratch: tempfile.TemporaryDirectory[str] | None = None
    source = path
    if has_log(path):  # SQLite can't read a log without writing beside it, so read both from a copy
        scratch = tempfile.TemporaryDirectory(prefix="kore-")
        source = Path(scratch.name) / path.name
        for suffix in ("", "-wal"):
            shutil.copyfile(path.with_name(path.name + suffix), source.with_name(source.name + suffix))
    query = "" if scratch else "mode=ro&immutable=1"
    try:
        reader = await Database.connect(source, query=query)
    except PermissionError as error:
        raise StoreReadOnly from error
    try:
        await reader.run(_check_readable)
    except BaseException:
        await reader.close()
        raise
    searcher = Searcher(lambda: Database.connect(source, query=query), None)
    return OpenStore(path, identity(path), reader, "off", searcher=searcher, scratch=scratch)


def _check_readable(db: sqlite3.Connection) -> None:
    migrate_needed = db.execute("PRAGMA user_version").fetchone()[0] == 0
    if not migrate_needed:
        migrate(db)
    db.execute("PRAGMA query_only = ON")


def _set_up(db: sqlite3.Connection, synchronous: str, use_log: bool) -> str:
    if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        # Before the log is switched on, so that the file itself always says whose it is.
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    mode = _journal_mode(db, "WAL" if use_log else "DELETE")
    db.execute(f"PRAGMA synchronous = {'FULL' if synchronous == 'full' else 'NORMAL'}")
    db.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
    migrate(db)
    return mode


def _journal_mode(db: sqlite3.Connection, wanted: str) -> str:
    """Switching needs the file for itself for a moment, and SQLite does not wait for that by itself."""
    for left in range(_WAL_TRIES, 0, -1):
        try:
            return str(db.execute(f"PRAGMA journal_mode = {wanted}").fetchone()[0]).lower()
        except sqlite3.OperationalError as error:
            if left == 1 or not is_busy(error):
                raise
            time.sleep(0.02)
    raise AssertionError("unreachable")


def _seen(db: sqlite3.Connection) -> tuple[int, int]:
    return data_version(db), newest_change(db)


def data_version(db: sqlite3.Connection) -> int:
    """A number that moves when another connection commits."""
    return int(db.execute("PRAGMA data_version").fetchone()[0])
