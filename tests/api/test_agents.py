"""Agents over the wire: loaded with their sessions, unloaded with them, never more than allowed, never in the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kore_ls.agents.quiet import QuietAgent
from kore_ls.model.ids import SessionId
from kore_ls.model.session import SessionRecord
from tests.client import Client, Json, connected, served


class Factory:
    """Makes agents that are counted; holds or fails those of sessions with certain names."""

    def __init__(self) -> None:
        self.loaded: list[SessionId] = []
        self.made = 0
        self.closed: list[SessionId] = []
        self.slow = asyncio.Event()
        self.waiting = asyncio.Event()

    async def __call__(self, session: SessionRecord) -> CountedAgent:
        if session.name == "slow":
            self.waiting.set()
            await self.slow.wait()
        if session.name == "failing":
            raise RuntimeError("secret of the agent")
        self.made += 1
        return CountedAgent(self, session.id)


class CountedAgent(QuietAgent):
    def __init__(self, factory: Factory, session_id: SessionId) -> None:
        self._factory = factory
        self._id = session_id
        factory.loaded.append(session_id)

    async def close(self) -> None:
        self._factory.loaded.remove(self._id)
        self._factory.closed.append(self._id)


@pytest.fixture
def factory() -> Factory:
    return Factory()


@pytest.fixture
async def served_by(state_home: Path, factory: Factory) -> AsyncIterator[Any]:
    application = served(state_home, factory)

    async def connect(*folders: Path, **settings: Any) -> Client:
        return await connected(application, *folders, **settings)

    yield connect
    await application.close()
    assert factory.loaded == []


@pytest.fixture
async def client(served_by: Any, folder: Path) -> Client:
    made: Client = await served_by(folder)
    return made


async def test_create_and_switch_load_an_agent_once(client: Client, factory: Factory) -> None:
    session = await client.create()
    await client.call("kore/session/switch", {"sessionId": session["id"]})
    assert (factory.made, factory.loaded) == (1, [session["id"]])


async def test_what_needs_no_agent_loads_none(client: Client, factory: Factory, served_by: Any, folder: Path) -> None:
    session = await client.create()
    await client.call("kore/session/close", {"sessionId": session["id"]})
    where = {"sessionId": session["id"]}
    fork = await client.call("kore/session/fork", where)
    await client.add(fork["id"], "x")
    document = (await client.call("kore/session/export", where))["document"]
    await client.call("kore/session/import", {"document": document, "onConflict": "copy"})
    await client.call("kore/session/delete", where)
    await client.call("kore/session/restore", where)
    await client.call("kore/session/list")
    await client.call("kore/session/rename", where | {"name": "n"})
    assert (factory.made, factory.loaded) == (1, [])


@pytest.mark.parametrize(
    ("method", "more"),
    [("close", {}), ("delete", {}), ("delete", {"permanent": True})],
)
async def test_an_agent_goes_with_its_session(client: Client, factory: Factory, method: str, more: Json) -> None:
    session = await client.create()
    await client.call(f"kore/session/{method}", {"sessionId": session["id"]} | more)
    assert (factory.loaded, factory.closed) == ([], [session["id"]])


async def test_an_agent_goes_when_its_session_is_replaced(client: Client, factory: Factory) -> None:
    session = await client.create()
    document = (await client.call("kore/session/export", {"sessionId": session["id"]}))["document"]
    await client.call("kore/session/import", {"document": document, "onConflict": "replace"})
    assert factory.closed == [session["id"]]


async def test_agents_live_as_long_as_any_connection_has_the_folder_open(
    served_by: Any, factory: Factory, folder: Path
) -> None:
    one, two = await served_by(folder), await served_by(folder)
    session = await one.create()
    await one.workspace.close()
    assert factory.loaded == [session["id"]]
    await two.workspace.close()
    assert factory.closed == [session["id"]]


async def test_at_the_limit_the_session_used_longest_ago_is_unloaded(
    served_by: Any, factory: Factory, folder: Path
) -> None:
    client = await served_by(folder, max_sessions=2)
    one, two = await client.create(), await client.create()
    await client.call("kore/session/switch", {"sessionId": one["id"]})
    three = await client.create()
    assert factory.closed == [two["id"]]
    assert set(factory.loaded) == {one["id"], three["id"]}
    assert (await client.get(two["id"]))["status"] == "idle"
    await client.call("kore/session/switch", {"sessionId": two["id"]})
    assert set(factory.loaded) == {two["id"], three["id"]}


async def test_without_eviction_the_limit_is_an_error_and_stores_nothing(
    served_by: Any, factory: Factory, folder: Path
) -> None:
    client = await served_by(folder, max_sessions=2, evict_idle=False)
    one, two = await client.create(), await client.create()
    client.events()
    for method, params in (
        ("kore/session/create", {}),
        ("kore/session/create", {"activate": False}),
    ):
        error = await client.refused(method, params)
        assert (error.kind, error.message) == ("sessionLimit", "maximum session limit reached")
        assert error.params == {"limit": 2}
    assert len(await client.names()) == 2
    assert client.events() == []
    await client.call("kore/session/close", {"sessionId": one["id"]})
    await client.create(name="third")
    error = await client.refused("kore/session/switch", {"sessionId": one["id"]})
    assert error.kind == "sessionLimit"
    assert (await client.get(one["id"]))["status"] == "closed"
    assert (await client.call("kore/session/current"))["name"] == "third"
    await client.call("kore/session/switch", {"sessionId": two["id"]})


async def test_zero_means_no_limit(served_by: Any, factory: Factory, folder: Path) -> None:
    client = await served_by(folder, max_sessions=0, evict_idle=False)
    for _ in range(25):
        await client.create()
    assert len(factory.loaded) == 25


async def test_each_folder_has_its_own_limit(served_by: Any, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    client = await served_by(folder, tmp_path / "other", max_sessions=1, evict_idle=False)
    for each in (folder, tmp_path / "other"):
        await client.create(folder=each.as_uri())
        assert (await client.refused("kore/session/create", {"folder": each.as_uri()})).kind == "sessionLimit"


async def test_a_slow_agent_delays_no_other_session(client: Client, factory: Factory) -> None:
    slow = asyncio.create_task(client.create(name="slow"))
    await factory.waiting.wait()
    other = await client.create(name="quick")
    await client.add(other["id"], "x")
    assert await client.names() == ["quick"]
    assert not slow.done()
    factory.slow.set()
    assert (await slow)["name"] == "slow"


async def test_a_failing_agent_is_an_error_stores_nothing_and_shows_nothing_of_it(
    client: Client, factory: Factory, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    error = await client.refused("kore/session/create", {"name": "failing"})
    assert error.kind == "agentFailed"
    assert "secret" not in str(error) + caplog.text
    assert client.events() == []
    assert await client.names() == []
    assert list(folder.iterdir()) == []
    await client.create(name="works")


async def test_a_session_whose_agent_fails_can_be_read_but_not_switched_to(client: Client, factory: Factory) -> None:
    first = await client.create()
    document = (await client.call("kore/session/export", {"sessionId": first["id"]}))["document"]
    document |= {"id": "imported", "name": "failing", "status": "closed"}
    await client.call("kore/session/import", {"document": document})
    assert (await client.refused("kore/session/switch", {"sessionId": "imported"})).kind == "agentFailed"
    assert (await client.get("imported"))["status"] == "closed"
    assert (await client.call("kore/session/current"))["id"] == first["id"]
    assert factory.loaded == [first["id"]]


async def _imported(client: Client, **changes: Any) -> str:
    """A session that has no agent yet."""
    document = {"format": "kore-session", "version": 1, "id": "imported", "name": "n", "messages": []} | changes
    await client.call("kore/session/import", {"document": document})
    return "imported"


async def test_closing_a_session_whose_agent_is_still_being_made_closes_that_agent(
    client: Client, factory: Factory
) -> None:
    id_ = await _imported(client, name="slow")
    switching = asyncio.create_task(client.refused("kore/session/switch", {"sessionId": id_}))
    await factory.waiting.wait()
    await client.call("kore/session/close", {"sessionId": id_})
    factory.slow.set()
    assert (await switching).kind == "agentFailed"
    assert factory.loaded == []


async def test_two_that_switch_to_a_session_at_once_share_its_agent(client: Client, factory: Factory) -> None:
    id_ = await _imported(client, name="slow")
    both = [asyncio.create_task(client.call("kore/session/switch", {"sessionId": id_})) for _ in range(2)]
    await factory.waiting.wait()
    factory.slow.set()
    assert [(await each)["id"] for each in both] == [id_, id_]
    assert factory.made == 1


async def test_cancelling_one_of_two_that_wait_for_an_agent_leaves_the_other(client: Client, factory: Factory) -> None:
    id_ = await _imported(client, name="slow")
    first = asyncio.create_task(client.call("kore/session/switch", {"sessionId": id_}))
    await factory.waiting.wait()
    second = asyncio.create_task(client.call("kore/session/switch", {"sessionId": id_}))
    await client.names()
    first.cancel()
    await asyncio.wait([first])
    factory.slow.set()
    assert (await second)["active"] is True
    assert factory.loaded == [id_]


async def test_shutting_down_does_not_wait_for_an_agent_that_is_never_made(
    served_by: Any, factory: Factory, folder: Path
) -> None:
    client = await served_by(folder)
    slow = asyncio.create_task(client.create(name="slow"))
    await factory.waiting.wait()
    await client.workspace.close()
    slow.cancel()
    await asyncio.wait([slow])
    assert factory.loaded == []


async def test_a_switch_that_fails_in_the_store_keeps_no_agent(
    client: Client, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session is deleted by somebody else while its agent is being made."""
    id_ = await _imported(client, name="slow")
    switching = asyncio.create_task(client.refused("kore/session/switch", {"sessionId": id_}))
    await factory.waiting.wait()
    storage = client.workspace.folders[0].manager.storage
    await storage.remove_session(SessionId(id_))
    factory.slow.set()
    assert (await switching).kind == "sessionNotFound"
    assert factory.loaded == []


async def test_an_agent_that_fails_to_close_keeps_no_session_open(
    state_home: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Stubborn(QuietAgent):
        async def close(self) -> None:
            raise RuntimeError("secret of the agent")

    application = served(state_home, lambda _: Stubborn())
    client = await connected(application, folder)
    session = await client.create()
    assert (await client.call("kore/session/close", {"sessionId": session["id"]}))["status"] == "closed"
    await client.create()
    await application.close()
    assert "failed to close: RuntimeError" in caplog.text
    assert "secret" not in caplog.text
