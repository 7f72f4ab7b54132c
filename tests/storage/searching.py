"""What tests of a store that is searched share: filling it, searching it, and looking at its file."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from attrs import evolve

from kore_ls.model.bundle import OnConflict
from kore_ls.model.event import EventType
from kore_ls.model.ids import SessionId
from kore_ls.model.search import SearchQuery
from kore_ls.storage.keys import read_wrapped
from kore_ls.storage.search_index import missing, newest, out_of_step
from kore_ls.storage.store import SQLiteStore
from tests.storage.values import bundle, message, record


async def found(store: SQLiteStore, text: str, **options: Any) -> list[str]:
    """The ids of the sessions found, sorted."""
    page = await store.search(SearchQuery(text=text, **options))
    return sorted(hit.session.id for hit in page.hits)


async def add(store: SQLiteStore, session_id: str, *texts: str) -> None:
    """A new session, named by its id, with these messages."""
    await store.create_session(record(session_id, name=session_id))
    for text in texts:
        await store.add_message(message(session_id, text))


async def change(store: SQLiteStore, session_id: str, **fields: Any) -> None:
    await store.change_session(
        SessionId(session_id), lambda before: evolve(before, **fields), EventType.SESSION_UPDATED, deleted=True
    )


def raw(path: Path, sql: str, *values: Any) -> list[Any]:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        return db.execute(sql, values).fetchall()


def in_step(path: Path) -> bool:
    """Whether the index in the file has all that it should have: of an encrypted store nothing at all."""
    with closing(sqlite3.connect(path)) as db:
        if read_wrapped(db) is not None:
            return not db.execute("SELECT 1 FROM sqlite_master WHERE name GLOB '*_fts*'").fetchall()
        return not missing(db, newest(db)) and not out_of_step(db)


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what the store does by itself and tells nobody."""
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def fill(path: Path, count: int) -> None:
    """A closed store with one session of so many messages."""
    store = SQLiteStore(path)
    await store.import_sessions([bundle("big", count)], OnConflict.ERROR)
    await store.close()
