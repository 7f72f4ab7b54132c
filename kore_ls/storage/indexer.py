"""Keeps the search index in step: in small transactions when the store is idle, and at once when a search wants it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from kore_ls.errors import KoreError
from kore_ls.storage.search_index import create_index, index_step
from kore_ls.storage.writer import Writer

log = logging.getLogger(__name__)

IDLE_S = 0.3
"""How long the store must have been quiet before the index is worked on."""
STEP_ROWS = 16
"""Rows per transaction: a write that comes meanwhile waits for no more than these."""
CATCH_UP_ROWS = 2_000
"""What a search waits for; beyond that it answers from what there is."""

Report = Callable[[int], None]
"""Told how many rows are indexed so far."""


class Indexer:
    """Works through what is not indexed yet; one at a time, whoever asks."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._behind = asyncio.Event()
        self._behind.set()
        self._working = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to follow the writes in the background."""
        if self._task is None:
            self._task = asyncio.create_task(self._follow(), name="kore-index")

    def wake(self) -> None:
        """Something was written."""
        self._behind.set()

    async def catch_up(self, most: int | None, report: Report | None = None) -> bool:
        """Index what is missing, at most about `most` rows (None: all); whether the index is complete now."""
        done = 0
        async with self._working:
            while most is None or done < most:
                step = await self._writer.write(lambda transaction: index_step(transaction.db, STEP_ROWS))
                if not step:
                    return True
                done += step
                if report is not None:
                    report(done)
        return False

    async def rebuild(self) -> None:
        """Throw the index away; it is filled again from here on."""
        async with self._working:
            await self._writer.write(lambda transaction: create_index(transaction.db))
        self.wake()

    async def _follow(self) -> None:
        while True:
            await self._behind.wait()
            self._behind.clear()
            commits = -1
            while commits != self._writer.commits:  # wait until nobody writes
                commits = self._writer.commits
                await asyncio.sleep(IDLE_S)
            try:
                if not await self.catch_up(STEP_ROWS * 8):
                    self._behind.set()
            except KoreError as error:
                log.warning("the search index can't be kept in step: %s", error.kind)

    async def stop(self) -> None:
        """End the background work; what is not indexed stays for the next time."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
