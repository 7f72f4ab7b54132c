"""Statements that bring whole sessions in: staged out of sight in small transactions, shown in one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence

from attrs import evolve, frozen

from kore_ls.errors import SessionExists, StoreBusy
from kore_ls.model.bundle import OnConflict, SessionBundle
from kore_ls.model.event import EventType
from kore_ls.model.ids import IdSource, SessionId
from kore_ls.model.message import Message
from kore_ls.model.session import ForkPoint, LastMessage, SessionRecord, preview_of
from kore_ls.storage.codec import codec_of
from kore_ls.storage.message_rows import copy_messages, find_message, insert_messages, list_messages
from kore_ls.storage.note_rows import copy_notes
from kore_ls.storage.sealing import reseal
from kore_ls.storage.session_rows import Hidden, insert_session, load_session, remove_rows
from kore_ls.storage.writer import Transaction

BATCH_MESSAGES = 500
BATCH_CHARS = 4 << 20
_OWN_ROWS = {
    "tool_calls": "t.message_id IN (SELECT id FROM messages WHERE session_id = ?2)",
    "messages": "t.session_id = ?2",
    "sessions": "t.id = ?2",
}
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
    """Make a hidden session for each bundle; (staged, ids skipped). Raises SessionExists where that is asked for.

    It is staged under its own id if no row has that, so that nothing needs to be renamed at the end. A hidden row
    with its id, of an import that is under way or dead, is no conflict: whoever is shown first has it.
    """
    staged: list[StagedSession] = []
    skipped: list[SessionId] = []
    for bundle in bundles:
        final = staged_id = bundle.record.id
        holder = _holder(db, final)
        if holder is not None:
            staged_id = SessionId(new_id())
        if holder is not None and not holder.hidden:
            if on_conflict is OnConflict.ERROR:
                raise SessionExists(sessionId=final, deleted=holder.deleted or None)
            if on_conflict is OnConflict.SKIP:
                skipped.append(final)
                continue
            if on_conflict is OnConflict.COPY:
                final = staged_id
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


@frozen
class _Holder:
    hidden: bool
    deleted: bool


def _holder(db: sqlite3.Connection, session_id: SessionId) -> _Holder | None:
    """What row has this id now."""
    row = db.execute("SELECT hidden, deleted_at FROM sessions WHERE id = ?", (session_id,)).fetchone()
    return None if row is None else _Holder(bool(row[0]), row[1] is not None)


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
    """Store some of a staged session's messages. Raises StoreBusy if the staging was swept away."""
    alive = db.execute("UPDATE sessions SET hidden_at = ? WHERE id = ? AND hidden = 1", (now, session.staged_id))
    if not alive.rowcount:
        raise StoreBusy("another import took this one's place")
    insert_messages(db, (evolve(message, session_id=session.staged_id) for message in messages))


def publish(
    transaction: Transaction,
    staged: Sequence[StagedSession],
    on_conflict: OnConflict,
    check_free: Callable[[Transaction, SessionId], None],
    now: int,
) -> tuple[list[SessionRecord], list[SessionId]]:
    """Show all staged sessions at once, replaced ones going in the same transaction; (shown, ids skipped after all).

    Raises StoreBusy if the staging was swept away, SessionExists if an id was taken meanwhile, and what `check_free`
    raises for a session that would be replaced.
    """
    db = transaction.db
    db.execute("PRAGMA defer_foreign_keys = ON")
    shown: list[SessionId] = []
    skipped: list[SessionId] = []
    for each in staged:
        final = each.final_id
        if final != each.staged_id and (holder := _holder(db, final)) is not None:
            if holder.hidden or on_conflict is OnConflict.REPLACE:
                if not holder.hidden:
                    check_free(transaction, final)
                remove_rows(db, final)
            elif on_conflict is OnConflict.ERROR:
                raise SessionExists(sessionId=final, deleted=holder.deleted or None)
            elif on_conflict is OnConflict.COPY:
                final = each.staged_id
            else:
                discard(db, [each], now)
                skipped.append(final)
                continue
        if final != each.staged_id:
            give_id(db, each.staged_id, final)
        done = db.execute("UPDATE sessions SET hidden = 0, hidden_at = NULL WHERE id = ? AND hidden = 1", (final,))
        if not done.rowcount:
            raise StoreBusy("another import took this one's place")
        transaction.changed(final, EventType.SESSION_CREATED)
        shown.append(final)
    return [load_session(db, session_id, deleted=True) for session_id in shown], skipped


def give_id(db: sqlite3.Connection, session_id: SessionId, new_id: SessionId) -> None:
    """Change a session's id; the caller has seen to it that no other row has it, and defers foreign keys."""
    if codec_of(db) is not None:  # what is bound to the id is encrypted anew, as long as it can still be opened
        for table, rows in _OWN_ROWS.items():
            reseal(db, table, rows, (new_id, session_id))
    db.execute("UPDATE messages SET session_id = ? WHERE session_id = ?", (new_id, session_id))
    db.execute("UPDATE sessions SET id = ? WHERE id = ? AND hidden = 1", (new_id, session_id))


def discard(db: sqlite3.Connection, staged: Sequence[StagedSession], now: int) -> None:
    """Give up an import; the purge takes its rows away."""
    db.executemany(
        "UPDATE sessions SET hidden = ?, hidden_at = ? WHERE id = ? AND hidden = ?",
        [(Hidden.PURGING, now, each.staged_id, Hidden.IMPORTING) for each in staged],
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
    copy_notes(db, source.id, forked.id, seq)
    transaction.changed(forked.id, EventType.SESSION_CREATED)
    return forked
