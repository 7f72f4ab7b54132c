"""One SQLite connection on its own thread, where a whole piece of work is one hop into that thread."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar, cast

import aiosqlite

from kore_ls.storage.codec import Codec, StoreConnection
from kore_ls.storage.faults import FAULTS, translated
from kore_ls.storage.sealing import install

T = TypeVar("T")

BUSY_TIMEOUT_MS = 5_000


class _Connection(aiosqlite.Connection):
    """Hands whole functions to aiosqlite's thread.

    A hop costs as much as a small transaction; statement by statement a transaction would pay it five times.
    """

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return cast(T, await self._execute(work, self._conn))  # type: ignore[no-untyped-call]

    def start(self, work: Callable[[sqlite3.Connection], None]) -> None:
        self._tx.put_nowait((None, partial(work, self._conn)))


class ConnectionClosed(ValueError):
    """The connection was closed before the work was begun; nothing of it was done."""


class Stale(ConnectionClosed):
    """The file at the path is not, or not any more in this form, the one that is open."""


class Database:
    """An open connection. Must be closed: its thread lives until then, or until the interpreter ends."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self._closed = False
        _stop_at_exit(connection)

    @classmethod
    async def connect(
        cls, path: Path, *, query: str = "", busy_timeout_ms: int = BUSY_TIMEOUT_MS, codec: Codec | None = None
    ) -> Database:
        """Open `path`, with the parameters of an SQLite URI in `query`, and apply what every connection needs.

        `codec`: how its values are encrypted.
        """
        uri = f"{path.absolute().as_uri()}?{query}"
        timeout = busy_timeout_ms / 1000
        opener = partial(sqlite3.connect, uri, uri=True, isolation_level=None, timeout=timeout, factory=StoreConnection)
        connection = _Connection(opener, iter_chunk_size=64)
        try:
            await connection
        except FAULTS as error:
            raise translated(error) from error
        except asyncio.CancelledError:
            connection.stop()
            raise
        database = cls(connection)
        try:
            await database.run(partial(prepare, codec=codec))
        except BaseException:
            await database.close()
            raise
        return database

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in the connection's thread; SQLite's errors come out as ours.

        Cancelling the caller does not stop the work. Raises ConnectionClosed.
        """
        if self._closed:
            raise ConnectionClosed
        try:
            return await self._connection.run(work)
        except FAULTS as error:
            raise translated(error) from error

    def start(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """Run `work`, which must not raise, in the connection's thread without waiting for it.

        Raises ConnectionClosed.
        """
        if self._closed:
            raise ConnectionClosed
        self._connection.start(work)

    async def interrupt(self) -> None:
        """Make the statement that runs now fail."""
        await self._connection.interrupt()

    async def close(self) -> None:
        """Finish the work begun, close the file and end the thread."""
        self._closed = True
        await self._connection.close()


def prepare(db: sqlite3.Connection, codec: Codec | None = None) -> None:
    """Apply what every connection to a store needs."""
    if codec is not None:
        install(db, codec)
    for pragma in ("foreign_keys = ON", "trusted_schema = OFF", "cell_size_check = ON", "temp_store = MEMORY"):
        db.execute(f"PRAGMA {pragma}")


_open: weakref.WeakSet[_Connection] = weakref.WeakSet()
_exit_watch: threading.Thread | None = None


def _stop_at_exit(connection: _Connection) -> None:
    """See to it that a store nobody closed does not keep the process alive for ever."""
    global _exit_watch
    _open.add(connection)
    if _exit_watch is None or not _exit_watch.is_alive():
        _exit_watch = threading.Thread(target=_stop_forgotten, name="kore-exit", daemon=True)
        _exit_watch.start()


def _stop_forgotten() -> None:
    threading.main_thread().join()
    for connection in list(_open):
        connection.stop()
