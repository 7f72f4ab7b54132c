"""`SQLiteStore`: sessions and messages in one SQLite file, opened on first use."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TypeVar

from attrs import evolve

from kore_ls.errors import BadTransition, KoreError, SessionNotFound
from kore_ls.model.bundle import OnConflict, SessionBundle
from kore_ls.model.event import EventType
from kore_ls.model.ids import Clock, IdSource, MessageId, SessionId, new_id, now_ms
from kore_ls.model.message import Message
from kore_ls.model.retention import SizedSession, Space
from kore_ls.model.search import SearchPage, SearchQuery
from kore_ls.model.session import ForkPoint, SessionRecord
from kore_ls.storage import care, import_rows, message_rows, note_rows, session_rows
from kore_ls.storage.changes import StoreChange
from kore_ls.storage.cipher import Cipher
from kore_ls.storage.database import BUSY_TIMEOUT_MS
from kore_ls.storage.encryption import Encryption
from kore_ls.storage.gate import Gate
from kore_ls.storage.history_store import HistoryStore
from kore_ls.storage.interface import Change, ImportOutcome, Storage, StoreStatus
from kore_ls.storage.memory_index import INDEXED_MESSAGES
from kore_ls.storage.message_rows import MessagePage
from kore_ls.storage.opening import OpenStore
from kore_ls.storage.purge import Purge
from kore_ls.storage.retention import expired, space
from kore_ls.storage.session_rows import SessionPage, SessionQuery, read_meta, write_meta
from kore_ls.storage.store_file import StoreFile
from kore_ls.storage.turn_store import TurnStore
from kore_ls.storage.unlocking import ROTATE_AT, Access
from kore_ls.storage.watch import Watch
from kore_ls.storage.writer import Transaction

T = TypeVar("T")
log = logging.getLogger(__name__)


class SQLiteStore(Storage):
    """A store in one file. Use `await store.close()` when done: an open one keeps its threads.

    `path` is made, with its directory, by the first write. `synchronous` "full" also survives a power cut, at the
    price of a disk flush per commit.

    With a `cipher` a new store is made encrypted; one that is plain can be read, but is written only with `plain`.
    Search in an encrypted store holds an index of up to `indexed_messages` in memory. When its own key has encrypted
    `rotate_at` values, it gets another one by itself.
    `unusable`: a key was wanted and is none; nothing is written until there is one.
    Raises TypeError for a `cipher` that is none, as a bare passphrase or key.
    """

    def __init__(
        self,
        path: str | Path,
        cipher: Cipher | None = None,
        *,
        synchronous: str = "normal",
        gate: Gate | None = None,
        busy_timeout_ms: int = BUSY_TIMEOUT_MS,
        clock: Clock = now_ms,
        ids: IdSource = new_id,
        plain: bool = False,
        indexed_messages: int = INDEXED_MESSAGES,
        rotate_at: int = ROTATE_AT,
        unusable: bool = False,
    ) -> None:
        if cipher is not None and not isinstance(cipher, Cipher):
            raise TypeError("a passphrase or key must be wrapped: SQLiteStore(path, Cipher(...))")
        self.path = Path(path)
        self._clock = clock
        self._ids = ids
        owner = ids()
        self._file = StoreFile(
            self.path,
            owner,
            synchronous=synchronous,
            gate=gate,
            busy_timeout_ms=busy_timeout_ms,
            on_open=self._begin_background,
            on_worn=lambda: self.encryption.rotate_soon(),
            first=lambda transaction: self.turns.recover(transaction),
            access=Access(() if cipher is None else (cipher,), plain, indexed_messages, rotate_at, unusable),
        )
        self.encryption = Encryption(self._file, clock)
        self.turns = TurnStore(self._file, owner, clock, ids)
        self.history = HistoryStore(self._file, clock, self.turns.check_free)
        self.purge = Purge(self._file, clock)
        self._watch = Watch(self._file.look)

    # -- sessions

    async def create_session(self, record: SessionRecord, *, name_prefix: str | None = None) -> SessionRecord:
        """Store a new session; see Storage."""

        def work(transaction: Transaction) -> SessionRecord:
            named = record
            if name_prefix is not None:
                named = evolve(record, name=session_rows.next_default_name(transaction.db, name_prefix))
            session_rows.insert_session(transaction.db, named)
            if name_prefix is not None:
                note_rows.save_note(transaction.db, named.id, note_rows.DEFAULT_NAME, named.name)
            transaction.changed(named.id, EventType.SESSION_CREATED)
            return named

        return await self._file.write(work, create=True)

    async def save_session(self, record: SessionRecord) -> SessionRecord:
        """Store a session's own fields; see Storage."""

        def work(transaction: Transaction) -> SessionRecord:
            try:
                before = session_rows.load_session(transaction.db, record.id, deleted=True)
            except SessionNotFound:
                session_rows.insert_session(transaction.db, record)
                transaction.changed(record.id, EventType.SESSION_CREATED)
            else:
                session_rows.update_session(transaction.db, before, record)
                transaction.changed(record.id, EventType.SESSION_UPDATED)
            return session_rows.load_session(transaction.db, record.id, deleted=True)

        return await self._file.write(work, create=True)

    async def load_session(self, session_id: SessionId, *, deleted: bool = False) -> SessionRecord:
        """One session; see Storage."""
        return await self._file.read_session(
            session_id, lambda db: session_rows.load_session(db, session_id, deleted=deleted)
        )

    async def change_session(
        self,
        session_id: SessionId,
        change: Change,
        kind: EventType,
        *,
        deleted: bool = False,
        exclusive: bool = False,
    ) -> tuple[SessionRecord, SessionRecord]:
        """Change one session in one transaction; see Storage."""

        def work(transaction: Transaction) -> tuple[SessionRecord, SessionRecord]:
            step = self._alone(transaction, change) if exclusive else change
            before, after = session_rows.change_session(transaction.db, session_id, step, deleted=deleted)
            if after != before:
                transaction.changed(session_id, kind)
            return before, after

        return await self._file.write(work, on=session_id)

    def _alone(self, transaction: Transaction, change: Change) -> Change:
        """The change, refused where another process works in the session; what is no change is fine."""

        def step(before: SessionRecord) -> SessionRecord:
            try:
                after = change(before)
            except BadTransition:
                self.turns.check_free(transaction, before.id)
                raise
            if after == before:
                return after
            self.turns.check_free(transaction, before.id)
            # Taking over from the dead may have changed the session.
            return change(session_rows.load_session(transaction.db, before.id, deleted=True))

        return step

    async def list_sessions(self, query: SessionQuery) -> SessionPage:
        """A page of sessions; see Storage."""
        return await self._file.read(lambda db: session_rows.list_sessions(db, query), SessionPage())

    async def remove_session(self, session_id: SessionId) -> None:
        """Remove for good: out of sight at once, its rows in small steps afterwards; see Storage."""

        def work(transaction: Transaction) -> None:
            session_rows.load_session(transaction.db, session_id, deleted=True)
            self.turns.check_free(transaction, session_id)
            session_rows.hide_for_purge(transaction.db, session_id, self._clock())
            transaction.changed(session_id, EventType.SESSION_DELETED)

        await self._file.write(work, on=session_id)
        self.purge.start()

    async def fork_session(self, record: SessionRecord, point: ForkPoint) -> SessionRecord:
        """Copy a session; see Storage."""
        return await self._file.write(
            lambda transaction: import_rows.fork_session(transaction, record, point), on=record.parent_id
        )

    async def active_session(self) -> SessionId | None:
        """The session switched to last; see Storage."""
        return await self._file.read(lambda db: read_meta(db, "active_session"), None)

    async def activate_session(self, session_id: SessionId, change: Change) -> tuple[SessionRecord, SessionRecord]:
        """Switch; see Storage."""

        def work(transaction: Transaction) -> tuple[SessionRecord, SessionRecord]:
            outcome = session_rows.change_session(transaction.db, session_id, change)
            write_meta(transaction.db, "active_session", session_id)
            transaction.changed(session_id, EventType.SESSION_SWITCHED)
            return outcome

        return await self._file.write(work, on=session_id)

    # -- messages

    async def add_message(
        self, message: Message, then: Callable[[Message, int], None] | None = None
    ) -> tuple[Message, bool]:
        """Append; see Storage."""
        now = self._clock()
        new_id = message.id or MessageId(self._ids())

        def work(transaction: Transaction) -> tuple[Message, bool]:
            stored, added = message_rows.add_message(transaction.db, message, new_id, now)
            if added:
                transaction.changed(stored.session_id, EventType.MESSAGE_ADDED)
            return stored, added

        def tell(outcome: tuple[Message, bool]) -> None:
            if then is not None and outcome[1]:
                then(outcome[0], now)

        return await self._file.write(work, on=message.session_id, then=tell)

    async def list_messages(
        self, session_id: SessionId, *, after: int | None = None, before: int | None = None, limit: int = 100
    ) -> MessagePage:
        """A page of messages; see Storage. Raises SessionNotFound."""

        def work(db: sqlite3.Connection) -> MessagePage:
            session_rows.load_session(db, session_id, deleted=True)
            return message_rows.list_messages(db, session_id, after=after, before=before, limit=limit)

        return await self._file.read_session(session_id, work)

    async def find_message(self, session_id: SessionId, message_id: MessageId) -> Message:
        """One message; see Storage."""

        def work(db: sqlite3.Connection) -> Message:
            session_rows.load_session(db, session_id, deleted=True)
            return message_rows.find_message(db, session_id, message_id)

        return await self._file.read_session(session_id, work)

    async def import_sessions(self, bundles: Sequence[SessionBundle], on_conflict: OnConflict) -> ImportOutcome:
        """Staged out of sight in small transactions, shown in one; see Storage. Cancelling leaves nothing behind."""

        def stage(transaction: Transaction) -> tuple[list[import_rows.StagedSession], list[SessionId]]:
            return import_rows.stage(transaction.db, bundles, on_conflict, self._ids, self._clock())

        staged, skipped = await self._file.write(stage, create=True)
        try:
            for session in staged:
                for batch in import_rows.batches(session.bundle):
                    await self._file.write(
                        lambda t, s=session, b=batch: import_rows.add_batch(t.db, s, b, self._clock())  # type: ignore[misc]
                    )
            records, late = await self._file.write(
                lambda t: import_rows.publish(t, staged, on_conflict, self.turns.check_free, self._clock())
            )
        except BaseException:
            await asyncio.shield(self._discard(staged))
            raise
        if late or on_conflict is OnConflict.REPLACE:
            self.purge.start()
        return ImportOutcome(records=tuple(records), skipped=(*skipped, *late))

    async def _discard(self, staged: Sequence[import_rows.StagedSession]) -> None:
        with contextlib.suppress(KoreError):  # the purge of a later day finds it
            await self._file.write(lambda transaction: import_rows.discard(transaction.db, staged, self._clock()))
        self.purge.start()

    async def search(self, query: SearchQuery, report: Callable[[int], None] | None = None) -> SearchPage:
        """One page of hits; see Storage."""
        return await self._file.search(query, report)

    # -- care

    def _begin_background(self, opened: OpenStore) -> None:
        if opened.searcher is not None and opened.searcher.indexer is not None:
            opened.searcher.indexer.start(None if opened.codec is None else self.encryption.indexing)
        self.purge.start()

    async def exists(self) -> bool:
        """Whether there is a store; see Storage."""
        return await self._file.exists()

    async def status(self) -> StoreStatus:
        """Counts and conditions; see Storage."""
        return await care.status(self._file)

    async def expired(
        self, keep_days: int | None, keep_bytes: int | None, spared: Collection[SessionId] = ()
    ) -> list[SizedSession]:
        """Sessions beyond the limits; see Storage."""
        now = self._clock()
        return await care.apart_from_readers(
            self._file, lambda db: expired(db, keep_days, keep_bytes, now, spared), list[SizedSession]()
        )

    async def space(self) -> Space | None:
        """What takes the room; see Storage."""
        return await care.apart_from_readers(self._file, space, None)

    async def flush(self) -> None:
        """Wait for queued writes and checkpoint; see Storage."""
        await self._file.flush()

    async def check(self) -> list[str]:
        """Look for damage; see Storage."""
        return await care.check(self._file)

    async def repair(self) -> list[str]:
        """Mend what `check` finds; see Storage."""
        await self.purge.stop()
        return await care.repair(self._file, self._clock())

    async def backup(self, target: Path) -> int:
        """A verified copy; see Storage. Raises SessionNotFound where there is no store."""
        return await care.backup(self._file, target)

    def listen(self, listener: Callable[[StoreChange], None]) -> Callable[[], None]:
        """Hear of other processes' changes within about a quarter of a second; see Storage."""
        return self._watch.listen(listener)

    async def close(self) -> None:
        """Flush and close; see Storage."""
        await self._watch.stop()
        await self.purge.stop()
        await self.encryption.stop()
        await self._file.close()
