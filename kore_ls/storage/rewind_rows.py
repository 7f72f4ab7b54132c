"""Taking a session back to before one of its messages: what follows moves to a copy. Run inside a transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeAlias

from attrs import evolve, frozen

from kore_ls.errors import SessionBusy, SessionClosed
from kore_ls.model.event import EventType
from kore_ls.model.ids import MessageId, SessionId
from kore_ls.model.message import Message
from kore_ls.model.session import SessionRecord, SessionStatus
from kore_ls.model.turn import Turn
from kore_ls.storage.codec import codec_of
from kore_ls.storage.counting import recount
from kore_ls.storage.lease_rows import held_lease
from kore_ls.storage.message_rows import copy_messages, find_message
from kore_ls.storage.note_rows import copy_notes, forget_elsewhere
from kore_ls.storage.sealing import reseal
from kore_ls.storage.session_rows import change_session, insert_session, load_session
from kore_ls.storage.turn_values import TURN_COLUMNS, turn_of
from kore_ls.storage.writer import Transaction

Copied: TypeAlias = Callable[[SessionRecord], SessionRecord]

_TAIL = {
    "agent_notes": "t.session_id = ?2 AND t.name IN (SELECT uid FROM messages WHERE session_id = ?2 AND seq >= ?3)",
    "tool_calls": "t.message_id IN (SELECT id FROM messages WHERE session_id = ?2 AND seq >= ?3)",
    "messages": "t.session_id = ?2 AND t.seq >= ?3",
    "audit": "t.turn_id IN (SELECT id FROM turns WHERE session_id = ?2 AND first_seq >= ?3)",
    "turns": "t.session_id = ?2 AND t.first_seq >= ?3",
}
"""The rows that move, in an order in which each is still found by where the others are."""


@frozen(kw_only=True)
class RewindPoint:
    """The message that a session would go back to, and how many messages (it included) and which turns follow.

    The turns are newest first.
    """

    message: Message
    following: int
    turns: tuple[Turn, ...]


@frozen(kw_only=True)
class Rewound:
    """The session as it is now, the copy that holds all there was, and what moved there."""

    session: SessionRecord
    kept: SessionRecord
    point: RewindPoint


def rewind_point(db: sqlite3.Connection, session_id: SessionId, message_id: MessageId) -> RewindPoint:
    """Raises SessionNotFound, MessageNotFound."""
    session = load_session(db, session_id)
    message = find_message(db, session_id, message_id)
    rows = db.execute(
        f"SELECT {TURN_COLUMNS} FROM turns WHERE session_id = ? AND first_seq >= ? ORDER BY num DESC",
        (session_id, message.seq),
    ).fetchall()
    turns = tuple(turn_of(row, codec_of(db)) for row in rows)
    return RewindPoint(message=message, following=session.last_seq - message.seq + 1, turns=turns)


def rewind_session(
    transaction: Transaction, session_id: SessionId, message_id: MessageId, copied: Copied, now: int
) -> Rewound:
    """Go back to before a message; `copied` makes the copy's record out of the session's.

    The copy gets the messages before as copies, and those from the message on themselves, with their turns: they keep
    their ids. Raises SessionNotFound, MessageNotFound, SessionClosed, SessionBusy.
    """
    db = transaction.db
    before = load_session(db, session_id)
    if before.status is SessionStatus.CLOSED:
        raise SessionClosed(sessionId=session_id)
    if before.status is SessionStatus.RUNNING or held_lease(db, session_id) is not None:
        raise SessionBusy(sessionId=session_id)
    point = rewind_point(db, session_id, message_id)
    first = point.message.seq
    kept = evolve(copied(before), forked_at_seq=first - 1, message_count=0, last_seq=0, last_message=None)
    insert_session(db, kept)
    copy_messages(db, session_id, kept.id, first - 1)
    copy_notes(db, session_id, kept.id, first - 1)
    forget_elsewhere(db, session_id)
    _move_tail(db, session_id, kept.id, first)
    for each in (session_id, kept.id):
        recount(db, each)
    _, session = change_session(db, session_id, lambda record: evolve(record, updated_at=now))
    transaction.changed(kept.id, EventType.SESSION_CREATED)
    transaction.changed(session_id, EventType.SESSION_REWOUND)
    return Rewound(session=session, kept=load_session(db, kept.id), point=point)


def _move_tail(db: sqlite3.Connection, source: SessionId, target: SessionId, first: int) -> None:
    places = (target, source, first)
    if codec_of(db) is not None:  # what is bound to the session's id is encrypted anew
        for table, rows in _TAIL.items():
            reseal(db, table, rows, places)
    for table, rows in _TAIL.items():
        if table != "tool_calls":
            db.execute(f"UPDATE {table} AS t SET session_id = ?1 WHERE {rows}", places)
    db.execute("UPDATE turns SET last_seq = ? WHERE session_id = ? AND last_seq >= ?", (first - 1, source, first))
