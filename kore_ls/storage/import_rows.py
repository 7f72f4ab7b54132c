"""Statements that bring whole sessions in: staged out of sight in small transactions, shown in one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from attrs import evolve, frozen

from kore_ls.errors import SessionExists, SessionNotFound
from kore_ls.model.bundle import OnConflict, SessionBundle
from kore_ls.model.event import EventType
from kore_ls.model.ids import IdSource, SessionId
from kore_ls.model.message import Message
from kore_ls.model.session import ForkPoint, LastMessage, SessionRecord, preview_of
from kore_ls.storage.message_rows import copy_messages, find_message, insert_messages, list_messages
from kore_ls.storage.session_rows import Hidden, insert_session, load_session, remove_rows
from kore_ls.storage.writer import Transaction

BATCH_MESSAGES = 500
BATCH_CHARS = 4 << 20
ABANDONED_MS = 600_000
"""An import that shows no life for this long is taken for dead and swept away."""


@frozen(kw_only=True)
class StagedSession:
    """A bundle on its way in: the id it is staged under, and the one it will have."""

    staged_id: SessionId
    final_id: SessionId
    bundle: SessionBundle


def last_message_of(message: Message | None) -> LastMessage | None:
    """What a list shows of a newest message."""
    if message is None:
        return None
    return LastMessage(
        seq=message.seq, role=message.role, preview=preview_of(message.content), timestamp=message.timestamp
    )


def stage(
    db: sqlite3.Connection, bundles: Sequence[SessionBundle], on_conflict: OnConflict, new_id: IdSource, now: int
) -> tuple[list[StagedSession], list[SessionId]]:
    """Reserve an id for each bundle; (staged, ids skipped). Raises SessionExists where `on_conflict` is ERROR."""
    staged: list[StagedSession] = []
    skipped: list[SessionId] = []
    for bundle in bundles:
        final = staged_id = bundle.record.id
        if (taken := _taken(db, final)) is not None:
            if on_conflict is OnConflict.ERROR:
                raise taken
            if on_conflict is OnConflict.SKIP:
                skipped.append(final)
                continue
            staged_id = SessionId(new_id())
            final = staged_id if on_conflict is OnConflict.COPY else final
        record = evolve(
            bundle.record,
            id=staged_id,
            message_count=len(bundle.messages),
            last_seq=len(bundle.messages),
            last_message=last_message_of(bundle.messages[-1] if bundle.messages else None),
        )
        insert_session(db, record, Hidden.IMPORTING, now)
        staged.append(StagedSession(staged_id=staged_id, final_id=final, bundle=bundle))
    return staged, skipped


def _taken(db: sqlite3.Connection, session_id: SessionId) -> SessionExists | None:
    row = db.execute(
        "SELECT deleted_at FROM sessions WHERE id = ? AND hidden <> ?", (session_id, Hidden.PURGING)
    ).fetchone()
    if row is None:
        return None
    return SessionExists(sessionId=session_id, deleted=True if row[0] is not None else None)


def batches(bundle: SessionBundle) -> Iterator[list[Message]]:
    """A bundle's messages in transactions of a bearable length."""
    batch: list[Message] = []
    chars = 0
    for message in bundle.messages:
        batch.append(message)
        chars += len(message.content)
        if len(batch) == BATCH_MESSAGES or chars > BATCH_CHARS:
            yield batch
            batch, chars = [], 0
    if batch:
        yield batch


def add_batch(db: sqlite3.Connection, session: StagedSession, messages: Sequence[Message], now: int) -> None:
    """Store some of a staged session's messages. Raises SessionNotFound if the staging was swept away."""
    alive = db.execute("UPDATE sessions SET hidden_at = ? WHERE id = ? AND hidden = 1", (now, session.staged_id))
    if not alive.rowcount:
        raise SessionNotFound(sessionId=session.final_id)
    insert_messages(db, (evolve(message, session_id=session.staged_id) for message in messages))


def publish(transaction: Transaction, staged: Sequence[StagedSession]) -> list[SessionRecord]:
    """Show all staged sessions at once; a replaced one goes in the same transaction."""
    db = transaction.db
    db.execute("PRAGMA defer_foreign_keys = ON")
    for each in staged:
        if each.final_id != each.staged_id:
            remove_rows(db, each.final_id)
            db.execute("UPDATE messages SET session_id = ? WHERE session_id = ?", (each.final_id, each.staged_id))
        db.execute(
            "UPDATE sessions SET id = ?, hidden = 0, hidden_at = NULL WHERE id = ? AND hidden = 1",
            (each.final_id, each.staged_id),
        )
        transaction.changed(each.final_id, EventType.SESSION_CREATED)
    return [load_session(db, each.final_id, deleted=True) for each in staged]


def discard(db: sqlite3.Connection, staged: Sequence[StagedSession]) -> None:
    """Give up an import; the purge takes its rows away."""
    db.executemany(
        "UPDATE sessions SET hidden = ? WHERE id = ? AND hidden = ?",
        [(Hidden.PURGING, each.staged_id, Hidden.IMPORTING) for each in staged],
    )


def fork_session(transaction: Transaction, record: SessionRecord, point: ForkPoint) -> SessionRecord:
    """Store `record` as a copy of its parent up to the fork point. Raises SessionNotFound, MessageNotFound."""
    db = transaction.db
    source = load_session(db, SessionId(record.parent_id or ""))
    last: Message | None = None
    if point.message_id is not None:
        last = find_message(db, source.id, point.message_id)
    elif not point.empty:
        last = next(iter(list_messages(db, source.id, after=None, before=None, limit=1).messages), None)
    seq = last.seq if last else 0
    forked = evolve(record, forked_at_seq=seq, message_count=seq, last_seq=seq, last_message=last_message_of(last))
    insert_session(db, forked)
    copy_messages(db, source.id, forked.id, seq)
    transaction.changed(forked.id, EventType.SESSION_CREATED)
    return forked
