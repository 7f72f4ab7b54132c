"""The process that is killed: uses a store without pause and prints a line for everything that was acknowledged.

`python -m tests.storage.kill_child PATH SEED PASSPHRASE`
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from pathlib import Path
from typing import Any

from attrs import evolve

from kore_ls.model.bundle import OnConflict
from kore_ls.model.event import EventType
from kore_ls.model.ids import MessageId, SessionId, new_id
from kore_ls.model.session import ForkPoint
from kore_ls.storage.store import SQLiteStore
from tests.ciphers import cipher_of
from tests.storage.values import bundle, message, record, tool_call


def say(**fact: Any) -> None:
    """Tell the parent what holds from now on."""
    print(json.dumps(fact), flush=True)


class User:
    """One of several that use the store at once."""

    def __init__(self, store: SQLiteStore, chance: random.Random) -> None:
        self._store = store
        self._chance = chance
        self._sessions: list[SessionId] = []

    async def work(self) -> None:
        """Do one thing after the other, for ever."""
        await self._create()
        things = (
            [self._add] * 6 + [self._update] * 2 + [self._fork, self._import, self._replace, self._remove, self._create]
        )
        while True:
            await self._chance.choice(things)()

    def _one(self) -> SessionId:
        return self._chance.choice(self._sessions)

    async def _create(self) -> None:
        made = await self._store.create_session(record(), name_prefix="S")
        self._sessions.append(made.id)
        say(session=made.id)

    async def _add(self) -> None:
        session = self._one()
        count = self._chance.choice([1, 1, 5])
        sent = [
            message(session, "x" * self._chance.randrange(3_000), id=MessageId(new_id()), tool_calls=(tool_call(),))
            for _ in range(count)
        ]
        for stored, _ in await asyncio.gather(*(self._store.add_message(each) for each in sent)):
            say(message=stored.id, session=session, seq=stored.seq, size=len(stored.content))

    async def _update(self) -> None:
        session, mark = self._one(), new_id()
        say(renaming=session, to=mark)
        await self._store.change_session(session, lambda before: evolve(before, name=mark), EventType.SESSION_UPDATED)
        say(renamed=session, to=mark)

    async def _fork(self) -> None:
        forked = await self._store.fork_session(record(parent_id=self._one()), ForkPoint())
        self._sessions.append(forked.id)
        say(session=forked.id, count=forked.message_count)

    async def _import(self) -> None:
        whole = bundle(new_id(), self._chance.choice([1, 700, 2_500]), imported=True)
        say(importing=whole.record.id, count=len(whole.messages))
        await self._store.import_sessions([whole], OnConflict.ERROR)
        say(session=whole.record.id, count=len(whole.messages))

    async def _replace(self) -> None:
        whole = bundle(new_id(), 300)
        await self._store.import_sessions([whole], OnConflict.ERROR)
        again = bundle(whole.record.id, 900)
        say(importing=whole.record.id, count=300, or_else=900)
        await self._store.import_sessions([again], OnConflict.REPLACE)
        say(session=whole.record.id, count=900)

    async def _remove(self) -> None:
        made = await self._store.create_session(record())
        await asyncio.gather(*(self._store.add_message(message(made.id)) for _ in range(20)))
        await self._store.remove_session(made.id)
        say(removed=made.id)


async def main(path: Path, seed: int, passphrase: str) -> None:
    """Use the store until killed; it may be encrypted meanwhile."""
    store = SQLiteStore(path, cipher_of(passphrase), plain=True)
    store.listen(lambda _: None)
    users = [User(store, random.Random(seed * 10 + number)) for number in range(4)]
    await asyncio.gather(*(user.work() for user in users))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
