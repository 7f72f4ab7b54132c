"""Searches on a connection of their own, so that they delay nothing and can be interrupted; one at a time."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

from attrs import evolve

from kore_ls.errors import KoreError, StoreBusy, StoreDamaged, StoreFull, StoreReadOnly
from kore_ls.model.ids import Clock, now_ms
from kore_ls.model.search import SearchPage, SearchQuery
from kore_ls.storage.candidates import Stopped
from kore_ls.storage.database import ConnectionClosed, Database, Stale
from kore_ls.storage.indexer import CATCH_UP_ROWS, Indexer, Report, is_index_damage
from kore_ls.storage.search_index import Reach, missing, newest
from kore_ls.storage.search_rows import search

T = TypeVar("T")

READ_ROWS = 64
"""What a search waits for where what is not indexed is read."""
_AGAIN_S = 0.01
"""An interrupt that comes between two statements is lost, so it is repeated."""


class Searcher:
    """The search of one open store. Without an indexer (a read-only store) it uses the index as it is.

    `changed` tells whether the store's encryption is another one by now. `reads`: what is not indexed is read, so that
    nothing need be waited for.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Database]],
        indexer: Indexer | None,
        clock: Clock = now_ms,
        *,
        changed: Callable[[sqlite3.Connection], bool] = lambda db: False,
        reads: bool = False,
    ) -> None:
        self._connect = connect
        self._connecting: asyncio.Task[Database] | None = None
        self._one_at_a_time = asyncio.Lock()
        self._clock = clock
        self._running: asyncio.Future[Any] | None = None
        self._closed = False
        self._stop = threading.Event()
        self._changed = changed
        self._reads = reads
        self.indexer = indexer

    async def search(self, query: SearchQuery, report: Report | None = None) -> SearchPage:
        """One page. The index is brought in step first: up to 2,000 rows, or all if there is no time budget.

        With `report`, too, all is indexed first. Cancelling interrupts the query. Raises UnsupportedStore where SQLite
        has no FTS5, StoreReadOnly where there is no index and none can be made, ConnectionClosed.
        """
        complete = await self._catch_up(query, report)
        try:
            page = await self._page(query)
        except StoreDamaged as error:
            if not is_index_damage(error):
                raise
            if self.indexer is None:
                raise StoreReadOnly("the store is read-only and has no search index", reason="index") from error
            await self.indexer.mend(error)
            complete = await self._catch_up(query, report)
            page = await self._page(query)
        return page if complete else evolve(page, truncated=True)

    async def _catch_up(self, query: SearchQuery, report: Report | None) -> bool:
        """Whether all that there was is indexed now. Where the index can't be kept in step, what there is must do."""

        def look(db: sqlite3.Connection) -> tuple[Reach, int]:
            wanted = newest(db)
            return wanted, missing(db, wanted)

        wanted, rows = await self.run(look)
        if rows and self.indexer is not None:
            waits = query.budget is None or report is not None
            most = READ_ROWS if self._reads else CATCH_UP_ROWS
            try:
                await self.indexer.catch_up(rows if waits else min(rows, most), report)
            except (StoreBusy, StoreFull):
                return False
            except StoreDamaged as error:
                if is_index_damage(error):
                    raise
                return False
            rows = await self.run(lambda db: missing(db, wanted))
        return not rows or self._reads

    async def _page(self, query: SearchQuery) -> SearchPage:
        now = self._clock()
        try:
            return await self.run(lambda db: self._search(db, query, now))
        except Stopped:  # the caller is still there, so it is the store that was closed
            raise ConnectionClosed from None

    def _search(self, db: sqlite3.Connection, query: SearchQuery, now: int) -> SearchPage:
        page = search(db, query, now=now, stopped=self._stop.is_set)
        if page.damaged and self._changed(db):  # it is not the sessions that are damaged
            raise Stale
        return page

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on the search connection. Cancelling interrupts it. Raises Stale, ConnectionClosed."""

        def checked(db: sqlite3.Connection) -> T:
            if self._changed(db):
                raise Stale
            return work(db)

        async with self._one_at_a_time:
            database = await self._connected()
            running = self._running = asyncio.ensure_future(database.run(checked))
            try:
                return await asyncio.shield(running)
            except asyncio.CancelledError:
                await self._interrupt(database, running)
                raise

    async def _connected(self) -> Database:
        if self._closed:
            raise ConnectionClosed
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect_once())
        return await asyncio.shield(self._connecting)

    async def _connect_once(self) -> Database:
        try:
            return await self._connect()
        except BaseException:
            self._connecting = None
            raise

    async def _interrupt(self, database: Database, running: asyncio.Future[Any]) -> None:
        running.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._stop.set()
        try:
            while not running.done():
                await database.interrupt()
                await asyncio.wait([running], timeout=_AGAIN_S)
        finally:
            if not self._closed:
                self._stop.clear()

    async def close(self) -> None:
        """End the indexing, let a search that runs fail, and close the connection."""
        self._closed = True
        self._stop.set()
        if self.indexer is not None:
            await self.indexer.stop()
        if self._connecting is not None:
            with suppress(KoreError):
                database = await self._connecting
                if self._running is not None:
                    await self._interrupt(database, self._running)
                await database.close()
