"""Write transactions: queued, committed in groups, each answered only after its COMMIT."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar, cast

from attrs import define, field

from kore_ls.errors import KoreError, StoreBusy
from kore_ls.model.event import EventType
from kore_ls.model.ids import SessionId
from kore_ls.storage.changes import append_changes
from kore_ls.storage.database import Database
from kore_ls.storage.faults import is_busy

T = TypeVar("T")
log = logging.getLogger(__name__)

BATCH = 256


@define
class Transaction:
    """What a piece of work sees of the transaction it runs in."""

    db: sqlite3.Connection
    changes: dict[tuple[SessionId | None, str], None] = field(factory=dict)

    def changed(self, session_id: SessionId | None, kind: EventType) -> None:
        """Tell other processes, at COMMIT, what users will see differently."""
        self.changes[session_id, kind.value] = None


Work = Callable[[Transaction], T]


class Writer:
    """Runs pieces of work in the order they came, up to 256 in one transaction.

    A piece of work that fails is undone alone. Cancelling the caller does not withdraw its work.
    """

    def __init__(self, database: Database, name: str, guard: Callable[[], None]) -> None:
        self._database = database
        self._name = name
        self._guard = guard
        self._queue: deque[tuple[Work[Any], asyncio.Future[Any]]] = deque()
        self._drain: asyncio.Task[None] | None = None
        self.commits = 0

    async def write(self, work: Work[T]) -> T:
        """Run `work` in a transaction and return its result after COMMIT. Raises what it raises, or a store error."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        future.add_done_callback(_retrieve)
        self._queue.append((work, future))
        if self._drain is None or self._drain.done():
            self._drain = asyncio.create_task(self._run(), name="kore-writer")
        return await asyncio.shield(future)

    async def idle(self) -> None:
        """Wait until everything queued is committed or failed."""
        while self._drain is not None and not self._drain.done():
            await asyncio.wait([self._drain])

    async def _run(self) -> None:
        while self._queue:
            batch = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
            works = [work for work, _ in batch]
            try:
                outcomes = await self._database.run(lambda db, works=works: self._commit(db, works))  # type: ignore[misc]
                self.commits += 1
            except Exception as error:  # the boundary: every caller must be answered
                outcomes = [error] * len(batch)
            for (_, future), outcome in zip(batch, outcomes, strict=True):
                if future.done():
                    continue
                if isinstance(outcome, Exception):
                    future.set_exception(outcome)
                else:
                    future.set_result(outcome)

    def _commit(self, db: sqlite3.Connection, works: list[Work[Any]]) -> list[Any]:
        """In the connection's thread: one transaction for all, one result or exception for each."""
        self._guard()
        _begin(db)
        try:
            changes: dict[tuple[SessionId | None, str], None] = {}
            if len(works) == 1:
                transaction = Transaction(db)
                outcomes: list[Any] = [works[0](transaction)]
                changes = transaction.changes
            else:
                outcomes = [_run_inside(db, work, changes) for work in works]
            append_changes(db, self._name, changes)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        return outcomes


def _begin(db: sqlite3.Connection) -> None:
    try:
        db.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if not is_busy(error):
            raise
        try:  # once more: the holder may have been in a long import
            db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as again:
            if is_busy(again):
                raise StoreBusy from again
            raise


def _run_inside(db: sqlite3.Connection, work: Work[Any], changes: dict[tuple[SessionId | None, str], None]) -> Any:
    transaction = Transaction(db)
    db.execute("SAVEPOINT work")
    try:
        outcome = work(transaction)
    except (KoreError, ValueError, TypeError, LookupError) as error:
        db.execute("ROLLBACK TO work")
        db.execute("RELEASE work")
        return error
    db.execute("RELEASE work")
    changes.update(transaction.changes)
    return outcome


def _retrieve(future: asyncio.Future[Any]) -> None:
    # A cancelled caller leaves nobody to look at the failure; asyncio would report it as lost.
    if not future.cancelled() and (error := future.exception()) is not None:
        log.debug("a write failed: %s", type(cast(BaseException, error)).__name__)
