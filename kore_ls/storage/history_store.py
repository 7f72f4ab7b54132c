"""Conversations of other tools on their way into a store: new ones appear whole, known ones grow at their end.

The other half of `import_rows`, for what is read piece by piece and never all in memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from attrs import evolve, frozen

from kore_ls.errors import SessionNotFound, StoreBusy, StoreDamaged
from kore_ls.model.event import EventType
from kore_ls.model.ids import Clock, MessageId, SessionId
from kore_ls.model.message import Message, ToolStatus
from kore_ls.model.session import SessionRecord, SessionStatus
from kore_ls.storage.codec import codec_of
from kore_ls.storage.import_rows import ABANDONED_MS
from kore_ls.storage.message_rows import answer_calls, count_messages, insert_messages, numbered
from kore_ls.storage.session_rows import Hidden, insert_session, load_session, remove_rows, update_session
from kore_ls.storage.store_file import StoreFile
from kore_ls.storage.writer import Transaction


@frozen(kw_only=True)
class StoredThread:
    """What of a conversation is stored: its session, and the ids of its messages in their order.

    `unanswered`: of those with calls that had not ended when they came in, the places of these calls.
    """

    record: SessionRecord
    message_ids: tuple[MessageId, ...]
    unanswered: Mapping[MessageId, Sequence[int]]


@frozen(kw_only=True)
class ReadFile:
    """A file of another tool that was read to its end: its state then, and how many conversations it gave."""

    state: str
    sessions: int


class HistoryStore:
    """Use `put` (or `begin`, `add`, `show`) for what is new, `append` for what grew. All return after COMMIT.

    `check_free` raises LeaseHeld for a session that another process works in.
    """

    def __init__(self, file: StoreFile, clock: Clock, check_free: Callable[[Transaction, SessionId], None]) -> None:
        self._file = file
        self._clock = clock
        self._check_free = check_free
        self._given_up: set[SessionId] = set()

    async def stored(self, session_id: SessionId) -> StoredThread | None:
        """What is stored of a conversation, deleted or not; None if nothing is."""

        def work(db: sqlite3.Connection) -> StoredThread | None:
            try:
                record = load_session(db, session_id, deleted=True)
            except SessionNotFound:
                return None
            rows = db.execute("SELECT uid FROM messages WHERE session_id = ? ORDER BY seq", (session_id,)).fetchall()
            cut: dict[MessageId, list[int]] = {}
            calls = db.execute(
                "SELECT m.uid, t.position FROM messages m JOIN tool_calls t ON t.message_id = m.id "
                "WHERE m.session_id = ? AND m.tool_calls > 0 AND t.status = ?",
                (session_id, ToolStatus.CANCELLED.value),
            )
            for uid, position in calls:
                cut.setdefault(MessageId(uid), []).append(position)
            return StoredThread(
                record=record,
                message_ids=tuple(MessageId(row[0]) for row in rows),
                unanswered=cut,
            )

        return await self._file.read(work, None)

    async def has(self, session_id: SessionId) -> bool:
        """Whether there is a session of this id, deleted or not."""
        statement = "SELECT 1 FROM sessions WHERE id = ? AND hidden = 0"
        return await self._file.read(lambda db: db.execute(statement, (session_id,)).fetchone() is not None, False)

    async def read_files(self) -> dict[str, ReadFile]:
        """The files that were read to their end, by their names. Names and states are SHA-256 in hex."""

        def work(db: sqlite3.Connection) -> dict[str, ReadFile]:
            codec = codec_of(db)
            found: dict[str, ReadFile] = {}
            for name, state, sessions in db.execute("SELECT name, state, sessions FROM history_files"):
                with suppress(StoreDamaged):  # such a file is read once more
                    if codec is not None:
                        name, state = codec.reveal(name), codec.reveal(state)
                    found[str(name)] = ReadFile(state=str(state), sessions=int(sessions))
            return found

        return await self._file.read(work, dict[str, ReadFile]())

    async def note_read(self, files: Mapping[str, ReadFile]) -> None:
        """Remember files that were read to their end, by their names; nothing where there is no store."""

        def work(transaction: Transaction) -> None:
            codec = codec_of(transaction.db)
            rows = ((name, each.state, each.sessions) for name, each in files.items())
            if codec is not None:
                rows = ((codec.hide(name) or "", codec.hide(state) or "", count) for name, state, count in rows)
            transaction.db.executemany(
                "INSERT INTO history_files (name, state, sessions) VALUES (?, ?, ?) "
                "ON CONFLICT (name) DO UPDATE SET state = excluded.state, sessions = excluded.sessions",
                rows,
            )

        if files and await self._file.exists():
            await self._file.write(work)

    async def put(self, record: SessionRecord, messages: Sequence[Message]) -> SessionRecord:
        """Store a whole session at once. Raises StoreBusy if another import is at it, SessionExists."""
        now = self._clock()

        def work(transaction: Transaction) -> SessionRecord:
            self._make(transaction, record, Hidden.NO, now)
            _append(transaction, record.id, messages)
            transaction.changed(record.id, EventType.SESSION_CREATED)
            return load_session(transaction.db, record.id, deleted=True)

        return await self._file.write(work, create=True)

    async def begin(self, record: SessionRecord) -> None:
        """Make a session out of sight. Raises StoreBusy if another import is at it, SessionExists."""
        now = self._clock()
        await self._file.write(lambda transaction: self._make(transaction, record, Hidden.IMPORTING, now), create=True)
        self._given_up.discard(record.id)

    async def add(self, session_id: SessionId, messages: Sequence[Message]) -> None:
        """Store some messages, numbered in their order. Raises StoreBusy if the session was swept away meanwhile."""
        now = self._clock()

        def work(transaction: Transaction) -> None:
            alive = transaction.db.execute(
                "UPDATE sessions SET hidden_at = ? WHERE id = ? AND hidden = ?", (now, session_id, Hidden.IMPORTING)
            )
            if not alive.rowcount:
                raise StoreBusy("another import took this one's place")
            _append(transaction, session_id, messages)

        await self._file.write(work)

    async def show(self, record: SessionRecord) -> SessionRecord:
        """Let everybody see a session that is complete, with what is known of it now."""

        def work(transaction: Transaction) -> SessionRecord:
            db = transaction.db
            done = db.execute(
                "UPDATE sessions SET hidden = 0, hidden_at = NULL WHERE id = ? AND hidden = ?",
                (record.id, Hidden.IMPORTING),
            )
            if not done.rowcount:
                raise StoreBusy("another import took this one's place")
            update_session(db, load_session(db, record.id, deleted=True), record)
            transaction.changed(record.id, EventType.SESSION_CREATED)
            return load_session(db, record.id, deleted=True)

        return await self._file.write(work)

    async def discard(self, session_id: SessionId) -> None:
        """Give up a session that nobody has seen; the purge takes its rows away.

        Where even that can't be written, as on a full disk, the next import through this object takes its place.
        """
        now = self._clock()
        self._given_up.add(session_id)

        def work(transaction: Transaction) -> None:
            transaction.db.execute(
                "UPDATE sessions SET hidden = ?, hidden_at = ? WHERE id = ? AND hidden = ?",
                (Hidden.PURGING, now, session_id, Hidden.IMPORTING),
            )

        await self._file.write(work)
        self._given_up.discard(session_id)

    async def append(
        self,
        session_id: SessionId,
        messages: Sequence[Message],
        change: Callable[[SessionRecord], SessionRecord],
        answered: Sequence[Message] = (),
    ) -> SessionRecord:
        """Store more messages at a session's end and apply `change` to it, in one transaction.

        The stored messages that are `answered` get what became of their calls.
        Raises SessionNotFound (also for a deleted one), LeaseHeld, and StoreBusy while a turn runs in it.
        """

        def work(transaction: Transaction) -> SessionRecord:
            db = transaction.db
            before = load_session(db, session_id)
            self._check_free(transaction, session_id)
            if before.status is SessionStatus.RUNNING:
                raise StoreBusy("a turn is running in the session")
            for each in answered:
                answer_calls(db, evolve(each, session_id=session_id))
            _append(transaction, session_id, messages)
            before = load_session(db, session_id)
            update_session(db, before, change(before))
            transaction.changed(session_id, EventType.SESSION_UPDATED)
            return load_session(db, session_id)

        return await self._file.write(work, on=session_id)

    def _make(self, transaction: Transaction, record: SessionRecord, hidden: Hidden, now: int) -> None:
        db = transaction.db
        held = db.execute("SELECT hidden, hidden_at FROM sessions WHERE id = ?", (record.id,)).fetchone()
        if held is not None and held[0] == Hidden.IMPORTING:
            if now - (held[1] or 0) < ABANDONED_MS and record.id not in self._given_up:
                raise StoreBusy("another import brings the same session in")
            remove_rows(db, record.id)
        insert_session(db, evolve(record, message_count=0, last_seq=0, last_message=None), hidden, now)


def _append(transaction: Transaction, session_id: SessionId, messages: Sequence[Message]) -> None:
    if not messages:
        return
    db = transaction.db
    last = db.execute("SELECT last_seq FROM sessions WHERE id = ?", (session_id,)).fetchone()[0]
    placed = [
        evolve(numbered(message, message.id, last + count, message.timestamp), session_id=session_id)
        for count, message in enumerate(messages, 1)
    ]
    insert_messages(db, placed)
    count_messages(db, len(placed), placed[-1], placed[-1].timestamp)
