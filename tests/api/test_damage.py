"""One row that somebody spoiled is named, and costs nothing but itself: all else in the folder can be read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.client import Client
from tests.storage.searching import raw


@pytest.fixture
async def sessions(client: Client) -> list[str]:
    """Three sessions of three messages each; the last one is active."""
    made = []
    for number in range(3):
        session = await client.create(name=f"name {number}")
        for seq in range(3):
            await client.add(session["id"], f"canary {number} {seq}")
        made.append(str(session["id"]))
    await client.call("kore/session/save")
    return made


@pytest.fixture
def store(folder: Path) -> Path:
    return folder / ".kore" / "sessions.db"


@pytest.fixture
def spoiled(client: Client, sessions: list[str], store: Path) -> str:
    """A session whose own row can't be read any more."""
    raw(store, "UPDATE sessions SET tags = x'00ff' WHERE id = ?", sessions[1])
    return sessions[1]


async def test_lists_and_searches_leave_a_spoiled_session_out_and_name_it(
    client: Client, sessions: list[str], spoiled: str
) -> None:
    listed = await client.call("kore/session/list")
    assert ({each["id"] for each in listed["sessions"]}, listed["damaged"]) == ({*sessions} - {spoiled}, [spoiled])
    found = await client.call("kore/session/search", {"query": "canary"})
    assert ({each["session"]["id"] for each in found["hits"]}, found["damaged"]) == (
        {*sessions} - {spoiled},
        [spoiled],
    )
    error = await client.refused("kore/session/get", {"sessionId": spoiled})
    assert (error.kind, error.params) == ("storeDamaged", {"reason": "row", "sessionId": spoiled})
    assert not (await client.call("kore/store/check"))["ok"]


async def test_sound_sessions_are_listed_without_a_word_of_damage(client: Client, sessions: list[str]) -> None:
    assert "damaged" not in await client.call("kore/session/list")
    assert "damaged" not in await client.call("kore/session/search", {"query": "canary"})


async def test_the_others_go_and_are_written_as_before(
    client: Client, sessions: list[str], spoiled: str, folder: Path
) -> None:
    gone = await client.call("kore/store/retention", {"keepBytes": 0, "dryRun": True})
    assert [each["id"] for each in gone["sessions"]] == [sessions[0]], "the active one and the spoiled one stay"
    done = await client.call("kore/history/export", {"directory": "out", "format": "json"})
    assert (done["sessions"], done["damaged"]) == (2, [spoiled])
    assert len(json.loads((folder / "out" / "index.json").read_text())) == 2


async def test_where_the_active_session_is_spoiled_another_is_offered(
    client: Client, sessions: list[str], store: Path
) -> None:
    raw(store, "UPDATE sessions SET config = x'00' WHERE id = ?", sessions[2])
    assert (await client.call("kore/session/current"))["id"] == sessions[1]


async def test_a_spoiled_message_is_named_and_those_around_it_are_read(
    client: Client, sessions: list[str], store: Path
) -> None:
    raw(store, "UPDATE messages SET content = x'00ff', metadata = x'00' WHERE session_id = ? AND seq = 2", sessions[0])
    page = await client.call("kore/message/list", {"sessionId": sessions[0]})
    assert ([each["seq"] for each in page["messages"]], page["hasMore"]) == ([3], True)
    error = await client.refused("kore/message/list", {"sessionId": sessions[0], "beforeSeq": 3})
    assert (error.kind, error.params["sessionId"], error.params["seq"]) == ("storeDamaged", sessions[0], 2)
    assert await client.contents(sessions[0], beforeSeq=error.params["seq"]) == ["canary 0 0"]
    failed = await client.refused("kore/session/export", {"sessionId": sessions[0]})
    assert (failed.kind, failed.params) == ("storeDamaged", error.params)
    done = await client.call("kore/history/export", {"directory": "out", "format": "markdown"})
    assert (done["sessions"], done["damaged"]) == (2, [sessions[0]])
