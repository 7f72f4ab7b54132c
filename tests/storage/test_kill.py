"""Killed at any moment, a store keeps all that it acknowledged and shows nothing half done."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from kore_ls.errors import SessionNotFound
from kore_ls.model.ids import MessageId, SessionId
from kore_ls.model.session import SessionRecord
from kore_ls.storage.session_rows import SessionQuery
from kore_ls.storage.store import SQLiteStore
from tests.ciphers import cipher_of
from tests.project.source import ROOT


@define
class Acknowledged:
    """All that the killed processes said."""

    messages: dict[tuple[str, str], tuple[int, int]] = field(factory=dict)
    """(session, message): (seq, characters)."""
    sessions: dict[str, int] = field(factory=dict)
    """The least number of messages of each."""
    names: dict[str, set[str | None]] = field(factory=lambda: defaultdict(lambda: {None}))
    """What each session may be called; None: anything."""
    imports: dict[str, set[int]] = field(factory=lambda: defaultdict(set))
    """How many messages an imported session may have, if it is there."""
    removed: set[str] = field(factory=set)

    def hear(self, fact: dict[str, Any]) -> None:
        """Take one line in."""
        match fact:
            case {"message": message, "session": session, "seq": seq, "size": size}:
                self.messages[session, message] = (seq, size)
            case {"session": session}:
                self.sessions[session] = fact.get("count", 0)
                if session in self.imports:
                    self.imports[session] = {fact["count"]}
            case {"renaming": session, "to": name}:
                self.names[session].add(name)
            case {"renamed": session, "to": name}:
                self.names[session] = {name}
            case {"importing": session, "count": count}:
                self.imports[session] = {count, fact.get("or_else", count)}
            case {"removed": session}:
                self.removed.add(session)


async def used_and_killed(path: Path, seed: int, acknowledged: Acknowledged, lines: int, passphrase: str = "") -> None:
    """Let a process use the store and kill it when it has said so many lines."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.storage.kill_child", str(path), str(seed), passphrase),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    try:
        for _ in range(lines):
            line = await child.stdout.readline()
            if not line:
                break
            acknowledged.hear(json.loads(line))
    finally:
        child.kill()
    rest, errors = await child.communicate()
    for line in rest.splitlines(keepends=True):
        if line.endswith(b"\n"):
            acknowledged.hear(json.loads(line))
    assert errors == b""


async def verify(path: Path, acknowledged: Acknowledged, passphrase: str = "") -> None:
    """Everything acknowledged is there, counters are right, and nothing half done shows."""
    store = SQLiteStore(path, cipher_of(passphrase))
    try:
        assert await store.check() == []
        found: dict[SessionId, SessionRecord] = {}
        query = SessionQuery(limit=200)
        while True:
            page = await store.list_sessions(query)
            found |= {each.id: each for each in page.sessions}
            if page.position is None:
                break
            query = SessionQuery(limit=200, after=page.position)
        for session, count in acknowledged.sessions.items():
            assert found[SessionId(session)].message_count >= count
        for (session, message), (seq, size) in acknowledged.messages.items():
            stored = await store.find_message(SessionId(session), MessageId(message))
            assert (stored.seq, len(stored.content), len(stored.tool_calls or ())) == (seq, size, 1)
        for session, counts in acknowledged.imports.items():
            if SessionId(session) in found:
                assert found[SessionId(session)].message_count in counts
            else:
                with pytest.raises(SessionNotFound):
                    await store.load_session(SessionId(session), deleted=True)
        for session, names in acknowledged.names.items():
            assert names & {None, found[SessionId(session)].name}
        assert not acknowledged.removed & set(found)
    finally:
        await store.close()


async def rounds(path: Path, count: int, seed: int, passphrase: str = "") -> None:
    chance = random.Random(seed)
    acknowledged = Acknowledged()
    for number in range(count):
        await used_and_killed(path, seed + number, acknowledged, chance.choice([0, 1, 5, 40, 150]), passphrase)
        if path.exists():
            await verify(path, acknowledged, passphrase)
    assert len(acknowledged.messages) > count


async def test_a_store_that_was_killed_keeps_what_it_acknowledged(path: Path) -> None:
    await rounds(path, 5, seed=20)


@pytest.mark.slow
async def test_an_encrypted_store_that_was_killed_keeps_what_it_acknowledged(path: Path) -> None:
    await rounds(path, 4, seed=26, passphrase="a passphrase")


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("passphrase", ["", "a passphrase"])
async def test_a_store_that_was_killed_often_keeps_what_it_acknowledged(path: Path, passphrase: str) -> None:
    await rounds(path, 50, seed=1_000, passphrase=passphrase)
