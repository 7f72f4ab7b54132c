"""kore/session/list: order, filters, pages."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from tests.client import Client, Connect, Json


async def _pages(client: Client, **params: Any) -> list[list[Json]]:
    """All pages of a list, in order."""
    pages: list[list[Json]] = []
    cursor: dict[str, str] = {}
    while True:
        page = await client.call("kore/session/list", params | cursor)
        pages.append(page["sessions"])
        if "nextCursor" not in page:
            return pages
        cursor = {"cursor": page["nextCursor"]}


def _ids(sessions: list[Json]) -> list[str]:
    return [session["id"] for session in sessions]


async def test_pinned_sessions_come_first_then_the_one_changed_last(client: Client) -> None:
    made = {name: (await client.create(name=name))["id"] for name in ("a", "b", "c", "d")}
    await client.add(made["a"], "x")
    await client.call("kore/session/update", {"sessionId": made["c"], "pinned": True})
    await client.call("kore/session/rename", {"sessionId": made["b"], "name": "b2"})
    await client.call("kore/session/switch", {"sessionId": made["d"]})
    listed = (await client.call("kore/session/list"))["sessions"]
    assert listed == sorted(listed, key=lambda s: (s.get("pinned", False), s["updatedAt"], s["id"]), reverse=True)
    assert listed[0]["name"] == "c"


async def test_each_filter_leaves_what_matches(client: Client) -> None:
    plain = await client.create(name="plain")
    plan = await client.create(name="plan", mode="plan", tags=["x", "y"], metadata={"project": "kore", "n": 1})
    tagged = await client.create(name="tagged", tags=["y"], metadata={"project": "kore", "n": 1.5, "deep": {"a": [1]}})
    await client.call("kore/session/close", {"sessionId": plain["id"]})
    await client.call("kore/session/pause", {"sessionId": tagged["id"]})
    for filters, names in (
        ({}, {"plain", "plan", "tagged"}),
        ({"status": []}, {"plain", "plan", "tagged"}),
        ({"status": ["closed"]}, {"plain"}),
        ({"status": ["idle", "paused"]}, {"plan", "tagged"}),
        ({"status": ["running"]}, set()),
        ({"mode": ["plan"]}, {"plan"}),
        ({"mode": ["build", "general"]}, {"plain", "tagged"}),
        ({"tags": ["y"]}, {"plan", "tagged"}),
        ({"tags": ["y", "x"]}, {"plan"}),
        ({"tags": ["X"]}, set()),
        ({"metadata": {"project": "kore"}}, {"plan", "tagged"}),
        ({"metadata": {"project": "kore", "n": 1}}, {"plan"}),
        ({"metadata": {"deep": {"a": [1]}}}, {"tagged"}),
        ({"metadata": {"absent": None}}, set()),
        ({"metadata": {"project": "kore"}, "mode": ["build"], "status": ["paused"], "tags": ["y"]}, {"tagged"}),
    ):
        assert set(await client.names(**filters)) == names, filters
    assert set(_ids((await client.call("kore/session/list"))["sessions"])) == {plain["id"], plan["id"], tagged["id"]}


async def test_metadata_filters_tell_true_from_one(client: Client) -> None:
    await client.create(name="true", metadata={"flag": True})
    await client.create(name="one", metadata={"flag": 1})
    assert await client.names(metadata={"flag": True}) == ["true"]
    assert await client.names(metadata={"flag": 1}) == ["one"]


async def test_archived_and_deleted_sessions_are_only_listed_when_asked_for(client: Client) -> None:
    made = {name: (await client.create(name=name))["id"] for name in ("shown", "archived", "deleted", "both")}
    for name in ("archived", "both"):
        await client.call("kore/session/update", {"sessionId": made[name], "archived": True})
    await client.call("kore/session/delete", {"sessionIds": [made["deleted"], made["both"]]})
    assert await client.names() == ["shown"]
    assert await client.names(archived=True) == ["archived"]
    assert set(await client.names(deleted=True)) == {"deleted", "both"}


@pytest.mark.parametrize("limit", [1, 3, 7, 200])
async def test_pages_of_any_size_give_every_session_once_in_order(client: Client, limit: int) -> None:
    for n in range(7):
        session = await client.create(name=f"s{n}", activate=False)
        if n % 3 == 0:
            await client.call("kore/session/update", {"sessionId": session["id"], "pinned": True})
    whole = (await client.call("kore/session/list"))["sessions"]
    pages = await _pages(client, limit=limit)
    assert [session for page in pages for session in page] == whole
    assert all(len(page) <= limit for page in pages)


async def test_a_page_after_the_last_one_is_empty(client: Client) -> None:
    session = await client.create()
    await client.create()
    first = await client.call("kore/session/list", {"limit": 1})
    await client.call("kore/session/delete", {"sessionId": session["id"]})
    assert await client.call("kore/session/list", {"limit": 1, "cursor": first["nextCursor"]}) == {"sessions": []}


async def test_a_cursor_goes_on_with_another_limit_and_the_same_filters_in_any_order(client: Client) -> None:
    for n in range(4):
        await client.create(name=f"s{n}", metadata={"a": 1, "b": 2}, tags=["x", "y"])
    page = await client.call("kore/session/list", {"limit": 1, "metadata": {"a": 1, "b": 2}, "tags": ["x", "y"]})
    same = {"limit": 3, "metadata": {"b": 2, "a": 1}, "tags": ["y", "x"], "cursor": page["nextCursor"]}
    assert len((await client.call("kore/session/list", same))["sessions"]) == 3


@pytest.mark.parametrize(
    "filters",
    [
        {"status": ["idle"]},
        {"mode": ["build"]},
        {"tags": ["x"]},
        {"metadata": {"a": 1}},
        {"archived": True},
        {"deleted": True},
    ],
)
async def test_a_cursor_of_other_filters_is_refused(client: Client, filters: Json) -> None:
    for _ in range(2):
        await client.create()
    cursor = (await client.call("kore/session/list", {"limit": 1}))["nextCursor"]
    error = await client.refused("kore/session/list", filters | {"cursor": cursor})
    assert error.problems == ["params.cursor: is not a cursor of this list"]


@pytest.mark.parametrize(
    "cursor", ["", "x", "AAAA", "bnVsbA", "W10", "é", "W1tbW1tbW1tbW10", "\0", "../../x", "A" * 5_000]
)
async def test_what_is_no_cursor_is_refused(client: Client, cursor: str) -> None:
    await client.create()
    error = await client.refused("kore/session/list", {"cursor": cursor})
    assert error.problems == ["params.cursor: is not a cursor of this list"]


@contextlib.asynccontextmanager
async def _two(connect: Connect, tmp_path: Path) -> Any:
    folders = [tmp_path / name for name in ("one", "two")]
    for each in folders:
        each.mkdir()
    yield await connect(*folders), folders


async def test_the_lists_of_several_folders_are_merged_in_order(connect: Connect, tmp_path: Path) -> None:
    async with _two(connect, tmp_path) as (client, folders):
        for n in range(9):
            session = await client.create(folder=folders[n % 2].as_uri(), name=f"s{n}")
            if n in (2, 5):
                await client.call("kore/session/update", {"sessionId": session["id"], "pinned": True})
        whole = (await client.call("kore/session/list"))["sessions"]
        assert len(whole) == 9
        assert whole == sorted(whole, key=lambda s: (s.get("pinned", False), s["updatedAt"], s["id"]), reverse=True)
        assert {session["folder"] for session in whole} == {each.as_uri() for each in folders}
        for limit in (1, 2, 4, 9):
            assert [s for page in await _pages(client, limit=limit) for s in page] == whole
        only = await client.call("kore/session/list", {"folder": folders[0].as_uri()})
        assert only["sessions"] == [s for s in whole if s["folder"] == folders[0].as_uri()]


async def test_a_cursor_over_several_folders_is_refused_by_other_sets_of_folders(
    connect: Connect, tmp_path: Path
) -> None:
    async with _two(connect, tmp_path) as (client, folders):
        for n in range(4):
            await client.create(folder=folders[n % 2].as_uri())
        cursor = (await client.call("kore/session/list", {"limit": 1}))["nextCursor"]
        assert (await client.call("kore/session/list", {"limit": 1, "cursor": cursor}))["sessions"]
        one = {"folder": folders[0].as_uri(), "cursor": cursor}
        assert (await client.refused("kore/session/list", one)).kind == "invalidParams"
        await client.workspace.close_folder(folders[1].as_uri())
        assert (await client.refused("kore/session/list", {"cursor": cursor})).kind == "invalidParams"


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
async def test_paging_over_copied_checkouts_loses_no_copy(connect: Connect, tmp_path: Path, limit: int) -> None:
    async with _two(connect, tmp_path) as (client, folders):
        for n in range(3):
            made = await client.create(folder=folders[0].as_uri(), name=f"s{n}")
            where = {"sessionId": made["id"], "folder": folders[0].as_uri()}
            document = (await client.call("kore/session/export", where))["document"]
            await client.call("kore/session/import", {"folder": folders[1].as_uri(), "document": document})
        paged = [s for page in await _pages(client, limit=limit) for s in page]
        assert sorted((s["name"], s["folder"]) for s in paged) == sorted(
            (f"s{n}", each.as_uri()) for n in range(3) for each in folders
        )


async def test_a_folder_that_cannot_be_read_is_named_and_keeps_no_other_from_being_listed(
    connect: Connect, tmp_path: Path
) -> None:
    async with _two(connect, tmp_path) as (client, folders):
        await client.create(folder=folders[0].as_uri(), name="mine")
        (folders[1] / ".kore").mkdir()
        (folders[1] / ".kore" / "sessions.db").write_bytes(b"shipped with a repository")
        page = await client.call("kore/session/list")
        assert [session["name"] for session in page["sessions"]] == ["mine"]
        assert page["lockedFolders"] == [folders[1].as_uri()]
        error = await client.refused("kore/session/list", {"folder": folders[1].as_uri()})
        assert error.kind == "storeForeign"


async def test_without_folders_the_list_is_empty(connect: Connect) -> None:
    assert await (await connect()).call("kore/session/list") == {"sessions": []}
