"""Full-text search: what the index costs, and how long a first page takes, over a fixed list of queries."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path

from kore_ls import SQLiteStore
from kore_ls.model.ids import SessionId
from kore_ls.model.search import SearchQuery
from tests.bench.clock import median
from tests.bench.corpus import session
from tests.bench.row import Row
from tests.bench.scale import Scale
from tests.bench.search_text import APART, COMMON_PHRASE, RARE_PHRASE, RARE_WORD, Writer

IN_SESSION = 1_000
QUERIES = (
    RARE_WORD,
    RARE_PHRASE,
    COMMON_PHRASE,
    "认证",
    "数据库连接",
    "帮我实现全文搜索",
    "request",
    "the",
    "test function",
    " ".join(APART),
    "handler -token",
    f"{COMMON_PHRASE} request",
    '"the message"',
)
"""Rare and common, two to eight characters of Chinese, two common words that never meet, an exclusion, phrases."""
SINGLE = "的"


def measure(scale: Scale, directory: Path) -> list[Row]:
    """One store per size in `scale.searched`."""
    rows: list[Row] = []
    for size in scale.searched:
        rows += asyncio.run(_measure(size, scale.searches, directory / f"search-{size}.db"))
    return rows


async def _measure(size: int, rounds: int, path: Path) -> list[Row]:
    store = SQLiteStore(path)
    await store.create_session(session(10**9))
    await store.close()
    text = fill(path, size)
    store = SQLiteStore(path)
    try:
        start = time.process_time()
        await store.search(SearchQuery(text=RARE_WORD, budget=None))
        built = time.process_time() - start
        everywhere = await _times(store, rounds, None)
        inside = await _times(store, rounds, SessionId("s0"))
        single = await first_pages(store, rounds, SINGLE, None)
    finally:
        await store.close()
    label = f"search of {size:,}"
    return [
        Row(name=f"{label}: indexed", value=size / built, unit="messages/CPU s"),
        Row(
            name=f"{label}: index per text",
            value=_index_bytes(path) / text,
            unit="x",
            at_most=1.3 if size >= 100_000 else None,
        ),
        Row(name=f"{label}: p50", value=median(everywhere), unit="ms", note="first pages of a fixed list of queries"),
        Row(name=f"{label}: p95", value=p95(everywhere), unit="ms", at_most=50),
        Row(name=f"{label}: p95 in a session", value=p95(inside), unit="ms", at_most=50),
        Row(name=f"{label}: one character p50", value=median(single), unit="ms"),
    ]


async def _times(store: SQLiteStore, rounds: int, inside: SessionId | None) -> list[float]:
    return [taken for query in QUERIES for taken in await first_pages(store, rounds, query, inside)]


async def first_pages(store: SQLiteStore, rounds: int, query: str, inside: SessionId | None) -> list[float]:
    taken: list[float] = []
    for number in range(rounds + 1):
        start = time.perf_counter()
        await store.search(SearchQuery(text=query, session_id=inside))
        if number:  # the first one warms up
            taken.append((time.perf_counter() - start) * 1e3)
    return taken


def p95(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.95)]


def fill(path: Path, size: int) -> int:
    """Sessions of 1,000 messages that were written eight at a time; the bytes of text."""
    writer, total = Writer(1), 0
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.execute("PRAGMA synchronous = OFF")
        db.execute("BEGIN")
        for number in range(-(-size // IN_SESSION)):
            db.execute(
                "INSERT INTO sessions (id, num, name, agent_mode, status, created_at, updated_at, message_count, "
                "last_seq) VALUES (?, ?, ?, 'build', 'idle', ?, ?, ?, ?)",
                (f"s{number}", number + 2, f"会话 {number}", number, number, IN_SESSION, IN_SESSION),
            )
        for number in range(size):
            group, place = divmod(number, IN_SESSION * 8)
            owner = min(group * 8 + place % 8, -(-size // IN_SESSION) - 1)
            content = writer.message()
            total += len(content.encode())
            db.execute(
                "INSERT INTO messages (session_id, role, content, timestamp, uid, seq) VALUES (?, ?, ?, ?, ?, ?)",
                (f"s{owner}", "user", content, number, f"m{number}", number + 1),
            )
        db.execute("UPDATE meta SET value = ? WHERE key = 'sessions_made'", (-(-size // IN_SESSION) + 1,))
        db.execute("COMMIT")
    finally:
        db.close()
    return total


def _index_bytes(path: Path) -> int:
    db = sqlite3.connect(path)
    try:
        sums = (
            db.execute(f"SELECT coalesce(sum(length({column})), 0) FROM messages_fts_{table}").fetchone()[0]
            for table, column in (("data", "block"), ("docsize", "sz"))
        )
        return sum(int(each) for each in sums)
    finally:
        db.close()
