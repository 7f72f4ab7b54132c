"""Another tool's conversations brought in over stdio: how fast, with how much memory, and how the store is then."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kore_ls import SQLiteStore
from kore_ls.model.search import SearchQuery
from kore_ls.storage.session_rows import SessionQuery
from tests.bench.client import KORE, Client
from tests.bench.clock import median
from tests.bench.pages import PAGE, in_turns
from tests.bench.row import Row
from tests.bench.scale import Scale
from tests.bench.search import QUERIES, first_pages, p95
from tests.bench.search_text import Writer

_MESSAGES = 50
_SAMPLED_S = 0.02
_START = 1_750_000_000


def measure(scale: Scale, directory: Path) -> list[Row]:
    """Files as Claude Code writes them, imported, and imported again; then pages and searches in what there is."""
    folder, source = directory / "folder", directory / "source"
    folder.mkdir()
    source.mkdir()
    _write(source, folder, scale.brought)
    params: dict[str, object] = {"source": "claude-code", "path": str(source)}
    with Client(KORE, directory / "state") as client:
        client.initialize(folder)
        client.call("kore/session/create", {})
        before = client.resident_megabytes()
        with _peak(client) as peak:
            first = _timed(client, params)
        again = _timed(client, params)
    total = scale.brought * _MESSAGES
    among = f"{scale.brought:,} sessions with {total:,} messages"
    return [
        Row(name="history import", value=total / first, unit="messages/s", note=f"{among}, a file each"),
        Row(name="history import again", value=again / first, unit="x", note="when nothing has changed, to the first"),
        Row(name="history import, growth", value=max(peak) - before, unit="MB", note="at its peak, of the server"),
        *asyncio.run(_afterwards(scale, folder / ".kore" / "sessions.db")),
    ]


def _write(directory: Path, folder: Path, sessions: int) -> None:
    writer = Writer(1)
    for number in range(sessions):
        name = f"00000000-0000-4000-8000-{number:012}"
        records = (_record(name, folder, number, place, writer.message()) for place in range(_MESSAGES))
        path = directory / f"{name}.jsonl"
        path.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in records), encoding="utf-8")
        os.utime(path, (_START + 60 * number,) * 2)  # what was just written to is always read again


def _record(name: str, folder: Path, number: int, place: int, text: str) -> dict[str, object]:
    role = "assistant" if place % 2 else "user"
    content = [{"type": "text", "text": text}] if place % 2 else text
    seconds = number * 60 + place
    moment = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(_START + seconds))
    return {
        "type": role,
        "uuid": f"{name}-{place}",
        "parentUuid": f"{name}-{place - 1}" if place else None,
        "isSidechain": False,
        "timestamp": moment,
        "cwd": str(folder),
        "sessionId": name,
        "version": "2.1.0",
        "message": {"id": f"msg-{place}", "role": role, "model": "m", "content": content, "stop_reason": "end_turn"},
    }


def _timed(client: Client, params: dict[str, object]) -> float:
    start = time.perf_counter()
    client.call("kore/history/import", params)
    return time.perf_counter() - start


@contextmanager
def _peak(client: Client) -> Iterator[list[float]]:
    """Samples of the server's memory in megabytes while the block runs."""
    samples = [client.resident_megabytes()]
    done = threading.Event()

    def sample() -> None:
        while not done.wait(_SAMPLED_S):
            samples.append(client.resident_megabytes())

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        done.set()
        thread.join()


async def _afterwards(scale: Scale, path: Path) -> list[Row]:
    store = SQLiteStore(path)
    try:
        (page,) = await in_turns(scale.pages, lambda: store.list_sessions(SessionQuery(limit=PAGE)))
        await store.search(SearchQuery(text=QUERIES[0], budget=None))
        times = [each for query in QUERIES for each in await first_pages(store, scale.searches, query, None)]
    finally:
        await store.close()
    return [
        Row(name="history, session page after", value=page, unit="ms", at_most=2),
        Row(name="history, search after: p50", value=median(times), unit="ms"),
        Row(name="history, search after: p95", value=p95(times), unit="ms", at_most=50),
    ]
