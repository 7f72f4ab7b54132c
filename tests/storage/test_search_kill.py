"""Killed while it indexes, a store's index holds just what its tables hold; and two processes keep one index."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from kore_ls.model.search import SearchHit, SearchPosition, SearchQuery
from kore_ls.storage.keys import read_wrapped
from kore_ls.storage.search_index import missing, newest, out_of_step
from kore_ls.storage.session_rows import SessionQuery
from kore_ls.storage.store import SQLiteStore
from tests.ciphers import ENCRYPTED_IS_SLOW, cipher_of
from tests.project.source import ROOT
from tests.storage.found import index_all, message_ids
from tests.storage.search_kill_child import WORDS


async def started(path: Path, seed: int, passphrase: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.storage.search_kill_child", str(path), str(seed), passphrase),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def killed_after(child: asyncio.subprocess.Process, searches: int) -> bytes:
    """Let it search so often and kill it; what it said of errors."""
    assert child.stdout is not None
    try:
        for _ in range(searches):
            if not await child.stdout.readline():
                break
    finally:
        child.kill()
    _, errors = await child.communicate()
    return errors


def assert_in_step(path: Path) -> None:
    """As it lies there, and when the rest is indexed: by count and by what FTS5 says of itself."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        if read_wrapped(db) is not None:
            assert not db.execute("SELECT 1 FROM sqlite_master WHERE name GLOB '*_fts*'").fetchone()
            return
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'messages_fts'").fetchone():
            return
        assert not out_of_step(db)
        index_all(db)
        assert not missing(db, newest(db))
        assert not out_of_step(db)
        for table, source in (("messages_fts", "messages"), ("sessions_fts", "sessions")):
            db.execute(f"INSERT INTO {table} ({table}) VALUES ('integrity-check')")
            counts = f"SELECT (SELECT count(*) FROM {table}_docsize), (SELECT count(*) FROM {source})"
            indexed, there = db.execute(counts).fetchone()
            assert indexed == there


async def all_hits(store: SQLiteStore, text: str) -> list[SearchHit]:
    found: list[SearchHit] = []
    after: SearchPosition | None = None
    while True:
        page = await store.search(SearchQuery(text=text, budget=None, after=after))
        found += page.hits
        after = page.position
        if after is None:
            return found


async def all_texts(store: SQLiteStore) -> dict[str, str]:
    """Of every message that can be seen."""
    texts: dict[str, str] = {}
    query = SessionQuery(limit=200)
    while True:
        page = await store.list_sessions(query)
        for each in page.sessions:
            messages = (await store.list_messages(each.id, after=0, limit=1_000)).messages
            texts |= {message.id: message.content for message in messages}
        if page.position is None:
            return texts
        query = SessionQuery(limit=200, after=page.position)


async def assert_finds_all(path: Path, passphrase: str) -> None:
    store = SQLiteStore(path, cipher_of(passphrase))
    try:
        assert await store.check() == []
        texts = await all_texts(store)
        for word in WORDS:
            found = await all_hits(store, f'"{word}"')
            assert message_ids(found) == sorted(uid for uid, text in texts.items() if word in text)
    finally:
        await store.close()


async def rounds(path: Path, count: int, seed: int, passphrase: str) -> None:
    chance = random.Random(seed)
    for number in range(count):
        assert await killed_after(await started(path, seed + number, passphrase), chance.choice([1, 2, 3, 5])) == b""
        assert_in_step(path)
    await assert_finds_all(path, passphrase)


@ENCRYPTED_IS_SLOW
async def test_the_index_of_a_store_that_was_killed_is_in_step(path: Path, passphrase: str) -> None:
    await rounds(path, 2, seed=7, passphrase=passphrase)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
async def test_the_index_of_a_store_that_was_killed_often_is_in_step(path: Path, passphrase: str) -> None:
    await rounds(path, 30 if not passphrase else 12, seed=700, passphrase=passphrase)


@ENCRYPTED_IS_SLOW
async def test_two_processes_write_and_search_one_file(path: Path, passphrase: str) -> None:
    children = [await started(path, seed, passphrase) for seed in (1, 2)]
    assert await asyncio.gather(*(killed_after(child, 3) for child in children)) == [b"", b""]
    assert_in_step(path)
    await assert_finds_all(path, passphrase)
