"""Permission requests as users meet them: the builtin agent's tools, asked about, answered, remembered, logged."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from kore_ls.api.application import Application
from kore_ls.model.document import Document, EditResult
from kore_ls.rpc.codec import Codec, dumps, loads
from kore_ls.sessions.trust import TrustList
from tests.client import Client, Json, connected, served

_CODEC = Codec()


class Asked:
    """An editor's user: what they are asked stays open until the test answers."""

    def __init__(self) -> None:
        self.requests: asyncio.Queue[tuple[str, Json, asyncio.Future[Any]]] = asyncio.Queue()
        self.choices: asyncio.Queue[tuple[str, Sequence[str], asyncio.Future[str | None]]] = asyncio.Queue()
        self.withdrawn = asyncio.Event()
        self.slow = False

    async def ask(self, method: str, params: Any, *, timeout: float | None) -> Any | None:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.requests.put_nowait((method, loads(dumps(params, _CODEC.unstructure)), answer))
        try:
            return await answer
        except asyncio.CancelledError:
            self.withdrawn.set()
            raise

    async def choose(self, question: str, titles: Sequence[str]) -> str | None:
        answer: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self.choices.put_nowait((question, titles, answer))
        return await answer

    async def ready(self) -> None:
        pass

    def document(self, path: Path) -> Document | None:
        return None

    async def edit(self, path: Path, *, before: str, after: str, version: int | None) -> EditResult:
        return EditResult.UNAVAILABLE

    def indexing(self, folder: str, rows: int | None, stop: Callable[[], None]) -> None:
        pass

    async def language(self, name: str, params: Mapping[str, Any]) -> Any | None:
        return None


@pytest.fixture
async def application(state_home: Path) -> AsyncIterator[Application]:
    made = served(state_home, None)
    yield made
    await made.close()


async def user(application: Application, folder: Path, **settings: Any) -> tuple[Client, Asked]:
    asked = Asked()
    client = await connected(
        application, folder, editor=asked, **({"permissions": True, "trusted": True, "locale": "en"} | settings)
    )
    return client, asked


async def start(client: Client, prompt: str, mode: str = "general") -> str:
    session = await client.create(mode=mode)
    await client.call("kore/turn/start", {"sessionId": session["id"], "prompt": prompt})
    return str(session["id"])


def option(request: Json, kind: str) -> str:
    return next(str(each["id"]) for each in request["options"] if each["kind"] == kind)


def allow(request: Json, kind: str = "allowOnce") -> Json:
    return {"outcome": "selected", "optionId": option(request, kind)}


async def last_message(client: Client, session_id: str) -> Json:
    page = await client.call("kore/message/list", {"sessionId": session_id, "limit": 1})
    message: Json = page["messages"][-1]
    return message


async def test_what_is_allowed_is_done_and_logged(application: Application, folder: Path) -> None:
    client, asked = await user(application, folder)
    id_ = await start(client, "/write a.txt hello")
    method, request, answer = await asked.requests.get()
    assert (method, request["sessionId"]) == ("kore/permission/request", id_)
    assert request["toolCall"]["kind"] == "edit"
    assert "+hello" in request["diff"]
    assert (await client.call("kore/permission/list"))["requests"] == [request]
    assert (await client.get(id_))["turn"]["pendingPermissions"] == [request]
    answer.set_result(allow(request))
    assert (await client.event("permission.asked"))["data"]["request"] == request
    resolved = await client.event("permission.resolved")
    assert resolved["data"] == {"requestId": request["requestId"], "outcome": "allowOnce"}
    finished = (await client.event("turn.finished"))["data"]
    assert finished["changedFiles"] == ["a.txt"]
    assert (folder / "a.txt").read_text() == "hello"
    assert (await last_message(client, id_))["toolCalls"][0]["status"] == "completed"
    (decision,) = (await client.call("kore/permission/log", {"sessionId": id_}))["decisions"]
    assert (decision["decision"], decision["outcome"], decision["mode"]) == ("asked", "allowOnce", "general")
    assert decision["toolCall"]["name"] == "write_file"


async def test_what_is_refused_is_not_done_and_the_feedback_reaches_the_agent(
    application: Application, folder: Path
) -> None:
    client, asked = await user(application, folder)
    id_ = await start(client, "/write a.txt hello")
    _, request, answer = await asked.requests.get()
    answer.set_result(allow(request, "rejectOnce") | {"feedback": "use b.txt instead"})
    assert (await client.event("turn.finished"))["data"]["stopReason"] == "endTurn"
    assert not (folder / "a.txt").exists()
    message = await last_message(client, id_)
    assert message["toolCalls"][0]["status"] == "denied"
    assert "use b.txt instead" in message["content"]


async def test_the_first_answer_counts_and_the_others_are_withdrawn(application: Application, folder: Path) -> None:
    client, asked = await user(application, folder)
    other, also_asked = await user(application, folder)
    await start(client, "/write a.txt hello")
    _, request, _ = await asked.requests.get()
    _, same, answer = await also_asked.requests.get()
    assert same == request
    answer.set_result(allow(request))
    await client.event("turn.finished")
    await asked.withdrawn.wait()
    late = {"requestId": request["requestId"], "outcome": "cancelled"}
    assert await other.call("kore/permission/answer", late) == {"accepted": False}
    assert (folder / "a.txt").exists()


async def test_a_request_can_be_answered_by_method(application: Application, folder: Path) -> None:
    client, asked = await user(application, folder)
    await start(client, "/write a.txt hello")
    _, request, _ = await asked.requests.get()
    where = {"requestId": request["requestId"]}
    assert (await client.refused("kore/permission/answer", where | {"outcome": "selected"})).kind == "invalidParams"
    wrong = where | {"outcome": "selected", "optionId": "none"}
    assert (await client.refused("kore/permission/answer", wrong)).kind == "invalidParams"
    assert await client.call("kore/permission/answer", where | allow(request)) == {"accepted": True}
    await client.event("turn.finished")
    assert (folder / "a.txt").exists()


async def test_a_client_that_comes_later_is_asked_too(application: Application, folder: Path) -> None:
    client, asked = await user(application, folder)
    await start(client, "/write a.txt hello")
    await asked.requests.get()
    await client.workspace.close_folder("file:///nowhere")
    later, also_asked = await user(application, folder)
    _, request, answer = await also_asked.requests.get()
    answer.set_result(allow(request))
    await later.event("turn.finished")


async def test_where_nobody_opted_in_the_user_who_started_chooses(application: Application, folder: Path) -> None:
    other, not_asked = await user(application, folder, permissions=False)
    client, asked = await user(application, folder, permissions=False)
    await start(client, "/write a.txt hello")
    question, titles, answer = await asked.choices.get()
    assert "a.txt" in question
    answer.set_result(titles[0])
    await client.event("turn.finished")
    assert (folder / "a.txt").exists()
    assert not_asked.choices.empty()
    await other.workspace.close()


async def test_cancelling_answers_open_requests_with_cancelled(application: Application, folder: Path) -> None:
    client, asked = await user(application, folder)
    id_ = await start(client, "/write a.txt hello")
    await asked.requests.get()
    await client.call("kore/turn/cancel", {"sessionId": id_})
    await asked.withdrawn.wait()
    assert (await client.event("permission.resolved"))["data"]["outcome"] == "cancelled"
    assert (await client.call("kore/permission/list"))["requests"] == []
    assert not (folder / "a.txt").exists()
    assert (await last_message(client, id_))["toolCalls"][0]["status"] == "cancelled"


async def test_always_is_remembered_for_the_session_and_can_be_revoked(
    application: Application, folder: Path, state_home: Path
) -> None:
    client, asked = await user(application, folder)
    id_ = await start(client, "/write a.txt one")
    _, request, answer = await asked.requests.get()
    answer.set_result(allow(request, "allowAlways"))
    await client.event("turn.finished")
    await client.call("kore/turn/start", {"sessionId": id_, "prompt": "/write a.txt two"})
    await client.event("turn.finished")
    assert (folder / "a.txt").read_text() == "two"
    (rule,) = (await client.call("kore/permission/rules", {"sessionId": id_}))["rules"]
    assert (rule["answer"], rule["sessionId"]) == ("allow", id_)
    assert (state_home / "rules.json").stat().st_mode & 0o077 == 0
    assert "a.txt" not in (folder / ".kore").joinpath("store-id").read_text()
    other = await client.create(mode="general")
    assert (await client.call("kore/permission/rules", {"sessionId": other["id"]}))["rules"] == []
    assert await client.call("kore/permission/revoke", {"ruleId": rule["ruleId"]}) == {"revoked": True}
    assert await client.call("kore/permission/revoke", {"ruleId": rule["ruleId"]}) == {"revoked": False}
    await client.call("kore/turn/start", {"sessionId": id_, "prompt": "/write a.txt three"})
    await asked.requests.get()


async def test_where_answers_are_kept_is_written_by_no_tool(application: Application, state_home: Path) -> None:
    state_home.mkdir(parents=True, exist_ok=True)
    client, asked = await user(application, state_home.parent.parent)
    id_ = await start(client, "/write state/kore/rules.json x", mode="build")
    await client.event("turn.finished")
    assert (await last_message(client, id_))["toolCalls"][0]["status"] == "denied"
    assert asked.requests.empty()
    assert not (state_home / "rules.json").exists()


async def test_what_was_allowed_in_a_session_goes_with_it(application: Application, folder: Path) -> None:
    client, asked = await user(application, folder)
    id_ = await start(client, "/write a.txt one")
    _, request, answer = await asked.requests.get()
    answer.set_result(allow(request, "allowAlways"))
    await client.event("turn.finished")
    await client.call("kore/session/delete", {"sessionId": id_, "permanent": True})
    assert (await client.call("kore/permission/rules"))["rules"] == []


@pytest.mark.parametrize("trusted", [False, None])
async def test_a_folder_that_is_not_trusted_is_in_plan_mode(
    application: Application, folder: Path, trusted: bool | None
) -> None:
    client, _ = await user(application, folder, trusted=trusted)
    id_ = await start(client, "/write a.txt hello", mode="build")
    await client.event("turn.finished")
    assert (await last_message(client, id_))["toolCalls"][0]["status"] == "denied"
    assert not (folder / "a.txt").exists()


async def test_the_least_trusting_connection_decides(application: Application, folder: Path) -> None:
    client, _ = await user(application, folder)
    other, _ = await user(application, folder, trusted=False)
    await start(client, "/write a.txt hello", mode="build")
    await client.event("turn.finished")
    assert not (folder / "a.txt").exists()
    await other.workspace.close()
    await start(client, "/write a.txt hello", mode="build")
    await client.event("turn.finished")
    assert (folder / "a.txt").exists()


async def test_the_user_is_asked_once_about_a_folder_nobody_knows(
    application: Application, folder: Path, state_home: Path
) -> None:
    client, asked = await user(application, folder, trusted=None)
    id_ = await start(client, "/help", mode="build")
    question, titles, answer = await asked.choices.get()
    assert folder.name in question
    answer.set_result(titles[0])
    await client.event("turn.finished")
    await client.call("kore/turn/start", {"sessionId": id_, "prompt": "/write a.txt hello"})
    await client.event("turn.finished")
    assert (folder / "a.txt").exists()
    assert TrustList(state_home).trusted(folder) is True
    assert asked.choices.empty()


async def test_a_mode_change_in_mid_turn_counts_from_the_next_tool_call_on(
    application: Application, folder: Path
) -> None:
    client, _ = await user(application, folder)
    id_ = await start(client, "/mode plan", mode="build")
    await client.event("turn.finished")
    assert (await client.get(id_))["mode"] == "plan"
    await client.call("kore/turn/start", {"sessionId": id_, "prompt": "/write a.txt hello"})
    await client.event("turn.finished")
    assert not (folder / "a.txt").exists()


async def test_the_user_s_own_rules_refine_the_gate(application: Application, folder: Path) -> None:
    from kore_ls.model.settings import UserRule

    rule = UserRule(answer="deny", paths=("a.txt",))
    client, _ = await user(application, folder, rules=(rule,))
    await start(client, "/write a.txt hello", mode="build")
    await client.event("turn.finished")
    assert not (folder / "a.txt").exists()


async def revert(client: Client, turn_id: str, **params: Any) -> Json:
    done: Json = await client.call("kore/turn/revert", {"turnId": turn_id} | params)
    return done


async def test_a_turn_s_files_go_back_where_they_are_as_it_left_them(application: Application, folder: Path) -> None:
    client, _ = await user(application, folder)
    (folder / "a.txt").write_text("before")
    id_ = await start(client, "/write a.txt after", mode="build")
    changed = (await client.event("turn.finished"))["turnId"]
    await client.call("kore/turn/start", {"sessionId": id_, "prompt": "/write sub/new.txt new"})
    made = (await client.event("turn.finished"))["turnId"]
    assert await revert(client, changed, dryRun=True) == {"reverted": ["a.txt"], "conflicts": []}
    assert (folder / "a.txt").read_text() == "after"
    assert await revert(client, changed) == {"reverted": ["a.txt"], "conflicts": []}
    assert (folder / "a.txt").read_text() == "before"
    assert await revert(client, changed) == {"reverted": ["a.txt"], "conflicts": []}
    assert await revert(client, made) == {"reverted": ["sub/new.txt"], "conflicts": []}
    assert not (folder / "sub/new.txt").exists()
    assert (await client.refused("kore/turn/revert", {"turnId": "no"})).kind == "turnNotFound"


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such permissions")
@pytest.mark.parametrize("mode", [0o755, 0o600, 0o666])
async def test_a_file_that_comes_back_has_its_permissions(application: Application, folder: Path, mode: int) -> None:
    client, _ = await user(application, folder)
    (folder / "a.sh").write_text("before")
    (folder / "a.sh").chmod(mode)
    await start(client, "/delete a.sh", mode="build")
    turn = (await client.event("turn.finished"))["turnId"]
    assert await revert(client, turn) == {"reverted": ["a.sh"], "conflicts": []}
    assert (folder / "a.sh").stat().st_mode & 0o777 == mode


async def test_a_deleted_link_comes_back_and_a_big_file_is_told_to_be_lost(
    application: Application, folder: Path
) -> None:
    client, asked = await user(application, folder)
    (folder / "d").mkdir()
    (folder / "d/link").symlink_to("nowhere")
    (folder / "d/links").symlink_to(folder)
    with (folder / "d/big").open("wb") as file:
        file.truncate((10 << 20) + 1)
    await start(client, "/delete d")
    _, request, answer = await asked.requests.get()
    assert "can't be taken back" in request["summary"] and "d/big" in request["summary"]
    assert "d/link" not in request["summary"]
    answer.set_result({"outcome": "selected", "optionId": option(request, "allowOnce")})
    outcome = (await client.event("tool.complete"))["data"]["toolCall"]["result"]["text"]
    assert "can't be taken back" in outcome and "d/big" in outcome
    finished = await client.event("turn.finished")
    assert sorted(finished["data"]["changedFiles"]) == ["d/big", "d/link", "d/links"]
    turn = finished["turnId"]
    for dry_run in (True, False, False):
        done = await revert(client, turn, dryRun=dry_run)
        assert (sorted(done["reverted"]), done["conflicts"]) == (["d/link", "d/links"], ["d/big"])
        assert (folder / "d/link").is_symlink() is not dry_run
    assert str((folder / "d/link").readlink()) == "nowhere"


async def test_moved_links_go_back(application: Application, folder: Path) -> None:
    client, _ = await user(application, folder)
    (folder / "d").mkdir()
    (folder / "d/file").write_text("x")
    (folder / "d/link").symlink_to("nowhere")
    await start(client, "/move d e", mode="build")
    turn = (await client.event("turn.finished"))["turnId"]
    assert sorted(each.name for each in (folder / "e").iterdir()) == ["file", "link"]
    names = ["d/file", "d/link", "e/file", "e/link"]
    for dry_run in (True, False, False):
        done = await revert(client, turn, dryRun=dry_run)
        assert (sorted(done["reverted"]), done["conflicts"]) == (names, [])
        assert (folder / "e/link").is_symlink() is dry_run
    assert str((folder / "d/link").readlink()) == "nowhere"
    (folder / "e/link").symlink_to("elsewhere")
    assert (await revert(client, turn))["conflicts"] == ["e/link"]


async def test_what_was_changed_since_is_a_conflict_and_is_left_alone(
    application: Application, folder: Path, tmp_path: Path
) -> None:
    client, _ = await user(application, folder)
    (folder / "a.txt").write_text("before")
    await start(client, "/write a.txt after", mode="build")
    turn = (await client.event("turn.finished"))["turnId"]
    (folder / "a.txt").write_text("mine")
    assert await revert(client, turn) == {"reverted": [], "conflicts": ["a.txt"]}
    assert (folder / "a.txt").read_text() == "mine"
    outside = tmp_path / "outside.txt"
    outside.write_text("after")
    (folder / "a.txt").unlink()
    (folder / "a.txt").symlink_to(outside)
    assert await revert(client, turn) == {"reverted": [], "conflicts": ["a.txt"]}
    assert outside.read_text() == "after"


async def test_what_is_still_to_be_done_outlives_the_server(state_home: Path, folder: Path) -> None:
    texts, id_ = [], ""
    for prompt in ("/todo buy milk", "/todo"):
        served_once = served(state_home, None)
        client, _ = await user(served_once, folder)
        id_ = id_ or (await client.create(mode="plan"))["id"]
        await client.call("kore/turn/start", {"sessionId": id_, "prompt": prompt})
        await client.event("turn.finished")
        texts.append((await last_message(client, id_))["toolCalls"][0]["result"]["text"])
        await served_once.close()
    assert texts == ["1. [ ] buy milk"] * 2
