"""A searched database in memory, and all that a query finds in it, page by page."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from attrs import evolve

from kore_ls.model.ids import MessageId, SessionId
from kore_ls.model.message import Message, Role
from kore_ls.model.mode import AgentMode
from kore_ls.model.search import SearchHit, SearchPage, SearchPosition, SearchQuery
from kore_ls.model.session import SessionRecord
from kore_ls.storage.codec import Codec, StoreConnection
from kore_ls.storage.memory_index import attach_index
from kore_ls.storage.message_rows import count_messages, insert_messages
from kore_ls.storage.migrations import migrate
from kore_ls.storage.sealing import install
from kore_ls.storage.search_index import index_step
from kore_ls.storage.search_rows import search
from kore_ls.storage.session_rows import insert_session

NOW = 1_780_000_000_000


def session(session_id: str, **fields: Any) -> SessionRecord:
    values: dict[str, Any] = {"name": session_id, "agent_mode": AgentMode.BUILD, "created_at": NOW, "updated_at": NOW}
    return SessionRecord(id=SessionId(session_id), **values | fields)


def message(session_id: str, seq: int, content: str, role: Role = Role.USER, timestamp: int = NOW) -> Message:
    return Message(
        id=MessageId(f"{session_id}-{seq}"),
        session_id=SessionId(session_id),
        seq=seq,
        role=role,
        content=content,
        timestamp=timestamp,
    )


@contextmanager
def database(
    texts: Sequence[str], *, sessions: int = 1, indexed: bool = True, encrypted: bool = False
) -> Iterator[sqlite3.Connection]:
    """Sessions s0, s1, ... to which the messages are added in turns."""
    with closing(sqlite3.connect(":memory:", isolation_level=None, factory=StoreConnection)) as db:
        migrate(db)
        if encrypted:
            install(db, Codec(1, bytes(32)))
            attach_index(db)
        db.execute("BEGIN")
        for number in range(sessions):
            insert_session(db, session(f"s{number}"))
        for number, text in enumerate(texts):
            seq, owner = divmod(number, sessions)
            added = message(f"s{owner}", seq + 1, text, timestamp=NOW - 1_000 * (len(texts) - number))
            insert_messages(db, [added])
            count_messages(db, 1, added, NOW)
        db.execute("COMMIT")
        if indexed:
            index_all(db)
        yield db


def index_all(db: sqlite3.Connection, rows: int = 100) -> None:
    while index_rows(db, rows):
        pass


def index_rows(db: sqlite3.Connection, rows: int) -> int:
    db.execute("BEGIN IMMEDIATE")
    done = index_step(db, rows)
    db.execute("COMMIT")
    return done


def pages(db: sqlite3.Connection, query: SearchQuery, **options: Any) -> Iterator[SearchPage]:
    """All pages of a query."""
    after: SearchPosition | None = query.after
    while True:
        page = search(db, evolve(query, after=after), now=NOW, **options)
        yield page
        if page.position is None:
            return
        assert page.position != after, "a page goes on"
        after = page.position


def hits(db: sqlite3.Connection, text: str, **filters: Any) -> list[SearchHit]:
    """All hits of all pages without a time budget; on no page a session twice."""
    found: list[SearchHit] = []
    for page in pages(db, SearchQuery(text=text, budget=None, **filters)):
        assert not page.truncated
        assert len({hit.session.id for hit in page.hits}) == len(page.hits) <= (filters.get("limit") or 20)
        assert [hit.score for hit in page.hits] == sorted((hit.score for hit in page.hits), reverse=True)
        found += page.hits
    return found


def message_ids(found: Sequence[SearchHit]) -> list[str]:
    """The messages found; never one of them twice."""
    ids = [match.message_id for hit in found for match in hit.matches]
    assert len(set(ids)) == len(ids)
    return sorted(ids)
