"""The process that is killed while it indexes: writes, renames, removes and searches without pause.

`python -m tests.storage.search_kill_child PATH SEED PASSPHRASE`; says a line for each search done.
"""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

from attrs import evolve

from kore_ls.model.bundle import OnConflict
from kore_ls.model.event import EventType
from kore_ls.model.ids import SessionId, new_id
from kore_ls.model.search import SearchQuery
from kore_ls.storage.store import SQLiteStore
from tests.ciphers import cipher_of
from tests.storage.values import bundle, message, record

WORDS = ("用户认证", "getUserName", "timeout", "数据库", "the end", "ガギ")


SESSIONS_PER_SEARCH = 12
"""How many are made before the next search is done: else the store grows the faster, the longer a search takes."""


async def write(store: SQLiteStore, chance: random.Random, ahead: asyncio.Queue[None]) -> None:
    """Make sessions, fill, rename and remove them, for ever."""
    while True:
        await ahead.put(None)
        one = record(name=chance.choice(WORDS))
        await store.create_session(one)
        texts = [" ".join(chance.choices(WORDS, k=chance.randint(1, 60))) for _ in range(chance.choice([1, 5, 40]))]
        await asyncio.gather(*(store.add_message(message(one.id, text)) for text in texts))
        await rename(store, one.id, chance.choice(WORDS))
        if chance.random() < 0.3:
            await store.remove_session(one.id)
        if chance.random() < 0.1:
            await store.import_sessions([bundle(new_id(), 60, name=chance.choice(WORDS))], OnConflict.ERROR)


async def rename(store: SQLiteStore, session_id: SessionId, name: str) -> None:
    await store.change_session(session_id, lambda before: evolve(before, name=name), EventType.SESSION_UPDATED)


async def search(store: SQLiteStore, chance: random.Random, ahead: asyncio.Queue[None]) -> None:
    """Search, for ever; each time all that is missing is indexed first."""
    while True:
        await store.search(SearchQuery(text=chance.choice(WORDS), budget=None))
        print("searched", flush=True)
        while not ahead.empty():
            ahead.get_nowait()


async def main(path: Path, seed: int, passphrase: str) -> None:
    """Work until killed."""
    store = SQLiteStore(path, cipher_of(passphrase))
    chance = random.Random(seed)
    ahead: asyncio.Queue[None] = asyncio.Queue(SESSIONS_PER_SEARCH)
    await asyncio.gather(write(store, chance, ahead), write(store, chance, ahead), search(store, chance, ahead))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
