"""Stores filled straight through SQLite, in one transaction, with rows as the store itself would write them."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from kore_ls.model.ids import MessageId, SessionId
from kore_ls.model.message import Message, Role
from kore_ls.model.mode import AgentMode
from kore_ls.model.session import SessionRecord
from kore_ls.storage.message_rows import count_messages, insert_messages
from kore_ls.storage.session_rows import insert_session
from tests.bench.raw_commit import TEXT

NOW = 1_800_000_000_000
_PER_SESSION = 10_000


def session(number: int) -> SessionRecord:
    """A session that was changed `number` seconds after the first."""
    return SessionRecord(
        id=SessionId(f"session-{number:012}"),
        name=f"Session {number}",
        agent_mode=AgentMode.BUILD,
        created_at=NOW,
        updated_at=NOW + 1_000 * number,
        metadata={"branch": "main"},
        tags=("bench",),
    )


def message(session_id: SessionId, seq: int) -> Message:
    """The message at this place of a session; 500 bytes."""
    return Message(
        id=MessageId(f"01a2022b-6a93-7193-b610-{seq:012x}"),
        session_id=session_id,
        seq=seq,
        role=Role.USER if seq % 2 else Role.ASSISTANT,
        content=TEXT,
        timestamp=NOW + seq,
    )


def fill_sessions(path: Path, count: int) -> None:
    """Add sessions 0 to `count` - 1 to the store at `path`."""
    with _transaction(path) as db:
        for number in range(count):
            insert_session(db, session(number))


def fill_messages(path: Path, count: int) -> None:
    """Add `count` messages, 10,000 to a session, from session 0 on."""
    with _transaction(path) as db:
        for first in range(0, count, _PER_SESSION):
            owner = session(first // _PER_SESSION)
            last = min(_PER_SESSION, count - first)
            insert_session(db, owner)
            insert_messages(db, (message(owner.id, seq) for seq in range(1, last + 1)))
            count_messages(db, last, message(owner.id, last), NOW)


@contextlib.contextmanager
def _transaction(path: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield db
        db.execute("COMMIT")
