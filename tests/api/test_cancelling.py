"""A request that is cancelled at any moment: what it stored all the same is told, what it did not store is not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import pytest

from tests.client import Client, connected, served

STEPS = range(14)


@pytest.fixture
async def client(state_home: Path, folder: Path) -> Client:
    """A client whose application is closed by the test itself."""
    return await connected(served(state_home), folder)


async def _cancelled_after(steps: int, work: Awaitable[object]) -> None:
    """Let the work take so many turns of the event loop, then cancel it."""
    task = asyncio.ensure_future(work)
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])


@contextlib.asynccontextmanager
async def _afterwards(client: Client, state_home: Path, folder: Path) -> AsyncIterator[Client]:
    """End the server in order; a client of the next one."""
    await client.workspace.app.close()
    application = served(state_home)
    yield await connected(application, folder)
    await application.close()


@pytest.mark.parametrize("steps", STEPS)
async def test_a_message(client: Client, state_home: Path, folder: Path, steps: int) -> None:
    session = await client.create()
    client.events()
    await _cancelled_after(steps, client.add(session["id"], "x"))
    await client.add(session["id"], "after")
    async with _afterwards(client, state_home, folder) as later:
        told = [event["data"]["message"]["content"] for event in client.events()]
        assert told == await later.contents(session["id"])


@pytest.mark.parametrize("steps", STEPS)
async def test_a_new_session(client: Client, state_home: Path, folder: Path, steps: int) -> None:
    await client.create(name="kept")
    client.events()
    await _cancelled_after(steps, client.create(name="new"))
    async with _afterwards(client, state_home, folder) as later:
        told = {event["type"]: event["data"]["session"]["name"] for event in client.events()}
        stored = set(await later.names()) - {"kept"}
        assert told == ({"session.created": "new", "session.switched": "new"} if stored else {})
        assert (await later.call("kore/session/current"))["name"] == ("new" if stored else "kept")


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("method", ["switch", "close", "delete", "fork"])
async def test_a_step_of_a_session(client: Client, state_home: Path, folder: Path, method: str, steps: int) -> None:
    session = await client.create(name="one")
    await client.create(name="other")
    client.events()
    await _cancelled_after(steps, client.call(f"kore/session/{method}", {"sessionId": session["id"]}))
    async with _afterwards(client, state_home, folder) as later:
        told = {event["type"] for event in client.events()}
        listed = {each["name"]: each for each in (await later.call("kore/session/list"))["sessions"]}
        active = (await later.call("kore/session/current"))["name"]
    assert (
        told
        == {
            "switch": {"session.switched"} if active == "one" else set(),
            "close": {"session.closed"} if listed.get("one", {}).get("status") == "closed" else set(),
            "delete": {"session.deleted"} if "one" not in listed else set(),
            "fork": {"session.created"} if "one (fork)" in listed else set(),
        }[method]
    )
