"""Reaching a store's file: opened on first use, let go when it was replaced, looked at for what others did to it."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from kore_ls.errors import KoreError, SessionNotFound, StoreBusy, StoreDamaged, StoreLocked, StoreReadOnly, WrongKey
from kore_ls.model.event import EventType
from kore_ls.model.ids import SessionId
from kore_ls.model.search import SearchPage, SearchQuery
from kore_ls.storage.changes import StoreChange, changes_after
from kore_ls.storage.database import ConnectionClosed, Stale
from kore_ls.storage.files import check_openable, identity, is_writable
from kore_ls.storage.gate import Gate
from kore_ls.storage.indexer import Report, is_index_damage
from kore_ls.storage.maintenance import checkpoint, sweep
from kore_ls.storage.opening import OpenStore, data_version, open_store
from kore_ls.storage.search_index import outdate
from kore_ls.storage.unlocking import Access, refusal
from kore_ls.storage.writer import Transaction

T = TypeVar("T")
log = logging.getLogger(__name__)

_TRIES = 3
_ALL = 1 << 62
_CORRUPT = frozenset({"SQLITE_CORRUPT", "SQLITE_CORRUPT_INDEX", "SQLITE_CORRUPT_SEQUENCE", "SQLITE_NOTADB"})


class StoreFile:
    """The way to one file; `on_open` is called with each store opened that can be written, `on_worn` where its key
    is worn.

    `first` is the first transaction of each store opened: what it finds unfinished must not be seen as such.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        *,
        synchronous: str,
        gate: Gate | None,
        busy_timeout_ms: int,
        on_open: Callable[[OpenStore], None],
        on_worn: Callable[[], None],
        access: Access,
        first: Callable[[Transaction], object] | None = None,
    ) -> None:
        self.path = path
        self.current: OpenStore | None = None
        self.access = access
        self._name = name
        self._synchronous = synchronous
        self._gate = gate
        self._busy_timeout_ms = busy_timeout_ms
        self._on_open = on_open
        self._on_worn = on_worn
        self._first = first
        self._changing = asyncio.Lock()
        self._closed = False
        self._lost = False

    async def open(self, *, create: bool = False) -> OpenStore | None:
        """The open store; None where there is none and none is to be made. Raises our store errors."""
        if self.current is None:
            async with self._changing:
                for left in range(_TRIES, 0, -1):
                    try:
                        await self._open_once(create)
                        break
                    except Stale:  # its key was changed while it was being opened
                        if left == 1:
                            raise StoreBusy from None
        return self.current

    async def _open_once(self, create: bool) -> None:
        if self._closed:
            raise ValueError("the store is closed")
        if self.current is not None:  # another caller was faster
            return
        if self._gate is not None:
            self._gate.check()
        if not check_openable(self.path):
            if not create:
                return
            if not self.access.ciphers and (why := refusal(self.access, self._gate)):
                raise StoreLocked(why, plain=True)
            if self._gate is not None:
                self._gate.prepare()
        opened = await open_store(
            self.path,
            synchronous=self._synchronous,
            name=self._name,
            busy_timeout_ms=self._busy_timeout_ms,
            access=self.access,
            gate=self._gate,
        )
        await self._begin(opened)
        self.current = opened
        if not opened.read_only:
            self._on_open(opened)
            if opened.budget.worn:
                self._on_worn()

    async def _begin(self, opened: OpenStore) -> None:
        if opened.writing is None or self._first is None or opened.damaged:
            return
        try:
            await opened.writing.write(self._first)
        except KoreError as error:  # a damaged file can still be read, and a busy one is looked at again soon
            log.warning("what was left running can't be ended: %s", error.kind)
        except BaseException:
            await opened.close()
            raise

    async def exists(self) -> bool:
        """Whether there is a store that may be opened in place. Raises StoreForeign and what `check_openable` does."""
        if self._closed:
            raise ValueError("the store is closed")
        if self._gate is not None:
            self._gate.check()
        return check_openable(self.path)

    @property
    def read_only(self) -> bool:
        """Whether the file can't be written."""
        return not is_writable(self.path)

    async def read(self, work: Callable[[sqlite3.Connection], T], missing: T) -> T:
        """What `work` finds on the reader connection; `missing` where there is no store."""
        for _ in range(_TRIES):
            opened = await self.open()
            if opened is None:
                return missing
            try:
                return await opened.read(work)
            except ConnectionClosed:
                await self.forget(opened)
            except StoreDamaged as error:
                _remember(opened, error)
                raise
        raise StoreBusy

    async def read_session(self, session_id: SessionId, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work` finds about a session, which without a store is not found."""

        def found(db: sqlite3.Connection) -> tuple[T] | None:
            return (work(db),)

        result = await self.read(found, None)
        if result is None:
            raise SessionNotFound(sessionId=session_id)
        return result[0]

    async def write(
        self,
        work: Callable[[Transaction], T],
        *,
        create: bool = False,
        on: SessionId | None = None,
        then: Callable[[T], None] | None = None,
    ) -> T:
        """Run `work` in a transaction; `on` is the session it is about, which without a store is not found."""
        for _ in range(_TRIES):
            opened = await self.open(create=create)
            if opened is not None and opened.writing is None and opened.stale():
                await self.forget(opened)  # it may be writable by now
                continue
            if opened is None:
                raise SessionNotFound(sessionId=on)
            if opened.writing is None:
                raise StoreReadOnly
            if opened.damaged:
                raise StoreDamaged(reason="damaged")
            if opened.refused and (why := refusal(self.access, self._gate)):  # looked at again: it may be meant by now
                raise StoreLocked(why, plain=True)
            try:
                outcome = await opened.writing.write(work, then)
                opened.index_later()
                if opened.budget.worn:
                    self._on_worn()
                return outcome
            except ConnectionClosed:
                await self.forget(opened)
            except StoreDamaged as error:
                if is_index_damage(error):  # it is made anew soon, and must not keep anybody from writing
                    await opened.writing.write(lambda transaction: outdate(transaction.db))
                    continue
                _remember(opened, error)
                if opened.moved():
                    await self.forget(opened)
                raise
        raise StoreBusy

    async def search(self, query: SearchQuery, report: Report | None) -> SearchPage:
        """What the store's searcher finds; nothing where there is no store."""
        for _ in range(_TRIES):
            opened = await self.open()
            if opened is None or opened.searcher is None:
                return SearchPage()
            try:
                if opened.stale():
                    raise Stale
                return await opened.searcher.search(query, report)
            except ConnectionClosed:
                await self.forget(opened)
        raise StoreBusy

    async def fill_index(self, report: Report) -> None:
        """Index all that is missing; it is done in the background as well, but slower. Cancelling ends it."""
        opened = await self.open()
        if opened is not None and opened.searcher is not None and opened.searcher.indexer is not None:
            with suppress(ConnectionClosed):  # it was locked meanwhile, or replaced
                await opened.searcher.indexer.catch_up(_ALL, report)

    async def rebuild_index(self) -> None:
        """Make the search index anew; in the background it is filled."""
        opened = await self.open()
        if opened is not None and opened.searcher is not None and opened.searcher.indexer is not None:
            await opened.searcher.indexer.rebuild()

    async def look(self) -> StoreChange | None:
        """One look at the file, for the watch: what others did to it since the last one."""
        if self._lost:
            self._lost = False
            return StoreChange()
        opened = self.current
        if opened is None:
            if self._changing.locked() or identity(self.path) is None:
                return None
            return None if await self.open() is None else StoreChange()
        if opened.stale():
            await self.forget(opened)
            self._lost = False
            return StoreChange()
        if opened.writer is None or opened.writing is None:
            return None
        try:
            version = await opened.writer.run(data_version)
            if version == opened.seen_version:
                await self._rest(opened)
                return None
            if await opened.writer.run(opened.changed_key):
                await self.forget(opened)
                self._lost = False
                return await self._reopened()
            opened.index_later()
            seen = opened.seen_change
            newest, change = await opened.writer.run(lambda db: changes_after(db, seen, self._name))
        except ConnectionClosed:
            return None
        opened.seen_version, opened.seen_change = version, newest
        return change

    async def _reopened(self) -> StoreChange:
        """The store as another process has encrypted, decrypted or given another key to it."""
        try:
            await self.open()
        except (StoreLocked, WrongKey):
            return StoreChange(kinds=(EventType.STORE_LOCKED.value,))
        return StoreChange()

    async def _rest(self, opened: OpenStore) -> None:
        """Move the log into the file once nobody has written for a while: bounds what a power cut could lose."""
        if opened.writer is None or opened.writing is None:
            return
        if not opened.swept:
            opened.swept = await opened.writer.run(sweep)
        commits = opened.writing.commits
        if commits == opened.seen_commits != opened.checkpointed:
            opened.checkpointed = commits
            await opened.writer.run(checkpoint if opened.codec is None else sweep)
        opened.seen_commits = commits

    async def flush(self) -> None:
        """Wait for queued writes, then move the log into the file as far as readers allow."""
        opened = self.current
        if opened is None or opened.writing is None or opened.writer is None:
            return
        await opened.writing.idle()
        await opened.writer.run(checkpoint)

    async def forget(self, opened: OpenStore) -> None:
        """Let go of a file that was replaced under us; the next call looks at the path afresh."""
        async with self._changing:
            if self.current is opened:
                self.current = None
                self._lost = True
                await opened.close()

    async def reset(self, access: Access) -> None:
        """Open the file with other keys from now on; what is open is let go of."""
        async with self._changing:
            self.access = access
            opened, self.current = self.current, None
            if opened is not None:
                await opened.close()

    async def apart(self, work: Callable[[], T]) -> T:
        """Run `work` in a thread while this store object has the file closed."""
        async with self._changing:
            opened, self.current = self.current, None
            if opened is not None:
                await opened.close()
            running = asyncio.create_task(asyncio.to_thread(work))
            try:
                return await asyncio.shield(running)
            finally:
                if not running.done():  # cancelled; the file must stay ours until the thread is through
                    await asyncio.wait([running])

    def meant_plain(self) -> None:
        """The user says that the store is plain, or is to be."""
        if self._gate is not None:
            self._gate.meant_plain()

    async def close(self) -> None:
        """Close for good; again is fine."""
        async with self._changing:
            self._closed = True
            opened, self.current = self.current, None
            if opened is not None:
                await opened.close()


def _remember(opened: OpenStore, error: KoreError) -> None:
    """Damage that SQLite itself found ends the writing, which might make it worse."""
    if error.params.get("sqlite") in _CORRUPT:
        opened.damaged = True
