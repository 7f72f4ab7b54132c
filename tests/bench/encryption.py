"""An encrypted store beside a plain one in the same run: adding, reading, converting, and searching after unlocking."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import psutil

from kore_ls import Cipher, SQLiteStore
from kore_ls.model.message import Message, Role
from kore_ls.model.search import SearchPage, SearchQuery
from kore_ls.storage.cipher import Cost
from tests.bench.clock import median
from tests.bench.corpus import session
from tests.bench.raw_commit import TEXT
from tests.bench.row import Row
from tests.bench.scale import Scale
from tests.bench.search import fill
from tests.bench.search_text import COMMON_PHRASE, RARE_WORD

PAGE = 100
CIPHER = Cipher("a passphrase", cost=Cost(n=2, r=1, p=1))
REAL = Cipher("a passphrase")
QUERIES = (RARE_WORD, COMMON_PHRASE, "认证")


def measure(scale: Scale, directory: Path) -> list[Row]:
    """Adds and pages in turns; then one store, encrypted and searched."""
    return asyncio.run(_measure(scale, directory))


async def _measure(scale: Scale, directory: Path) -> list[Row]:
    return [*await _in_turns(scale, directory), *await _searched(scale.encrypted, directory)]


async def _in_turns(scale: Scale, directory: Path) -> list[Row]:
    stores = [SQLiteStore(directory / "plain.db"), SQLiteStore(directory / "encrypted.db", CIPHER)]
    added: list[list[float]] = [[], []]
    paged: list[list[float]] = [[], []]
    try:
        for store in stores:
            await store.create_session(session(0))
        for number in range(scale.rounds + 1):
            for which, store in enumerate(stores):
                taken = [await _add(store) for _ in range(scale.calls)]
                pages = [await _page(store) for _ in range(10)]
                if number:  # the first round warms up
                    added[which] += taken
                    paged[which] += pages
    finally:
        for store in stores:
            await store.close()
    add, page = [median(each) for each in added], [median(each) for each in paged]
    return [
        Row(name="add in the store, plain", value=add[0] * 1e3, unit="us"),
        Row(name="add in the store, encrypted", value=add[1] * 1e3, unit="us"),
        Row(name="add, encrypted to plain", value=add[1] / add[0], unit="x", at_most=1.2),
        Row(name=f"page of {PAGE}, plain", value=page[0], unit="ms"),
        Row(name=f"page of {PAGE}, encrypted", value=page[1], unit="ms"),
        Row(name="page, encrypted to plain", value=page[1] / page[0], unit="x", at_most=1.5),
    ]


async def _add(store: SQLiteStore) -> float:
    start = time.perf_counter()
    await store.add_message(Message(session_id=session(0).id, role=Role.USER, content=TEXT))
    return (time.perf_counter() - start) * 1e3


async def _page(store: SQLiteStore) -> float:
    start = time.perf_counter()
    await store.list_messages(session(0).id, limit=PAGE)
    return (time.perf_counter() - start) * 1e3


async def _searched(size: int, directory: Path) -> list[Row]:
    path = directory / "searched.db"
    store = SQLiteStore(path)
    await store.create_session(session(10**9))
    await store.close()
    fill(path, size)
    store = SQLiteStore(path)
    try:
        await store.search(SearchQuery(text=RARE_WORD, budget=None))
        plain = [await _search(store, text) for text in QUERIES for _ in range(5)]
        start = time.perf_counter()
        await store.encryption.encrypt(REAL)
        converted = time.perf_counter() - start
    finally:
        await store.close()

    memory = psutil.Process().memory_info().rss
    store = SQLiteStore(path)
    try:
        start = time.perf_counter()
        await store.encryption.unlock(Cipher("a passphrase"))
        answer = await store.search(SearchQuery(text=RARE_WORD))
        first = time.perf_counter() - start
        await store.search(SearchQuery(text=RARE_WORD, budget=None))
        whole = time.perf_counter() - start
        grown = psutil.Process().memory_info().rss - memory
        times = [await _search(store, text) for text in QUERIES for _ in range(5)]
        indexed = (await store.status()).indexed_messages
    finally:
        await store.close()
    label = f"encrypted, {size:,} messages"
    full = size >= 100_000
    return [
        Row(name=f"{label}: converted", value=size / converted, unit="messages/s"),
        Row(
            name=f"{label}: first answer after unlock",
            value=first,
            unit="s",
            at_most=1.5 if full else None,
            note=_shortcoming(answer),
        ),
        Row(name=f"{label}: fully indexed after unlock", value=whole, unit="s", note=f"{indexed:,} messages"),
        Row(name=f"{label}: memory of the index", value=grown / (1 << 20), unit="MiB"),
        Row(name=f"plain, {size:,} messages: search p50, indexed", value=median(plain), unit="ms"),
        Row(name=f"{label}: search p50, indexed", value=median(times), unit="ms"),
        Row(name="search p50, encrypted to plain", value=median(times) / median(plain), unit="x"),
    ]


def _shortcoming(answer: SearchPage) -> str:
    """What makes a quick answer a bad one; empty for one that is whole."""
    if not answer.hits:
        return "EMPTY, so it is no answer" + (": time was up" if answer.truncated else "")
    return f"TRUNCATED: time was up after {len(answer.hits)} hits" if answer.truncated else ""


async def _search(store: SQLiteStore, text: str) -> float:
    start = time.perf_counter()
    await store.search(SearchQuery(text=text))
    return (time.perf_counter() - start) * 1e3
