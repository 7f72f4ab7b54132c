"""Write transactions: queued, committed in groups, each answered only after its COMMIT."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from attrs import define, field

from kore_ls.errors import StoreBusy, StoreDamaged
from kore_ls.model.event import EventType
from kore_ls.model.ids import SessionId, now_ms
from kore_ls.storage.changes import append_changes
from kore_ls.storage.database import ConnectionClosed, Database
from kore_ls.storage.faults import FAULTS, is_busy, translated
from kore_ls.storage.keys import is_converting

T = TypeVar("T")

BATCH = 256

Changes = dict[tuple[SessionId | None, str], None]
"""What users will see differently; an ordered set."""


@define
class Transaction:
    """What a piece of work sees of the transaction it runs in."""

    db: sqlite3.Connection
    changes: Changes = field(factory=dict)

    def changed(self, session_id: SessionId | None, kind: EventType) -> None:
        """Tell other processes, at COMMIT, what users will see differently."""
        self.changes[session_id, kind.value] = None


Work = Callable[[Transaction], T]
Then = Callable[[T], None]
"""Told the result of a piece of work once it is committed, also where the caller is gone by then; must not raise."""
_Batch = list[tuple[Work[Any], Then[Any] | None, asyncio.Future[Any]]]
_Outcomes = list[tuple[Any, Exception | None]]


class Writer:
    """Runs pieces of work in the order they came, up to 256 in one transaction.

    A piece of work that fails is undone alone. Cancelling the caller does not withdraw its work. A piece of work may
    run twice (when a neighbour failed, what both did is undone and done again), so it must change nothing but the
    database. `guard` runs in the connection's thread before and after each transaction and raises where the file is
    not the one that was opened. `entered` runs within each transaction before anything else, `leaving` after all else;
    both may refuse it.
    """

    def __init__(
        self,
        database: Database,
        name: str,
        guard: Callable[[], None],
        entered: Callable[[sqlite3.Connection], None] = lambda db: None,
        leaving: Callable[[sqlite3.Connection], None] = lambda db: None,
    ) -> None:
        self._database = database
        self._name = name
        self._guard = guard
        self._entered = entered
        self._leaving = leaving
        self._loop = asyncio.get_running_loop()
        self._queue: deque[tuple[Work[Any], Then[Any] | None, asyncio.Future[Any]]] = deque()
        self._busy = False
        self._waiting: list[asyncio.Future[None]] = []
        self.commits = 0

    async def write(self, work: Work[T], then: Then[T] | None = None) -> T:
        """Run `work` in a transaction and return its result after COMMIT. Raises what it raises, or a store error."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.append((work, then, future))
        if not self._busy:
            self._next()
        return await future

    async def idle(self) -> None:
        """Wait until everything queued is committed or failed."""
        if self._busy:
            self._waiting.append(self._loop.create_future())
            await self._waiting[-1]

    # All book-keeping happens in the event loop's thread; the connection's thread sees one batch at a time.

    def _next(self) -> None:
        if not self._queue:
            self._busy = False
            waiting, self._waiting = self._waiting, []
            for future in waiting:
                if not future.done():
                    future.set_result(None)
            return
        self._busy = True
        batch = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
        try:
            self._database.start(lambda db: self._work_off(db, batch))
        except ConnectionClosed as error:
            outcomes: _Outcomes = [(None, error)] * len(batch)
            self._loop.call_soon(self._answer, batch, outcomes)

    def _work_off(self, db: sqlite3.Connection, batch: _Batch) -> None:
        works = [work for work, _, _ in batch]
        outcomes: _Outcomes = []
        try:
            outcomes = self._commit(db, works)
        except Exception as error:  # the boundary: every caller must be answered
            if len(works) > 1 and _is_damage(error):
                outcomes = [self._commit_alone(db, work) for work in works]
            else:
                outcomes = [(None, _told(error))] * len(batch)
        self._loop.call_soon_threadsafe(self._answer, batch, outcomes)

    def _answer(self, batch: _Batch, outcomes: _Outcomes) -> None:
        self.commits += 1
        self._next()
        for (_, then, future), (value, error) in zip(batch, outcomes, strict=True):
            if then is not None and error is None:
                then(value)
            if future.done():  # its caller was cancelled
                continue
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(value)

    def _commit_alone(self, db: sqlite3.Connection, work: Work[Any]) -> tuple[Any, Exception | None]:
        """In a transaction that has not seen damage, after which SQLite writes nothing; it may not concern `work`."""
        try:
            return self._commit(db, [work])[0]
        except Exception as error:  # the boundary: every caller must be answered
            return None, _told(error)

    def _commit(self, db: sqlite3.Connection, works: list[Work[Any]]) -> _Outcomes:
        """In the connection's thread: one transaction for all, one result or error for each."""
        self._guard()
        _begin(db)
        try:
            self._entered(db)
            transaction = Transaction(db)
            outcomes: _Outcomes
            try:
                outcomes = [(work(transaction), None) for work in works]
            except Exception as error:
                if len(works) == 1 or not db.in_transaction or _is_damage(error):
                    raise
                db.execute("ROLLBACK")
                _begin(db)
                transaction = Transaction(db)
                outcomes = [_run_alone(transaction, work) for work in works]
            append_changes(db, self._name, transaction.changes)
            self._leaving(db)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        self._guard()
        return outcomes


def _begin(db: sqlite3.Connection) -> None:
    again = False
    while True:
        try:
            db.execute("BEGIN IMMEDIATE")
            return
        except sqlite3.OperationalError as error:
            if not is_busy(error):
                raise
            if again and not is_converting(db, now_ms()):
                raise StoreBusy from error
            again = True  # once more: the holder may have been in a long import


def _run_alone(transaction: Transaction, work: Work[Any]) -> tuple[Any, Exception | None]:
    db = transaction.db
    inner = Transaction(db)
    db.execute("SAVEPOINT work")
    try:
        value = work(inner)
    except Exception as error:
        if not db.in_transaction or _is_damage(error):  # SQLite gave up the whole transaction: the disk is full, say
            raise
        db.execute("ROLLBACK TO work")
        db.execute("RELEASE work")
        return None, _told(error)
    db.execute("RELEASE work")
    transaction.changes.update(inner.changes)
    return value, None


def _is_damage(error: Exception) -> bool:
    return isinstance(_told(error), StoreDamaged)


def _told(error: Exception) -> Exception:
    """The error as callers may see it."""
    if not isinstance(error, FAULTS):
        return error
    ours = translated(error)
    ours.__cause__ = error
    return ours
