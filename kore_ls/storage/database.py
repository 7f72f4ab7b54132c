"""One SQLite connection on its own thread, where a whole piece of work is one hop into that thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import aiosqlite

from kore_ls.storage.faults import own_errors

T = TypeVar("T")

BUSY_TIMEOUT_MS = 5_000


class _Outcome:
    """What a piece of work returned, in the shape of a cursor."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def fetchall(self) -> Any:
        return self._value


class _WorkConnection(sqlite3.Connection):
    """Lets aiosqlite's public `execute_fetchall` run a function in the worker thread.

    A hop costs as much as a small transaction; statement by statement a transaction would pay it five times.
    """

    def execute(self, sql: Any, parameters: Any = (), /) -> Any:
        if callable(sql):
            return _Outcome(sql(self))
        return super().execute(sql, parameters)


class Database:
    """An open connection. Must be closed: its thread keeps the process alive."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    @classmethod
    async def connect(cls, path: Path, *, query: str = "") -> Database:
        """Open `path`, with the parameters of an SQLite URI in `query`, and apply what every connection needs."""
        uri = f"{path.absolute().as_uri()}?{query}"
        with own_errors():
            connection = await aiosqlite.connect(
                uri, uri=True, factory=_WorkConnection, isolation_level=None, timeout=BUSY_TIMEOUT_MS / 1000
            )
        database = cls(connection)
        try:
            await database.run(_prepare)
        except BaseException:
            await database.close()
            raise
        return database

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in the connection's thread; SQLite's errors come out as ours."""
        with own_errors():
            return cast(T, await self._connection.execute_fetchall(cast(str, work)))

    async def interrupt(self) -> None:
        """Make the statement that runs now fail."""
        await self._connection.interrupt()

    async def close(self) -> None:
        """Close the file and end the thread."""
        await self._connection.close()


def _prepare(db: sqlite3.Connection) -> None:
    for pragma in ("foreign_keys = ON", "trusted_schema = OFF", "cell_size_check = ON", "temp_store = MEMORY"):
        db.execute(f"PRAGMA {pragma}")
