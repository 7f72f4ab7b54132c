"""Takes away what nobody will see again: in small steps, overwritten, and the room that it took given back."""

from __future__ import annotations

import asyncio
import logging
import sqlite3

from kore_ls.errors import KoreError
from kore_ls.model.ids import Clock
from kore_ls.storage.import_rows import ABANDONED_MS
from kore_ls.storage.index_merge import merge_step
from kore_ls.storage.maintenance import sweep
from kore_ls.storage.search_index import MESSAGES, SESSIONS, newest
from kore_ls.storage.session_rows import hide_long_deleted, purge_step
from kore_ls.storage.store_file import StoreFile
from kore_ls.storage.writer import Transaction

KEPT_MS = 30 * 24 * 3600 * 1000
"""How long a deleted session can be restored."""

_ROWS = 500
_PAGES = 256
_INDEX_MESSAGES = 100_000
"""In a store beyond that, words of removed messages stay in the index until its parts are merged anyway."""
_INCREMENTAL = 2

log = logging.getLogger(__name__)


class Purge:
    """The purge of one store: sessions removed for good, deleted ones after 30 days, abandoned imports."""

    def __init__(self, file: StoreFile, clock: Clock) -> None:
        self._file = file
        self._clock = clock
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
            while await self._file.write(self._step):
                removed = True
            if removed:
                await self._tidy(_INDEX_MESSAGES)
        except (KoreError, ValueError) as error:  # what is left is out of sight, and has time
            log.info("the purge of removed sessions waits: %s", getattr(error, "kind", "closed"))

    def _step(self, transaction: Transaction) -> bool:
        db, now = transaction.db, self._clock()
        secure = db.execute("PRAGMA secure_delete").fetchone()[0]
        db.execute("PRAGMA secure_delete = ON").fetchall()
        try:
            hide_long_deleted(db, now - KEPT_MS, now)
            return purge_step(db, now - ABANDONED_MS, _ROWS)
        finally:
            db.execute(f"PRAGMA secure_delete = {secure}").fetchall()

    async def compact(self) -> None:
        """Give back all room that is free; a file made by an older version is written anew for that.

        Raises StoreFull, StoreBusy and other store errors; nothing is lost then.
        """
        opened = await self._file.open()
        if opened is None or opened.writing is None or opened.writer is None:
            return
        await opened.writing.idle()
        if not await opened.writer.run(_is_incremental):
            await opened.writer.run(_write_anew)
        await self._tidy(None)

    async def _tidy(self, most: int | None) -> None:
        """Take removed words out of an index of up to `most` messages, cut free pages off, and empty the log."""
        for table in (MESSAGES, SESSIONS):
            begin = True
            while await self._file.write(lambda t, name=table, new=begin: _merge(t, name, most, begin=new)):  # type: ignore[misc]
                begin = False
        while await self._file.write(_give_back):
            pass
        opened = self._file.current
        if opened is not None and opened.writer is not None:
            await opened.writer.run(sweep)


def _is_incremental(db: sqlite3.Connection) -> bool:
    return bool(db.execute("PRAGMA auto_vacuum").fetchone()[0] == _INCREMENTAL)


def _merge(transaction: Transaction, table: str, most: int | None, *, begin: bool) -> bool:
    db = transaction.db
    if most is not None and newest(db).message > most:
        return False
    return merge_step(db, table, _PAGES, begin=begin)


def _give_back(transaction: Transaction) -> bool:
    """Cut some free pages off the file; whether there may be more."""
    db = transaction.db
    if not _is_incremental(db):
        return False
    before: int = db.execute("PRAGMA freelist_count").fetchone()[0]
    db.execute(f"PRAGMA incremental_vacuum({_PAGES})").fetchall()
    left: int = db.execute("PRAGMA freelist_count").fetchone()[0]
    return 0 < left < before


def _write_anew(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA auto_vacuum = INCREMENTAL")
    db.execute("VACUUM")
