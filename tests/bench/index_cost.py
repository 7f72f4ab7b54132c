"""What the search index costs whoever adds a message: two stores in turns, one of which keeps an index."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from kore_ls.model.ids import MessageId, SessionId, new_id
from kore_ls.model.message import Message, Role
from kore_ls.storage.message_rows import add_message
from kore_ls.storage.opening import OpenStore, open_store
from kore_ls.storage.session_rows import insert_session
from kore_ls.storage.writer import Transaction
from tests.bench.clock import median
from tests.bench.corpus import NOW, session
from tests.bench.row import Row
from tests.bench.scale import Scale
from tests.bench.search_text import Writer


def measure(scale: Scale, directory: Path) -> list[Row]:
    """Adds one at a time; between the rounds, the store that has an index brings it in step."""
    return asyncio.run(_measure(scale, directory))


async def _measure(scale: Scale, directory: Path) -> list[Row]:
    plain, indexed = [await _opened(directory / f"{name}.db") for name in ("plain", "indexed")]
    texts = Writer(1)
    times: dict[str, list[float]] = {"plain": [], "indexed": []}
    try:
        assert indexed.searcher is not None and indexed.searcher.indexer is not None
        indexed.searcher.indexer.start()
        for number in range(scale.rounds + 1):
            round_ = [texts.message() for _ in range(scale.calls)]
            for name, opened in (("plain", plain), ("indexed", indexed)):
                taken = [await _add(opened, text, keeps_index=opened is indexed) for text in round_]
                if number:  # the first round warms up
                    times[name] += taken
            await indexed.searcher.indexer.catch_up(scale.calls)
    finally:
        for opened in (plain, indexed):
            await opened.close()
    return [
        Row(
            name="message add, indexed over not",
            value=median(times["indexed"]) / median(times["plain"]),
            unit="x",
            at_most=1.1,
            note="p50 in the store, one at a time, beside a store that keeps no search index",
        )
    ]


async def _opened(path: Path) -> OpenStore:
    opened = await open_store(path, synchronous="normal", name="bench")
    assert opened.writing is not None
    await opened.writing.write(lambda transaction: insert_session(transaction.db, session(0)))
    return opened


async def _add(opened: OpenStore, text: str, *, keeps_index: bool) -> float:
    message = Message(session_id=SessionId(session(0).id), role=Role.USER, content=text)
    message_id = MessageId(new_id())

    def work(transaction: Transaction) -> None:
        add_message(transaction.db, message, message_id, NOW)

    assert opened.writing is not None
    start = time.perf_counter()
    await opened.writing.write(work)
    if keeps_index:
        opened.index_later()
    return time.perf_counter() - start
