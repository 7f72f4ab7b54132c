"""Limits on what a folder keeps: what would go is told first, what somebody wants kept stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.client import Client, Connect, Json


async def made(client: Client, name: str, **changes: object) -> str:
    session = await client.create(name=name)
    await client.add(session["id"], "text " * 2_000)
    if changes:
        await client.call("kore/session/update", {"sessionId": session["id"]} | changes)
    return str(session["id"])


async def names(client: Client) -> list[str]:
    page = await client.call("kore/session/list")
    return sorted(session["name"] for session in page["sessions"])


async def test_what_would_go_is_told_and_then_goes(client: Client) -> None:
    old, pinned, active = [
        await made(client, "old"),
        await made(client, "pinned", pinned=True),
        await made(client, "x"),
    ]
    await client.call("kore/session/switch", {"sessionId": active})
    asked = await client.call("kore/store/retention", {"keepBytes": 0, "dryRun": True})
    assert [(each["id"], each["name"]) for each in asked["sessions"]] == [(old, "old")]
    assert asked["sessions"][0]["bytes"] == pytest.approx(10_000, rel=0.1)
    assert await names(client) == ["old", "pinned", "x"]
    client.events()
    done = await client.call("kore/store/retention", {"keepBytes": 0})

    assert done["sessions"] == asked["sessions"]
    assert await names(client) == ["pinned", "x"]
    assert (await client.event("session.deleted"))["sessionId"] == old
    assert (await client.refused("kore/session/restore", {"sessionId": old})).kind == "sessionNotFound"
    assert pinned in {each["id"] for each in (await client.call("kore/session/list"))["sessions"]}


async def test_what_is_active_in_any_window_stays(connect: Connect, folder: Path) -> None:
    one, two = await connect(folder), await connect(folder)
    first, second, _ = [await made(one, name) for name in ("first", "second", "other")]
    await one.call("kore/session/switch", {"sessionId": first})
    await two.call("kore/session/switch", {"sessionId": second})
    done = await two.call("kore/store/retention", {"keepBytes": 0})
    assert [each["name"] for each in done["sessions"]] == ["other"]
    assert await names(one) == ["first", "second"]


async def test_without_limits_nothing_goes_but_room_that_is_free(client: Client, folder: Path) -> None:
    kept = await made(client, "kept")
    gone = [await made(client, f"gone {number}") for number in range(20)]
    await client.call("kore/session/switch", {"sessionId": kept})
    for each in gone:
        await client.call("kore/session/delete", {"sessionId": each, "permanent": True})
    done = await client.call("kore/store/retention")

    assert done["sessions"] == []
    assert await names(client) == ["kept"]
    status = await client.call("kore/store/status", {"space": True})
    assert status["space"]["free"] == 0
    assert status["space"]["messages"] > 0
    assert status["bytes"] == done["fileBytes"]


async def test_where_there_is_no_store_none_is_made(client: Client, folder: Path) -> None:
    for params in ({}, {"keepDays": 1}, {"keepBytes": 1, "dryRun": True}):
        done: Json = await client.call("kore/store/retention", params)
        assert done == {"sessions": [], "fileBytes": 0}
    assert "space" not in await client.call("kore/store/status", {"space": True})
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("params", [{"keepDays": -1}, {"keepBytes": -1}, {"keepDays": 1.5}, {"keepBytes": "1"}])
async def test_a_limit_that_is_none_is_refused(client: Client, params: Json) -> None:
    assert (await client.refused("kore/store/retention", params)).problems
