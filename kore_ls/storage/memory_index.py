"""The search index of an encrypted store: in memory only, made anew after each unlocking, newest messages first.

Messages that are not in it are read one by one, see `candidates`; names always are.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from kore_ls.errors import UnsupportedStore
from kore_ls.storage.migrations import SEARCH_TABLES
from kore_ls.storage.search_index import MEMORY, Reach, index_step, newest, note_reach, reach

T = TypeVar("T")

INDEXED_MESSAGES = 200_000
"""No more are held in memory, about 100 MB; older ones are read."""
STEP_ROWS = 64
"""Rows per step: a search waits for no more than these."""
_ROOM = 8
"""This part of what may be held is left to messages that are added later; when it is full, all begins anew."""
_TABLES = ("meta", *SEARCH_TABLES)


class Run(Protocol):
    """Runs work on the one connection that has the index."""

    def __call__(self, work: Callable[[sqlite3.Connection], T]) -> Awaitable[T]:
        """What `work` returns."""


class MemoryIndex:
    """The index of one open store, on its search connection; see `indexer.Index`."""

    def __init__(self, run: Run, most: int = INDEXED_MESSAGES) -> None:
        self._run = run
        self._most = most
        self._held = 0

    async def step(self) -> int:
        """Index some more messages; how many, 0: there are no more, or they would be too many."""
        return await self._run(self._step)

    def _step(self, db: sqlite3.Connection) -> int:
        if self._most <= 0:
            return 0
        db.execute("BEGIN")
        try:
            held, done = self._held, 0
            top, marks = newest(db).message, reach(db) or Reach()
            if top > marks.message and (held >= self._most or not marks.message):
                empty_index(db)
                marks = Reach(message=top, gaps=((0, top),))  # so that it begins with the newest
                note_reach(db, marks)
                held = 0
            # Rows can't be taken out one by one: their texts may be gone. So the old ones leave room for new ones.
            bound = self._most if top > marks.message else self._most - max(1, self._most // _ROOM)
            if held < bound:
                done = index_step(db, min(STEP_ROWS, bound - held))
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        self._held = held + done
        return done

    async def rebuild(self) -> None:
        """Begin again with nothing."""
        self._held = 0
        await self._run(empty_index)


def attach_index(db: sqlite3.Connection) -> None:
    """Give a connection a database in memory with an empty index. Raises UnsupportedStore."""
    db.execute(f"ATTACH ':memory:' AS {MEMORY}")
    empty_index(db)


def empty_index(db: sqlite3.Connection) -> None:
    """Throw what is indexed away. Raises UnsupportedStore."""
    try:
        for name in _TABLES:
            db.execute(f"DROP TABLE IF EXISTS {MEMORY}.{name}")
        db.execute(f"CREATE TABLE {MEMORY}.meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID")
        for name, definition in SEARCH_TABLES.items():
            db.execute(definition.replace(name, f"{MEMORY}.{name}", 1))
    except sqlite3.OperationalError as error:
        if "no such module" not in str(error):
            raise
        raise UnsupportedStore("this SQLite is built without FTS5, so there is no search", reason="fts5") from error
    note_reach(db, Reach())
