"""How a store's file is opened: a writer and a reader connection, or a reader alone where it can't be written."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from attrs import define, field

from kore_ls.errors import StoreDamaged, StoreReadOnly
from kore_ls.storage.changes import newest_change
from kore_ls.storage.codec import Codec
from kore_ls.storage.database import BUSY_TIMEOUT_MS, Database, Stale
from kore_ls.storage.faults import FAULTS, is_busy
from kore_ls.storage.files import (
    FileIdentity,
    Signature,
    copy_unchanged,
    create_private,
    has_journal,
    identity,
    is_writable,
    on_network,
    signature,
)
from kore_ls.storage.gate import Gate
from kore_ls.storage.indexer import FileIndex, Indexer
from kore_ls.storage.keys import StoreKey, generation, read_wrapped
from kore_ls.storage.leftovers import remove_leftovers
from kore_ls.storage.maintenance import sweep
from kore_ls.storage.memory_index import MemoryIndex, attach_index
from kore_ls.storage.migrations import APPLICATION_ID, SCHEMA_VERSION, check_schema, migrate, user_version
from kore_ls.storage.sealing import install
from kore_ls.storage.searcher import Searcher
from kore_ls.storage.unlocking import Access, Budget, holds_sealed, is_key_of_rows, refusal, unlock
from kore_ls.storage.writer import Writer

T = TypeVar("T")

_LOG_BYTES = 16 << 20
_WAL_TRIES = 50


@define
class OpenStore:
    """The open connections of one store and what was found on opening.

    `source` is the file that the connections have open: a private copy where the store is read-only and has a journal.
    `generation`: how often its encryption had been changed. `refused`: why it may not be written as it is plain.
    `swept`: nothing of before its encryption is in the log.
    """

    path: Path
    source: Path
    query: str
    identity: FileIdentity | None
    reader: Database
    journal_mode: str
    key: StoreKey | None = None
    codec: Codec | None = None
    generation: int = 0
    refused: str = ""
    swept: bool = True
    budget: Budget = field(factory=lambda: Budget(None))
    writing: Writer | None = None
    writer: Database | None = None
    searcher: Searcher | None = None
    scratch: tempfile.TemporaryDirectory[str] | None = None
    signature: Signature | None = None
    damaged: bool = False
    seen_version: int = 0
    seen_change: int = 0
    seen_commits: int = 0
    checkpointed: int = 0
    _path: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._path = str(self.path)

    @property
    def read_only(self) -> bool:
        """Whether nothing can be written."""
        return self.writing is None

    def index_later(self) -> None:
        """Something was written that searches will look for."""
        if self.searcher is not None and self.searcher.indexer is not None:
            self.searcher.indexer.wake()

    def moved(self) -> bool:
        """Whether another file, or none, is at the path now."""
        return identity(self._path) != self.identity

    def stale(self) -> bool:
        """Whether to open the path afresh: `moved`, or a read-only file that was written to or can be by now."""
        if self.moved():
            return True
        return self.signature is not None and (signature(self.path) != self.signature or is_writable(self.path))

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on the reader connection. Raises Stale."""

        def checked(db: sqlite3.Connection) -> T:
            if self.stale():
                raise Stale
            try:
                found = work(db)
            except (StoreDamaged, *FAULTS) as error:
                if self.changed_key(db):
                    raise Stale from error
                raise
            if getattr(found, "damaged", ()) and self.changed_key(db):  # then it is not the rows that are damaged
                raise Stale
            return found

        return await self.reader.run(checked)

    def changed_key(self, db: sqlite3.Connection) -> bool:
        """Whether the store was encrypted, decrypted or given another key since it was opened."""
        try:
            return generation(db) != self.generation
        except (StoreDamaged, *FAULTS):
            return False

    async def another(self) -> Database:
        """One more connection for reading, for work so long that it would hold up the others."""
        database = await Database.connect(self.source, query=self.query, codec=self.codec)
        await database.run(_only_query)
        return database

    async def close(self) -> None:
        """Let queued writes finish and close all connections."""
        try:
            if self.searcher is not None:
                await self.searcher.close()
            if self.writing is not None:
                await self.writing.idle()
        finally:
            try:
                await self.reader.close()
            finally:
                if self.writer is not None:
                    await self.writer.close()
                if self.scratch is not None:
                    self.scratch.cleanup()


async def open_store(
    path: Path,
    *,
    synchronous: str,
    name: str,
    busy_timeout_ms: int = BUSY_TIMEOUT_MS,
    query: str = "",
    access: Access | None = None,
    gate: Gate | None = None,
) -> OpenStore:
    """Open, making the file if there is none; the caller has checked what lies there. Raises our store errors.

    `gate` is told before a store of an older version is changed, and of an encrypted one.
    `query` is added to the file's SQLite URI. An encrypted store's key is checked before any row is read.
    """
    access = access or Access()
    if path.exists() and not is_writable(path):
        return await _open_read_only(path, access)
    create_private(path)
    writer = await Database.connect(path, query=query, busy_timeout_ms=busy_timeout_ms)
    reader: Database | None = None
    try:
        use_log = not on_network(path)
        mode = await writer.run(lambda db: _set_up(db, synchronous, use_log, gate))
        swept = await writer.run(lambda db: _swept(db, path, gate))
        key, made = await writer.run(lambda db: _unlocked(db, access, gate))
        codec = None if key is None else key.codec()
        if codec is not None:
            await writer.run(partial(_guard_secrets, codec=codec))
        reader = await Database.connect(path, query=query, busy_timeout_ms=busy_timeout_ms, codec=codec)
        await reader.run(_only_query)
        opened = OpenStore(path, path, query, identity(path), reader, mode, key, codec, made, writer=writer)
        opened.swept = swept
        opened.budget = Budget(codec, rotate_at=access.rotate_at)
        await writer.run(opened.budget.look)
        if key is None:
            opened.refused = refusal(access, gate)
        opened.damaged = await writer.run(lambda db: _has_other_rows(db, codec) and generation(db) == made)
        opened.writing = Writer(writer, name, _guard(opened), _entered(opened), opened.budget.spend)
        opened.searcher = _searcher(opened, access.indexed_messages)
        opened.seen_version, opened.seen_change = await writer.run(lambda db: (data_version(db), newest_change(db)))
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


def _searcher(opened: OpenStore, indexed_messages: int) -> Searcher:
    if opened.codec is None:
        index = None if opened.writing is None else Indexer(FileIndex(opened.writing, opened.another))
        return Searcher(opened.another, index, changed=opened.changed_key)

    async def connect() -> Database:
        database = await Database.connect(opened.source, query=opened.query, codec=opened.codec)
        await database.run(attach_index)
        return database

    searcher = Searcher(connect, None, changed=opened.changed_key, reads=True)
    searcher.indexer = Indexer(MemoryIndex(searcher.run, indexed_messages))
    return searcher


def _entered(opened: OpenStore) -> Callable[[sqlite3.Connection], None]:
    def entered(db: sqlite3.Connection) -> None:
        if generation(db) != opened.generation:
            raise Stale

    return entered


def _guard_secrets(db: sqlite3.Connection, codec: Codec) -> None:
    install(db, codec)
    db.execute("PRAGMA secure_delete = ON")


def _swept(db: sqlite3.Connection, path: Path, gate: Gate | None) -> bool:
    """Whether nothing of before its encryption is left, by a conversion or repair that was cut short; needs no key."""
    if read_wrapped(db) is None:
        return True
    remove_leftovers(path)
    if gate is not None:
        gate.encrypted(db)
    return sweep(db)


def _unlocked(db: sqlite3.Connection, access: Access, gate: Gate | None) -> tuple[StoreKey | None, int]:
    key, at = unlock(db, access)
    if key is not None and gate is not None:
        gate.unlocked(db, access.ciphers)
    return key, at


def _has_other_rows(db: sqlite3.Connection, codec: Codec | None) -> bool:
    """Whether the rows are not in the form that the store says; what is written now could be lost with its key."""
    return holds_sealed(db) if codec is None else not is_key_of_rows(db, codec)


async def _open_read_only(path: Path, access: Access) -> OpenStore:
    seen = signature(path)
    scratch: tempfile.TemporaryDirectory[str] | None = None
    source, query = path, "mode=ro&immutable=1"
    if has_journal(path):  # SQLite can't use a journal without writing beside it, so read both from a copy
        scratch = tempfile.TemporaryDirectory(prefix="kore-")
        source, query = Path(scratch.name) / path.name, ""
    try:
        if scratch is not None:
            seen = await asyncio.to_thread(copy_unchanged, path, source)
        reader = await Database.connect(source, query=query)
        try:
            await reader.run(_check_readable)
            key, made = await reader.run(lambda db: unlock(db, access, read_only=True))
            codec = None if key is None else key.codec()
            if codec is not None:
                await reader.run(partial(install, codec=codec))
        except BaseException:
            await reader.close()
            raise
    except BaseException as error:
        if scratch is not None:
            scratch.cleanup()
        if isinstance(error, OSError):
            raise StoreReadOnly("the store can't be read", reason="permission") from error
        raise
    opened = OpenStore(
        path, source, query, identity(path), reader, "off", key, codec, made, scratch=scratch, signature=seen
    )
    opened.searcher = _searcher(opened, access.indexed_messages)
    return opened


def _check_readable(db: sqlite3.Connection) -> None:
    check_schema(db)
    if user_version(db) != SCHEMA_VERSION:
        raise StoreReadOnly("the store is of an older version and can't be brought up to date here", reason="version")
    _only_query(db)


def _only_query(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA query_only = ON")


def _set_up(
    db: sqlite3.Connection,
    synchronous: str,
    use_log: bool,
    gate: Gate | None,
) -> str:
    check_schema(db)  # before anything is written
    if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        # Before the log is switched on, so that the file itself always says whose it is.
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    mode = _journal_mode(db, "WAL" if use_log else "DELETE")
    db.execute(f"PRAGMA synchronous = {'FULL' if synchronous == 'full' else 'NORMAL'}")
    db.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
    if gate is not None and 0 < user_version(db) < SCHEMA_VERSION:
        gate.migrating(db)
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


def data_version(db: sqlite3.Connection) -> int:
    """A number that moves when another connection commits."""
    return int(db.execute("PRAGMA data_version").fetchone()[0])
