"""kore/session/*: create, get, current, switch, close, rename, update, pause, delete, fork, save."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.client import Client, Connect


async def test_an_opened_folder_that_is_only_looked_at_gets_no_store(client: Client, folder: Path) -> None:
    for method in ("kore/session/list", "kore/session/current", "kore/store/status", "kore/store/check"):
        await client.call(method)
    await client.refused("kore/session/get", {"sessionId": "s"})
    await client.refused("kore/message/add", {"sessionId": "s", "role": "user", "content": "x"})
    await client.refused("kore/session/rename", {"sessionId": "s", "name": "x"})
    assert list(folder.iterdir()) == []


async def test_the_first_write_makes_the_store_private_and_ignored_by_git(client: Client, folder: Path) -> None:
    await client.create()
    store = folder / ".kore"
    assert store.stat().st_mode & 0o777 == 0o700
    assert (store / "sessions.db").stat().st_mode & 0o777 == 0o600
    assert (store / ".gitignore").read_text() == "*\n"


async def test_create_answers_the_whole_session(client: Client, folder: Path) -> None:
    session = await client.create(name="我的项目", mode="plan", metadata={"a": [1, None]}, tags=["x", "y", "x"])
    now = session["createdAt"]
    assert session == {
        "id": session["id"],
        "name": "我的项目",
        "folder": folder.as_uri(),
        "mode": "plan",
        "status": "idle",
        "active": True,
        "createdAt": now,
        "updatedAt": now,
        "messageCount": 0,
        "metadata": {"a": [1, None]},
        "tags": ["x", "y"],
    }
    assert await client.get(session["id"]) == session


@pytest.mark.parametrize(
    ("locale", "prefix"), [("zh-cn", "会话"), ("zh", "会话"), ("en", "Session"), (None, "Session")]
)
async def test_a_session_without_a_name_gets_a_free_number(
    connect: Connect, folder: Path, locale: str | None, prefix: str
) -> None:
    client = await connect(folder, locale=locale)
    await client.create(name=f"{prefix} 2")
    names = [(await client.create())["name"] for _ in range(3)]
    assert names == [f"{prefix} 1", f"{prefix} 3", f"{prefix} 4"]


async def test_the_configured_prefix_and_mode_win(connect: Connect, folder: Path) -> None:
    from kore_ls.model.mode import AgentMode

    client = await connect(folder, session_name_prefix="Talk", default_mode=AgentMode.GENERAL, locale="zh")
    session = await client.create()
    assert (session["name"], session["mode"]) == ("Talk 1", "general")


async def test_a_session_made_without_activating_leaves_the_active_one(client: Client) -> None:
    first = await client.create()
    second = await client.create(activate=False)
    assert second["active"] is False
    assert (await client.call("kore/session/current"))["id"] == first["id"]


async def test_current_is_an_empty_object_where_there_is_no_session(client: Client) -> None:
    assert await client.call("kore/session/current") == {}
    assert await client.call("kore/session/current", {"create": False}) == {}


async def test_current_makes_a_session_when_told_to_and_only_one(client: Client) -> None:
    made = await asyncio.gather(*(client.call("kore/session/current", {"create": True}) for _ in range(5)))
    assert {session["id"] for session in made} == {made[0]["id"]}
    assert made[0]["active"] is True
    assert len(await client.names()) == 1


async def test_two_connections_that_need_a_session_at_once_get_the_same(connect: Connect, folder: Path) -> None:
    clients = [await connect(folder) for _ in range(3)]
    closed = await clients[0].create()
    await clients[0].call("kore/session/close", {"sessionId": closed["id"]})
    made = await asyncio.gather(*(each.call("kore/session/current", {"create": True}) for each in clients))
    assert len({session["id"] for session in made}) == 1
    assert made[0]["id"] != closed["id"]


async def test_current_reuses_what_is_there_instead_of_making_more(client: Client) -> None:
    session = await client.create(activate=False)
    assert (await client.call("kore/session/current", {"create": True}))["id"] == session["id"]


async def test_current_is_the_newest_idle_session_if_the_active_one_is_closed_or_deleted(client: Client) -> None:
    older = await client.create(name="older", activate=False)
    newer = await client.create(name="newer", activate=False)
    paused = await client.create(name="paused", activate=False)
    active = await client.create(name="active")
    await client.call("kore/session/pause", {"sessionId": paused["id"]})
    await client.call("kore/session/close", {"sessionId": active["id"]})
    found = await client.call("kore/session/current")
    assert (found["id"], found["active"]) == (newer["id"], True)
    await client.call("kore/session/delete", {"sessionId": newer["id"]})
    assert (await client.call("kore/session/current"))["id"] == older["id"]
    await client.call("kore/session/delete", {"sessionId": older["id"], "permanent": True})
    assert await client.call("kore/session/current") == {}


async def test_a_paused_active_session_stays_the_current_one(client: Client) -> None:
    session = await client.create()
    await client.create(activate=False)
    await client.call("kore/session/pause", {"sessionId": session["id"]})
    assert (await client.call("kore/session/current"))["id"] == session["id"]


async def test_switch_makes_active_without_touching_updated_at(client: Client) -> None:
    first, second = await client.create(), await client.create()
    client.events()
    switched = await client.call("kore/session/switch", {"sessionId": first["id"]})
    assert switched == first | {"active": True}
    assert (await client.get(second["id"]))["active"] is False
    (event,) = client.events()
    assert (event["type"], event["data"]["previousId"]) == ("session.switched", second["id"])
    assert event["data"]["session"] == switched


async def test_switch_reopens_a_closed_session(client: Client) -> None:
    session = await client.create()
    closed = await client.call("kore/session/close", {"sessionId": session["id"]})
    assert closed["status"] == "closed"
    client.events()
    assert (await client.call("kore/session/switch", {"sessionId": session["id"]}))["status"] == "idle"
    assert client.event_types() == ["session.updated", "session.switched"]
    await client.add(session["id"], "again")


async def test_switch_leaves_a_paused_session_paused(client: Client) -> None:
    session = await client.create()
    await client.call("kore/session/pause", {"sessionId": session["id"]})
    assert (await client.call("kore/session/switch", {"sessionId": session["id"]}))["status"] == "paused"


async def test_closing_a_closed_session_is_fine_and_no_news(client: Client) -> None:
    session = await client.create()
    first = await client.call("kore/session/close", {"sessionId": session["id"]})
    client.events()
    assert await client.call("kore/session/close", {"sessionId": session["id"]}) == first
    assert client.events() == []


async def test_quitting_closes_no_session(connect: Connect, folder: Path) -> None:
    client = await connect(folder)
    session = await client.create()
    await client.workspace.close()
    again = await connect(folder)
    assert await again.call("kore/session/current") == session
    assert session["status"] == "idle"


async def test_rename_moves_updated_at(client: Client) -> None:
    session = await client.create()
    renamed = await client.call("kore/session/rename", {"sessionId": session["id"], "name": "新名称"})
    assert renamed["name"] == "新名称"
    assert renamed["updatedAt"] >= session["updatedAt"]
    assert renamed == session | {"name": "新名称", "updatedAt": renamed["updatedAt"]}


async def test_update_changes_what_it_names_and_nothing_else(client: Client) -> None:
    session = await client.create(tags=["old"], metadata={"keep": 1})
    change = {
        "mode": "general",
        "tags": ["a", "b"],
        "description": "about\nit",
        "pinned": True,
        "archived": True,
        "config": {"temperature": 0.5},
        "agent": {"backend": "builtin"},
    }
    updated = await client.call("kore/session/update", {"sessionId": session["id"]} | change)
    assert updated == session | change | {
        "agent": {"backend": "builtin", "name": "builtin"},
        "updatedAt": updated["updatedAt"],
    }
    assert await client.get(session["id"]) == updated


async def test_update_takes_flags_and_texts_back(client: Client) -> None:
    session = await client.create(tags=["x"])
    where = {"sessionId": session["id"]}
    set_ = {"pinned": True, "archived": True, "description": "d", "config": {"a": 1}}
    await client.call("kore/session/update", where | set_)
    back = {"pinned": False, "archived": False, "description": "", "tags": [], "config": {"a": None}}
    updated = await client.call("kore/session/update", where | back)
    assert updated == session | {"tags": [], "updatedAt": updated["updatedAt"]}


async def test_update_merges_metadata_and_null_removes_a_key(client: Client) -> None:
    session = await client.create(metadata={"a": 1, "b": {"x": 1}, "c": 3})
    where = {"sessionId": session["id"]}
    updated = await client.call(
        "kore/session/update", where | {"metadata": {"a": 2, "b": {"y": None}, "c": None, "d": 4}}
    )
    assert updated["metadata"] == {"a": 2, "b": {"y": None}, "d": 4}
    assert (await client.get(session["id"]))["metadata"] == updated["metadata"]


async def test_merged_metadata_over_the_limit_is_refused_and_leaves_the_old(client: Client) -> None:
    session = await client.create(metadata={"a": "x" * 40_000})
    error = await client.refused("kore/session/update", {"sessionId": session["id"], "metadata": {"b": "x" * 40_000}})
    assert error.problems == ["params.metadata: must have at most 65536 bytes as JSON"]
    assert await client.get(session["id"]) == session


async def test_an_update_that_changes_nothing_is_no_news(client: Client) -> None:
    session = await client.create(metadata={"a": 1})
    client.events()
    assert await client.call("kore/session/update", {"sessionId": session["id"], "metadata": {"a": 1}}) == session
    assert client.events() == []


async def test_an_unknown_agent_is_unavailable(client: Client) -> None:
    session = await client.create()
    error = await client.refused("kore/session/update", {"sessionId": session["id"], "agent": {"backend": "nope"}})
    assert error.kind == "agentUnavailable"
    assert await client.get(session["id"]) == session


async def test_pause_and_resume_leave_updated_at(client: Client) -> None:
    session = await client.create()
    where = {"sessionId": session["id"]}
    assert await client.call("kore/session/pause", where) == session | {"status": "paused"}
    assert await client.call("kore/session/resume", where) == session


@pytest.mark.parametrize(
    ("steps", "method", "kind"),
    [
        ([], "resume", "badTransition"),
        (["pause"], "pause", "badTransition"),
        (["close"], "pause", "sessionClosed"),
        (["close"], "resume", "sessionClosed"),
    ],
)
async def test_steps_that_the_status_does_not_allow(client: Client, steps: list[str], method: str, kind: str) -> None:
    where = {"sessionId": (await client.create())["id"]}
    for step in steps:
        await client.call(f"kore/session/{step}", where)
    before = await client.get(where["sessionId"])
    error = await client.refused(f"kore/session/{method}", where)
    assert (error.kind, error.params["sessionId"]) == (kind, where["sessionId"])
    assert await client.get(where["sessionId"]) == before


async def test_a_deleted_session_is_hidden_and_can_be_restored(client: Client) -> None:
    session = await client.create(name="gone")
    await client.add(session["id"], "kept")
    session = await client.get(session["id"])
    assert await client.call("kore/session/delete", {"sessionId": session["id"]}) == {"deleted": [session["id"]]}
    assert await client.names() == []
    (hidden,) = (await client.call("kore/session/list", {"deleted": True}))["sessions"]
    assert hidden == session | {"deleted": True, "active": False}
    assert await client.call("kore/session/restore", {"sessionIds": [session["id"]]}) == {"restored": [session["id"]]}
    assert await client.get(session["id"]) == session
    assert await client.contents(session["id"]) == ["kept"]


@pytest.mark.parametrize(
    ("method", "more"),
    [
        ("kore/session/get", {}),
        ("kore/session/switch", {}),
        ("kore/session/close", {}),
        ("kore/session/rename", {"name": "x"}),
        ("kore/session/update", {"pinned": True}),
        ("kore/session/pause", {}),
        ("kore/session/resume", {}),
        ("kore/session/fork", {}),
        ("kore/session/save", {}),
        ("kore/message/add", {"role": "user", "content": "x"}),
        ("kore/message/list", {}),
    ],
)
async def test_a_deleted_session_is_not_found(client: Client, method: str, more: dict[str, object]) -> None:
    session = await client.create()
    await client.call("kore/session/delete", {"sessionId": session["id"]})
    error = await client.refused(method, {"sessionId": session["id"]} | more)
    assert (error.kind, error.params) == ("sessionNotFound", {"sessionId": session["id"], "deleted": True})


async def test_a_permanently_deleted_session_is_gone(client: Client) -> None:
    session = await client.create()
    await client.add(session["id"], "x")
    await client.call("kore/session/delete", {"sessionId": session["id"]})
    await client.call("kore/session/delete", {"sessionId": session["id"], "permanent": True})
    assert await client.names(deleted=True) == []
    assert (await client.refused("kore/session/restore", {"sessionId": session["id"]})).kind == "sessionNotFound"
    assert (await client.call("kore/store/status"))["messages"] == 0


async def test_several_sessions_are_deleted_and_restored_in_the_order_asked(client: Client) -> None:
    ids = [(await client.create())["id"] for _ in range(3)]
    asked = [ids[2], ids[0], ids[2]]
    client.events()
    assert await client.call("kore/session/delete", {"sessionIds": asked}) == {"deleted": [ids[2], ids[0]]}
    assert [event["sessionId"] for event in client.events()] == [ids[2], ids[0]]
    assert [s["id"] for s in (await client.call("kore/session/list"))["sessions"]] == [ids[1]]
    assert await client.call("kore/session/restore", {"sessionIds": asked}) == {"restored": [ids[2], ids[0]]}
    assert await client.call("kore/session/delete", {"sessionIds": []}) == {"deleted": []}


@pytest.mark.parametrize("method", ["delete", "restore"])
async def test_one_unknown_session_keeps_all_others_from_being_deleted_or_restored(client: Client, method: str) -> None:
    session = await client.create()
    if method == "restore":
        await client.call("kore/session/delete", {"sessionId": session["id"]})
    before = await client.call("kore/session/list", {"deleted": method == "restore"})
    error = await client.refused(f"kore/session/{method}", {"sessionIds": [session["id"], "unknown"]})
    assert (error.kind, error.params) == ("sessionNotFound", {"sessionId": "unknown"})
    assert await client.call("kore/session/list", {"deleted": method == "restore"}) == before


@pytest.mark.parametrize("method", ["delete", "restore"])
@pytest.mark.parametrize("params", [{}, {"sessionId": "a", "sessionIds": ["b"]}])
async def test_delete_and_restore_want_one_or_several(client: Client, method: str, params: dict[str, object]) -> None:
    error = await client.refused(f"kore/session/{method}", params)
    assert error.problems == ["params.sessionId: give either sessionId or sessionIds"]


async def _talk(client: Client) -> tuple[str, list[str]]:
    session = await client.create(name="talk", mode="plan", tags=["t"], metadata={"m": 1})
    return session["id"], [(await client.add(session["id"], f"message {n}"))["id"] for n in range(1, 5)]


@pytest.mark.parametrize("upto", [1, 3, 4])
async def test_fork_at_a_message_takes_it_and_all_before(client: Client, upto: int) -> None:
    source, messages = await _talk(client)
    before = await client.call("kore/session/export", {"sessionId": source})
    fork = await client.call("kore/session/fork", {"sessionId": source, "messageId": messages[upto - 1]})
    assert (fork["parentId"], fork["forkedAtSeq"], fork["messageCount"]) == (source, upto, upto)
    assert (fork["mode"], fork["tags"], fork["metadata"], fork["status"]) == ("plan", ["t"], {"m": 1}, "idle")
    assert fork["active"] is False
    assert fork["lastMessage"]["preview"] == f"message {upto}"
    assert await client.contents(fork["id"]) == [f"message {n}" for n in range(1, upto + 1)]
    after = await client.call("kore/session/export", {"sessionId": source})
    before["document"].pop("exported_at"), after["document"].pop("exported_at")
    assert after == before


async def test_fork_takes_everything_or_nothing_when_told_so(client: Client) -> None:
    source, _ = await _talk(client)
    whole = await client.call("kore/session/fork", {"sessionId": source})
    empty = await client.call("kore/session/fork", {"sessionId": source, "empty": True, "name": "from the start"})
    assert (whole["forkedAtSeq"], whole["messageCount"], whole["name"]) == (4, 4, "talk (fork)")
    assert (empty["forkedAtSeq"], empty["messageCount"], empty["name"]) == (0, 0, "from the start")
    assert "lastMessage" not in empty


async def test_a_fork_goes_its_own_way(client: Client) -> None:
    source, messages = await _talk(client)
    fork = await client.call("kore/session/fork", {"sessionId": source, "messageId": messages[1]})
    added = await client.add(fork["id"], "other")
    assert added["seq"] == 3
    assert len(await client.contents(source)) == 4
    await client.call("kore/session/delete", {"sessionId": source, "permanent": True})
    assert await client.contents(fork["id"]) == ["message 1", "message 2", "other"]


async def test_fork_where_the_message_is_unknown_stores_nothing(client: Client) -> None:
    source, _ = await _talk(client)
    error = await client.refused("kore/session/fork", {"sessionId": source, "messageId": "nope"})
    assert (error.kind, error.params["messageId"]) == ("messageNotFound", "nope")
    assert len(await client.names()) == 1


async def test_fork_does_not_guess_between_a_message_and_empty(client: Client) -> None:
    source, messages = await _talk(client)
    error = await client.refused("kore/session/fork", {"sessionId": source, "messageId": messages[0], "empty": True})
    assert error.kind == "invalidParams"
    assert error.problems[0].startswith("params.empty: ")


async def test_the_fork_of_a_long_name_keeps_to_the_limit(client: Client) -> None:
    session = await client.create(name="名" * 200)
    fork = await client.call("kore/session/fork", {"sessionId": session["id"]})
    assert len(fork["name"]) <= 200
    assert fork["name"].endswith(" (fork)")


async def test_a_fork_of_a_closed_pinned_archived_session_is_a_plain_idle_one(client: Client) -> None:
    source, _ = await _talk(client)
    await client.call("kore/session/update", {"sessionId": source, "pinned": True, "archived": True})
    await client.call("kore/session/close", {"sessionId": source})
    fork = await client.call("kore/session/fork", {"sessionId": source})
    assert fork["status"] == "idle"
    assert {"pinned", "archived"}.isdisjoint(fork)


async def test_save_counts_what_it_saved(client: Client) -> None:
    session = await client.create()
    await client.create()
    assert await client.call("kore/session/save", {"sessionId": session["id"]}) == {"saved": 1}
    assert await client.call("kore/session/save") == {"saved": 2}
    assert (await client.refused("kore/session/save", {"sessionId": "unknown"})).kind == "sessionNotFound"


async def test_save_without_a_store_saves_nothing_and_makes_none(client: Client, folder: Path) -> None:
    assert await client.call("kore/session/save", []) == {"saved": 0}
    assert list(folder.iterdir()) == []


async def test_a_deleted_session_is_active_for_nobody(client: Client) -> None:
    session = await client.create()
    client.events()
    await client.call("kore/session/delete", {"sessionId": session["id"]})

    assert [event["data"]["session"]["active"] for event in client.events()] == [False]
    (listed,) = (await client.call("kore/session/list", {"deleted": True}))["sessions"]
    assert listed["active"] is False
    await client.call("kore/session/restore", {"sessionId": session["id"]})
    assert (await client.get(session["id"]))["active"] is True
