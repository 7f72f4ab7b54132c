"""Searches on a connection of their own, so that they delay nothing and can be interrupted; one at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from attrs import evolve

from kore_ls.errors import KoreError, StoreDamaged, StoreReadOnly
from kore_ls.model.search import SearchPage, SearchQuery
from kore_ls.storage.database import Database
from kore_ls.storage.indexer import CATCH_UP_ROWS, Indexer, Report
from kore_ls.storage.search_index import watermarks
from kore_ls.storage.search_rows import search

_INDEX_FAULTS = frozenset({"SQLITE_CORRUPT_VTAB", "SQLITE_ERROR"})


class Searcher:
    """The search of one open store. Without an indexer (a read-only store) it uses the index as it is."""

    def __init__(self, connect: Callable[[], Awaitable[Database]], indexer: Indexer | None) -> None:
        self._connect = connect
        self._database: Database | None = None
        self._one_at_a_time = asyncio.Lock()
        self.indexer = indexer

    async def search(self, query: SearchQuery, report: Report | None = None) -> SearchPage:
        """One page. The index is brought in step first: up to 2,000 rows, or all if there is no time budget.

        Cancelling interrupts the query. Raises StoreReadOnly where there is no index and none can be made.
        """
        complete = await self._catch_up(query, report)
        try:
            page = await self._interruptible(query)
        except StoreDamaged as error:
            if self.indexer is None or error.params.get("sqlite") not in _INDEX_FAULTS:
                raise
            await self.indexer.rebuild()
            complete = await self._catch_up(query, report)
            page = await self._interruptible(query)
        return page if complete else evolve(page, truncated=True)

    async def _catch_up(self, query: SearchQuery, report: Report | None) -> bool:
        if self.indexer is None:
            return True
        waits = query.budget is None or report is not None
        return await self.indexer.catch_up(None if waits else CATCH_UP_ROWS, report)

    async def _interruptible(self, query: SearchQuery) -> SearchPage:
        async with self._one_at_a_time:
            if self._database is None:
                self._database = await self._connect()
                if self.indexer is None and await self._database.run(watermarks) is None:
                    raise StoreReadOnly("the store is read-only and has no search index", reason="index")
            database = self._database
            running = asyncio.create_task(database.run(lambda db: search(db, query)))
            try:
                return await asyncio.shield(running)
            except asyncio.CancelledError:
                await database.interrupt()
                with contextlib.suppress(KoreError):
                    await running
                raise

    async def close(self) -> None:
        """End the indexing and close the connection."""
        if self.indexer is not None:
            await self.indexer.stop()
        if self._database is not None:
            await self._database.interrupt()
            await self._database.close()
