"""`SQLiteStore`: sessions and messages in one SQLite file, opened on first use."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from attrs import evolve

from kore_ls.errors import SessionNotFound, StoreDamaged, StoreReadOnly
from kore_ls.model.bundle import OnConflict, SessionBundle
from kore_ls.model.event import EventType
from kore_ls.model.ids import Clock, IdSource, MessageId, SessionId, new_id, now_ms
from kore_ls.model.message import Message
from kore_ls.model.search import SearchPage, SearchQuery
from kore_ls.model.session import ForkPoint, SessionRecord
from kore_ls.storage import import_rows, message_rows, session_rows
from kore_ls.storage.changes import StoreChange, changes_after
from kore_ls.storage.files import check_openable, identity, total_bytes
from kore_ls.storage.interface import Change, ImportOutcome, Storage, StoreStatus
from kore_ls.storage.maintenance import backup_to, checkpoint, problems_in
from kore_ls.storage.message_rows import MessagePage
from kore_ls.storage.migrations import SCHEMA_VERSION
from kore_ls.storage.opening import OpenStore, data_version, open_store
from kore_ls.storage.search_index import behind
from kore_ls.storage.session_rows import SessionPage, SessionQuery, read_meta, write_meta
from kore_ls.storage.watch import Watch
from kore_ls.storage.writer import Transaction

T = TypeVar("T")

_PURGE_ROWS = 500


class Gate(Protocol):
    """Decides, for stores in workspace folders, whether the file may be opened in place, and readies its directory."""

    def check(self) -> None:
        """Raise StoreForeign if the store is not this user's."""

    def prepare(self) -> None:
        """Make the directory a store of this user's; called before the file is created."""


class SQLiteStore(Storage):
    """A store in one file. Use `await store.close()` when done: an open one keeps its threads.

    `path` is made, with its directory, by the first write. `synchronous` "full" also survives a power cut, at the
    price of a disk flush per commit.
    """

    def __init__(
        self,
        path: str | Path,
        cipher: None = None,
        *,
        synchronous: str = "normal",
        gate: Gate | None = None,
        clock: Clock = now_ms,
        ids: IdSource = new_id,
    ) -> None:
        self.path = Path(path)
        self._synchronous = synchronous
        self._gate = gate
        self._clock = clock
        self._ids = ids
        self._name = ids()
        self._opened: OpenStore | None = None
        self._opening = asyncio.Lock()
        self._purging: asyncio.Task[None] | None = None
        self._watch = Watch(self._look)

    # -- reaching the file

    async def _open(self, *, create: bool) -> OpenStore | None:
        if self._opened is not None:
            return self._opened
        async with self._opening:
            if self._opened is not None:
                return self._opened
            if self._gate is not None:
                self._gate.check()
            exists = check_openable(self.path)
            if not exists and not create:
                return None
            if not exists and self._gate is not None:
                self._gate.prepare()
            self._opened = await open_store(self.path, synchronous=self._synchronous, name=self._name)
            if not self._opened.read_only:
                self._start_purge()
                self._start_indexing()
            return self._opened

    async def _read(self, work: Callable[[sqlite3.Connection], T], missing: T) -> T:
        opened = await self._open(create=False)
        return missing if opened is None else await opened.reader.run(work)

    async def _write(self, work: Callable[[Transaction], T], *, create: bool = False, on: SessionId | None = None) -> T:
        """Run `work` in a transaction; `on` is the session it is about, which without a store is not found."""
        opened = await self._open(create=create)
        if opened is None:
            raise SessionNotFound(sessionId=on)
        if opened.writing is None:
            raise StoreReadOnly
        try:
            outcome = await opened.writing.write(work)
        except StoreDamaged:
            if opened is self._opened and opened.moved():
                await self._let_go()
            raise
        if opened.searcher is not None and opened.searcher.indexer is not None:
            opened.searcher.indexer.wake()
        return outcome

    async def _let_go(self) -> None:
        """Forget a file that was replaced under us; the next call looks at the path afresh."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.close()

    # -- sessions

    async def create_session(self, record: SessionRecord, *, name_prefix: str | None = None) -> SessionRecord:
        """Store a new session; see Storage."""

        def work(transaction: Transaction) -> SessionRecord:
            named = record
            if name_prefix is not None:
                named = evolve(record, name=session_rows.next_default_name(transaction.db, name_prefix))
            session_rows.insert_session(transaction.db, named)
            transaction.changed(named.id, EventType.SESSION_CREATED)
            return named

        return await self._write(work, create=True)

    async def save_session(self, record: SessionRecord) -> SessionRecord:
        """Store a session's own fields; see Storage."""

        def work(transaction: Transaction) -> SessionRecord:
            try:
                before = session_rows.load_session(transaction.db, record.id, deleted=True)
            except SessionNotFound:
                session_rows.insert_session(transaction.db, record)
            else:
                session_rows.update_session(transaction.db, before, record)
            transaction.changed(record.id, EventType.SESSION_UPDATED)
            return session_rows.load_session(transaction.db, record.id, deleted=True)

        return await self._write(work, create=True)

    async def load_session(self, session_id: SessionId, *, deleted: bool = False) -> SessionRecord:
        """One session; see Storage."""
        opened = await self._open(create=False)
        if opened is None:
            raise SessionNotFound(sessionId=session_id)
        return await opened.reader.run(lambda db: session_rows.load_session(db, session_id, deleted=deleted))

    async def change_session(
        self, session_id: SessionId, change: Change, kind: EventType, *, deleted: bool = False
    ) -> tuple[SessionRecord, SessionRecord]:
        """Change one session in one transaction; see Storage."""

        def work(transaction: Transaction) -> tuple[SessionRecord, SessionRecord]:
            before, after = session_rows.change_session(transaction.db, session_id, change, deleted=deleted)
            if after != before:
                transaction.changed(session_id, kind)
            return before, after

        return await self._write(work, on=session_id)

    async def list_sessions(self, query: SessionQuery) -> SessionPage:
        """A page of sessions; see Storage."""
        return await self._read(lambda db: session_rows.list_sessions(db, query), SessionPage())

    async def remove_session(self, session_id: SessionId) -> None:
        """Remove for good: out of sight at once, its rows in small steps afterwards; see Storage."""

        def work(transaction: Transaction) -> None:
            session_rows.load_session(transaction.db, session_id, deleted=True)
            session_rows.hide_for_purge(transaction.db, session_id, self._clock())
            transaction.changed(session_id, EventType.SESSION_DELETED)

        await self._write(work, on=session_id)
        self._start_purge()

    async def fork_session(self, record: SessionRecord, point: ForkPoint) -> SessionRecord:
        """Copy a session; see Storage."""
        return await self._write(
            lambda transaction: import_rows.fork_session(transaction, record, point), on=record.parent_id
        )

    async def active_session(self) -> SessionId | None:
        """The session switched to last; see Storage."""
        return await self._read(lambda db: read_meta(db, "active_session"), None)

    async def activate_session(self, session_id: SessionId, change: Change) -> tuple[SessionRecord, SessionRecord]:
        """Switch; see Storage."""

        def work(transaction: Transaction) -> tuple[SessionRecord, SessionRecord]:
            outcome = session_rows.change_session(transaction.db, session_id, change)
            write_meta(transaction.db, "active_session", session_id)
            transaction.changed(session_id, EventType.SESSION_SWITCHED)
            return outcome

        return await self._write(work, on=session_id)

    # -- messages

    async def add_message(self, message: Message) -> tuple[Message, bool]:
        """Append; see Storage."""
        now = self._clock()
        new_id = message.id or MessageId(self._ids())

        def work(transaction: Transaction) -> tuple[Message, bool]:
            stored, added = message_rows.add_message(transaction.db, message, new_id, now)
            if added:
                transaction.changed(stored.session_id, EventType.MESSAGE_ADDED)
            return stored, added

        return await self._write(work, on=message.session_id)

    async def list_messages(
        self, session_id: SessionId, *, after: int | None = None, before: int | None = None, limit: int = 100
    ) -> MessagePage:
        """A page of messages; see Storage. Raises SessionNotFound."""

        def work(db: sqlite3.Connection) -> MessagePage:
            session_rows.load_session(db, session_id, deleted=True)
            return message_rows.list_messages(db, session_id, after=after, before=before, limit=limit)

        opened = await self._open(create=False)
        if opened is None:
            raise SessionNotFound(sessionId=session_id)
        return await opened.reader.run(work)

    async def find_message(self, session_id: SessionId, message_id: MessageId) -> Message:
        """One message; see Storage."""
        opened = await self._open(create=False)
        if opened is None:
            raise SessionNotFound(sessionId=session_id)
        return await opened.reader.run(lambda db: message_rows.find_message(db, session_id, message_id))

    async def import_sessions(self, bundles: Sequence[SessionBundle], on_conflict: OnConflict) -> ImportOutcome:
        """Staged out of sight in small transactions, shown in one; see Storage. Cancelling leaves nothing behind."""

        def stage(transaction: Transaction) -> tuple[list[import_rows.StagedSession], list[SessionId]]:
            return import_rows.stage(transaction.db, bundles, on_conflict, self._ids, self._clock())

        staged, skipped = await self._write(stage, create=True)
        try:
            for session in staged:
                for batch in import_rows.batches(session.bundle):
                    await self._write(
                        lambda t, s=session, b=batch: import_rows.add_batch(t.db, s, b, self._clock())  # type: ignore[misc]
                    )
            records = await self._write(lambda t: import_rows.publish(t, staged))
        except BaseException:
            await asyncio.shield(self._discard(staged))
            raise
        return ImportOutcome(records=tuple(records), skipped=tuple(skipped))

    async def _discard(self, staged: Sequence[import_rows.StagedSession]) -> None:
        await self._write(lambda transaction: import_rows.discard(transaction.db, staged))
        self._start_purge()

    async def search(self, query: SearchQuery, report: Callable[[int], None] | None = None) -> SearchPage:
        """One page of hits; see Storage."""
        opened = await self._open(create=False)
        if opened is None or opened.searcher is None:
            return SearchPage()
        return await opened.searcher.search(query, report)

    # -- care

    def _start_indexing(self) -> None:
        opened = self._opened
        if opened is not None and opened.searcher is not None and opened.searcher.indexer is not None:
            opened.searcher.indexer.start()

    def _start_purge(self) -> None:
        if self._purging is None or self._purging.done():
            self._purging = asyncio.create_task(self._purge(), name="kore-purge")

    async def _purge(self) -> None:
        def step(transaction: Transaction) -> bool:
            abandoned = self._clock() - import_rows.ABANDONED_MS
            return session_rows.purge_step(transaction.db, abandoned, _PURGE_ROWS)

        opened = self._opened
        while opened is not None and opened.writing is not None and await opened.writing.write(step):
            await asyncio.sleep(0)

    async def status(self) -> StoreStatus:
        """Counts and conditions; see Storage."""
        opened = await self._open(create=False)
        version = sqlite3.sqlite_version
        if opened is None:
            return StoreStatus(path=self.path, exists=False, sqlite_version=version)
        sessions, messages = await opened.reader.run(
            lambda db: db.execute(
                "SELECT count(*), coalesce(sum(message_count), 0) FROM sessions WHERE hidden = 0 AND deleted_at IS NULL"
            ).fetchone()
        )
        return StoreStatus(
            path=self.path,
            exists=True,
            read_only=opened.read_only,
            journal_mode=opened.journal_mode,
            sessions=sessions,
            messages=messages,
            bytes=total_bytes(self.path),
            indexed_messages=max(0, messages - await opened.reader.run(behind)),
            schema_version=SCHEMA_VERSION,
            sqlite_version=version,
        )

    async def flush(self) -> None:
        """Wait for queued writes and checkpoint; see Storage."""
        opened = self._opened
        if opened is not None and opened.writing is not None and opened.writer is not None:
            await opened.writing.idle()
            await opened.writer.run(checkpoint)

    async def check(self) -> list[str]:
        """Look for damage; see Storage."""
        return await self._read(problems_in, [])

    async def backup(self, target: Path) -> int:
        """A verified copy; see Storage. Raises FileExistsError if `target` is there."""
        opened = await self._open(create=False)
        if opened is None:
            raise SessionNotFound
        return await opened.reader.run(lambda db: backup_to(db, target))

    def listen(self, listener: Callable[[StoreChange], None]) -> Callable[[], None]:
        """Hear of other processes' changes within about a quarter of a second; see Storage."""
        return self._watch.listen(listener)

    async def _look(self) -> StoreChange | None:
        """One look at the file, for the watch: whether others changed it since the last one."""
        opened = self._opened
        if opened is None:
            if identity(self.path) is None or self._opening.locked():
                return None
            return None if await self._open(create=False) is None else StoreChange()
        if opened.moved():
            await self._let_go()
            return StoreChange()
        if opened.writer is None or opened.writing is None:
            return None
        version = await opened.writer.run(data_version)
        if version == opened.seen_version:
            if opened.checkpointed != opened.writing.commits:  # idle since the last look: bound what a power cut loses
                opened.checkpointed = opened.writing.commits
                await opened.writer.run(checkpoint)
            return None
        opened.seen_version = version
        seen, name = opened.seen_change, self._name
        opened.seen_change, change = await opened.writer.run(lambda db: changes_after(db, seen, name))
        return change

    async def close(self) -> None:
        """Flush and close; see Storage."""
        await self._watch.stop()
        if self._purging is not None:
            self._purging.cancel()
            await asyncio.wait([self._purging])
        async with self._opening:
            await self._let_go()
