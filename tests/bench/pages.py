"""Pages of sessions and of messages as the store gives them, at the top and deep down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from kore_ls import SQLiteStore
from kore_ls.storage.session_rows import SessionQuery, position_of
from tests.bench.clock import median
from tests.bench.corpus import fill_messages, fill_sessions, session
from tests.bench.row import Row
from tests.bench.scale import Scale

PAGE = 50
MESSAGE_PAGE = 100


def measure(scale: Scale, directory: Path) -> list[Row]:
    """Session pages in one store, message pages in another."""
    return asyncio.run(_measure(scale, directory))


async def _measure(scale: Scale, directory: Path) -> list[Row]:
    sessions, messages = await _store(directory / "sessions.db"), await _store(directory / "messages.db")
    fill_sessions(sessions.path, scale.sessions)
    fill_messages(messages.path, scale.history + scale.beside)
    try:
        return [*await _session_pages(scale, sessions), *await _message_pages(scale, messages)]
    finally:
        await sessions.close()
        await messages.close()


async def _store(path: Path) -> SQLiteStore:
    """A store whose file is there."""
    store = SQLiteStore(path)
    await store.create_session(session(10**9))
    return store


async def _session_pages(scale: Scale, store: SQLiteStore) -> list[Row]:
    deep = position_of(session(scale.sessions // 10))
    top_time, deep_time = await in_turns(
        scale.pages,
        lambda: store.list_sessions(SessionQuery(limit=PAGE)),
        lambda: store.list_sessions(SessionQuery(limit=PAGE, after=deep)),
    )
    among = f"{PAGE} of {scale.sessions:,} sessions"
    return [
        Row(name="session page at the top", value=top_time, unit="ms", at_most=2, note=f"{among}, in the store"),
        Row(name="session page deep", value=deep_time, unit="ms", at_most=2, note="after nine tenths of them"),
    ]


async def _message_pages(scale: Scale, store: SQLiteStore) -> list[Row]:
    owner = session(0).id
    newest, middle = await in_turns(
        scale.pages,
        lambda: store.list_messages(owner, limit=MESSAGE_PAGE),
        lambda: store.list_messages(owner, after=scale.history // 2, limit=MESSAGE_PAGE),
    )
    among = f"{MESSAGE_PAGE} of a session's {scale.history:,} messages"
    beside = f", {scale.beside:,} more beside" if scale.beside else ""
    return [
        Row(name="message page, newest", value=newest, unit="ms", note=f"{among}, in the store{beside}"),
        Row(name="message page, middle", value=middle, unit="ms"),
    ]


async def in_turns(count: int, *reads: Callable[[], Awaitable[object]]) -> list[float]:
    """The median time of each read in milliseconds; the first turn warms up."""
    times: list[list[float]] = [[] for _ in reads]
    for number in range(count + 1):
        for read, taken in zip(reads, times, strict=True):
            start = time.perf_counter()
            await read()
            if number:
                taken.append((time.perf_counter() - start) * 1_000)
    return [median(taken) for taken in times]
