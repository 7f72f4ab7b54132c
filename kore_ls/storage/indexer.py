"""Keeps the search index in step: in small transactions when nobody else writes, and at once when a search wants it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from kore_ls.errors import KoreError, StoreDamaged
from kore_ls.storage.database import ConnectionClosed, Database
from kore_ls.storage.search_index import broken_tables, create_index, index_step
from kore_ls.storage.writer import Writer

log = logging.getLogger(__name__)

IDLE_S = 0.3
"""How long nothing must have been written before the index is worked on."""
STEP_ROWS = 16
"""Rows per transaction: a write that comes meanwhile waits for no more than these."""
CATCH_UP_ROWS = 2_000
"""What a search waits for; beyond that it answers from what there is."""
LONG_ROWS = 2_000
"""Work in the background of which so many rows are done is told of, and again after as many more."""
_TRIES = 3

Report = Callable[[int], None]
"""Told how many rows are indexed so far."""
Told = Callable[[int | None], None]
"""The same of long work in the background; None: it is over."""


class Index(Protocol):
    """What an indexer fills."""

    async def step(self) -> int:
        """Index some rows more; how many. Raises StoreDamaged (reason "index") where it has to be made anew."""

    async def rebuild(self) -> None:
        """Throw the index away; it is filled again from here on."""


class FileIndex:
    """The index in a store's file. Several processes may fill it at once: each step is its own."""

    def __init__(self, writer: Writer, connect: Callable[[], Awaitable[Database]]) -> None:
        self._writer = writer
        self._connect = connect

    async def step(self) -> int:
        """See `Index`."""
        return await self._writer.write(lambda transaction: index_step(transaction.db, STEP_ROWS))

    async def rebuild(self) -> None:
        """See `Index`."""
        looking = await self._connect()  # what it may see would spoil a transaction in which something is written
        try:
            broken = await looking.run(broken_tables)
        finally:
            await looking.close()
        await self._writer.write(lambda transaction: create_index(transaction.db, broken))


class Indexer:
    """Works through what is not indexed yet."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._written = asyncio.Event()
        self._written.set()
        self._task: asyncio.Task[None] | None = None
        self._stopped = False
        self._given_up = False
        self._mended = 0
        self._logged = ""
        self._told: Told | None = None
        self._done = 0
        self._reporting = 0

    def start(self, told: Told | None = None) -> None:
        """Begin to follow the writes in the background; `told` hears of long work."""
        if self._task is None and not self._stopped:
            self._told = told
            self._task = asyncio.create_task(self._follow(), name="kore-index")

    def wake(self) -> None:
        """Something was written."""
        self._written.set()

    async def catch_up(self, most: int, report: Report | None = None) -> None:
        """Index what is missing, at most about so many rows."""
        done = 0
        self._reporting += report is not None
        try:
            while not self._stopped and done < most and (step := await self._step()):
                done += step
                if report is not None:
                    report(done)
        finally:
            self._reporting -= report is not None

    async def _step(self) -> int:
        try:
            return await self._index.step()
        except StoreDamaged as error:
            await self.mend(error)
            return 1

    async def mend(self, error: StoreDamaged) -> None:
        """Make the index anew if it is what is damaged; raises `error` if not, or if that never helps."""
        if not is_index_damage(error) or self._mended == _TRIES:
            raise error
        self._mended += 1
        await self.rebuild()

    async def rebuild(self) -> None:
        """Throw the index away; it is filled again from here on."""
        log.warning("the search index is made anew")
        await self._index.rebuild()
        self.wake()

    def give_up(self) -> None:
        """Do no more in the background, until the store is opened again."""
        self._given_up = True
        self._tell(0)

    async def _follow(self) -> None:
        while not self._given_up:
            await self._written.wait()
            while self._written.is_set():  # until nobody writes
                self._written.clear()
                await asyncio.sleep(IDLE_S)
            try:
                await self._work_while_alone()
            except ConnectionClosed:
                return
            except KoreError as error:
                self._tell(0)
                if error.kind != self._logged:
                    log.warning("the search index can't be kept in step: %s", error.kind)
                self._logged = error.kind

    async def _work_while_alone(self) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        while not self._written.is_set() and not self._given_up:
            rows = await self._step()
            self._tell(rows)
            if not rows:
                return
            await asyncio.sleep(loop.time() - start)  # half of the time is left to others
            start = loop.time()

    def _tell(self, rows: int) -> None:
        """So many rows more were indexed; 0: there are no more to do."""
        before, self._done = self._done, self._done + rows if rows else 0
        if self._told is None:
            return
        if not rows and before >= LONG_ROWS:
            self._told(None)
        elif self._done // LONG_ROWS > before // LONG_ROWS and not self._reporting:
            self._told(self._done)

    async def stop(self) -> None:
        """End the work; what is not indexed stays for the next time."""
        self._stopped = True
        self._tell(0)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None


def is_index_damage(error: KoreError) -> bool:
    """Whether it is the index alone that is damaged, or not there; then it can be made anew."""
    return error.params.get("reason") == "index"
