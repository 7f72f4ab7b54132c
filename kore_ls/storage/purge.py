"""Takes away what nobody will see again: in small steps, overwritten, its room given back where that is quick."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial

from kore_ls.errors import KoreError
from kore_ls.model.ids import Clock
from kore_ls.storage.contents import PURGED, purge_contents
from kore_ls.storage.import_rows import ABANDONED_MS
from kore_ls.storage.index_merge import merge_step
from kore_ls.storage.maintenance import sweep
from kore_ls.storage.search_index import MESSAGES, SESSIONS
from kore_ls.storage.session_rows import has_long_deleted, hide_long_deleted, purge_step, read_meta, write_meta
from kore_ls.storage.store_file import StoreFile
from kore_ls.storage.writer import Transaction

_DAY_MS = 24 * 3600 * 1000
KEPT_MS = 30 * _DAY_MS
"""How long a deleted session can be restored."""

_ROWS = 500
_PAGES = 256
_SIZES = ("page_count", "freelist_count", "page_size")
_SMALL_BYTES = 128 << 20
_FREE_SHARE = 4
"""A file of up to so many bytes of which a fourth or more is free is written anew by itself."""

log = logging.getLogger(__name__)


class Purge:
    """The purge of one store: sessions removed for good, deleted ones after 30 days, abandoned imports."""

    def __init__(self, file: StoreFile, clock: Clock) -> None:
        self._file = file
        self._clock = clock
        self.before_long_deleted: Callable[[], Awaitable[object]] | None = None
        """Called before sessions go by themselves that were deleted long ago; it sees to its own failures."""
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin in the background, unless it is at it."""
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run(), name="kore-purge")

    async def settle(self) -> None:
        """Purge what there is, and wait for it. Cancelling the caller does not stop the purge."""
        self.start()
        assert self._running is not None
        await asyncio.wait([self._running])

    async def stop(self) -> None:
        """End it; a later start goes on."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    async def _run(self) -> None:
        removed = False
        try:
            if self.before_long_deleted is not None and await self._file.read(self._long_deleted, False):
                await self.before_long_deleted()
            while await self._file.write(self._step):
                removed = True
            for table in PURGED:
                removed = await self._contents(table) or removed
            if removed:
                await self._tidy(unasked=True)
        except (KoreError, ValueError) as error:  # what is left is out of sight, and has time
            log.info("the purge of removed sessions waits: %s", getattr(error, "kind", "closed"))

    def _long_deleted(self, db: sqlite3.Connection) -> bool:
        return has_long_deleted(db, self._clock() - KEPT_MS)

    def _step(self, transaction: Transaction) -> bool:
        db, now = transaction.db, self._clock()
        with _overwriting(db):
            hide_long_deleted(db, now - KEPT_MS, now)
            return purge_step(db, now - ABANDONED_MS, _ROWS)

    async def _contents(self, table: str) -> bool:
        """Remove what only rows had that are gone; whether there was any."""

        def step(transaction: Transaction) -> tuple[str | None, bool]:
            with _overwriting(transaction.db):
                return purge_contents(transaction.db, table, at or "")

        at: str | None = ""
        removed = False
        while at is not None:
            at, some = await self._file.write(step)
            removed = removed or some
        return removed

    async def claim_day(self) -> bool:
        """Whether what is done once a day falls to the caller: it does for the first who asks, for 24 hours."""
        now = self._clock()

        def work(transaction: Transaction) -> bool:
            last = read_meta(transaction.db, "retained_at")
            if isinstance(last, int) and 0 <= now - last < _DAY_MS:
                return False
            write_meta(transaction.db, "retained_at", now)
            return True

        return await self._file.write(work)

    async def compact(self) -> None:
        """Take removed words out of the search index, too, and give back all room that is free, however long it takes.

        Raises StoreFull, StoreBusy and other store errors; nothing is lost then.
        """
        if await self._file.open() is None:
            return
        for table in (MESSAGES, SESSIONS):
            begin = True
            while await self._file.write(lambda t, name=table, new=begin: merge_step(t.db, name, _PAGES, begin=new)):  # type: ignore[misc]
                begin = False
        await self._tidy(unasked=False)

    async def _tidy(self, *, unasked: bool) -> None:
        opened = self._file.current
        if opened is None or opened.writing is None or opened.writer is None:
            return
        await opened.writing.idle()
        await opened.writer.run(partial(_give_back, unasked=unasked))
        await opened.writer.run(sweep)


@contextmanager
def _overwriting(db: sqlite3.Connection) -> Iterator[None]:
    secure = db.execute("PRAGMA secure_delete").fetchone()[0]
    db.execute("PRAGMA secure_delete = ON").fetchall()
    try:
        yield
    finally:
        db.execute(f"PRAGMA secure_delete = {secure}").fetchall()


def _give_back(db: sqlite3.Connection, *, unasked: bool) -> None:
    """Write the file anew without what is free in it; `unasked` only where that is quick and worth it."""
    size, free, page = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in _SIZES)
    if not free or (unasked and (size * page > _SMALL_BYTES or free * _FREE_SHARE < size)):
        return
    db.execute("PRAGMA temp_store = FILE")  # a large store's copy is not to be held in memory
    try:
        db.execute("VACUUM")
    finally:
        db.execute("PRAGMA temp_store = MEMORY")
