"""External agents that do not keep to the protocol: a turn fails or goes on, the session always does."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from kore_ls.api.application import Application
from kore_ls.model.agent_settings import AgentSettings
from tests.api.test_permission import Asked, user
from tests.client import Client, Json, served

pytestmark = pytest.mark.xdist_group("acp")

PROGRAM = Path(__file__).resolve().parents[1] / "acp_raw_agent.py"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where the agent notes what it heard."""
    path = tmp_path / "agent-home"
    path.mkdir()
    return path


@pytest.fixture
def settings(home: Path) -> AgentSettings:
    env = {"AGENT_HOME": str(home)}
    return AgentSettings(backend="acp", command=sys.executable, args=(str(PROGRAM),), env=env)


@pytest.fixture
async def application(state_home: Path) -> AsyncIterator[Application]:
    made = served(state_home, None)
    yield made
    await made.close()


async def started(
    application: Application, folder: Path, settings: AgentSettings, mode: str = "build"
) -> tuple[Client, Asked, Json]:
    client, asked = await user(application, folder, agent=settings)
    return client, asked, await client.create(name="named", mode=mode)


async def ask(client: Client, session: Json, *lines: str) -> Json | None:
    """Ask and wait for the end; the error, if that is how it ended."""
    await client.call("kore/turn/start", {"sessionId": session["id"], "prompt": "\n".join(lines)})
    event = await client.wait(lambda _, params: params["type"] in ("agent.error", "turn.finished"))
    if event["type"] == "turn.finished":
        return None
    await client.event("turn.finished")
    error: Json = event["data"]["error"]
    return error


async def last(client: Client, session: Json) -> Json:
    page = await client.call("kore/message/list", {"sessionId": session["id"], "limit": 1})
    message: Json = page["messages"][0]
    return message


def seen(home: Path, key: str) -> list[Any]:
    """What the agent noted under this key."""
    notes = [json.loads(line) for line in (home / "seen.jsonl").read_text().splitlines()]
    return [note[key] for note in notes if key in note]


NO_MESSAGES = [
    "Welcome, secret words!",
    '{"jsonrpc": "2.0", "secret words',
    "123",
    "[]",
    '"secret words"',
    "null",
    "[" * 100_000,
    '{"id": "other", "result": "secret words"}',
    '{"id": 5000, "error": "secret words"}',
    '{"method": ["secret words"], "id": 1}',
    '{"method": "secret words"}',
    '{"method": "session/update", "params": {"sessionId": "$SESSION", "update": {"sessionUpdate": "secret words"}}}',
    '{"method": "session/update", "params": "secret words"}',
]


async def test_lines_that_are_no_message_are_left_out_and_not_logged(
    application: Application, folder: Path, settings: AgentSettings, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client, _, session = await started(application, folder, settings)
    assert await ask(client, session, "SAY one, ", *(f"WRITE {line}" for line in NO_MESSAGES), "SAY two") is None
    assert (await last(client, session))["content"] == "one, two"
    assert await ask(client, session, "SAY three") is None
    assert len(seen(home, "started")) == 1
    assert "left out" in caplog.text and "secret" not in caplog.text and "Traceback" not in caplog.text


@pytest.mark.parametrize("error", ['"secret words"', '{"code": "secret words", "message": 5}'])
async def test_an_error_in_no_known_form_ends_the_turn_and_none_of_its_words_is_told(
    application: Application, folder: Path, settings: AgentSettings, error: str
) -> None:
    client, _, session = await started(application, folder, settings)
    told = await ask(client, session, f'WRITE {{"id": $PROMPT, "error": {error}}}', "SILENT")
    assert told is not None and told["params"] == {"reason": "error", "status": -32603}
    assert await ask(client, session, "SAY again") is None
    assert (await last(client, session))["content"] == "again"


@pytest.mark.parametrize(
    "line",
    ["LONG 300000", pytest.param('WRITE {"id": $PROMPT, "result": {"stopReason": "secret"}}', marks=pytest.mark.slow)],
)
async def test_an_agent_that_can_not_be_understood_is_ended_and_the_next_prompt_starts_it_again(
    application: Application, folder: Path, settings: AgentSettings, home: Path, line: str, monkeypatch: Any
) -> None:
    monkeypatch.setattr("kore_ls.agents.acp.child.LINE_BYTES", 1 << 16)
    client, _, session = await started(application, folder, settings)
    told = await ask(client, session, line, "SILENT")
    assert told is not None and (told["kind"], told["params"]) == ("agentFailed", {"reason": "protocol"})
    assert await ask(client, session, "SAY again") is None
    assert len(seen(home, "started")) == 2 and seen(home, "loaded") == ["made"]


@pytest.mark.slow
async def test_an_agent_of_another_version_is_told_as_one(
    application: Application, folder: Path, settings: AgentSettings
) -> None:
    newer = evolve(settings, env={**settings.env, "AGENT_VERSION": "2"})
    client, _, session = await started(application, folder, newer)
    told = await ask(client, session, "SAY hello")
    assert told is not None and (told["kind"], told["params"]) == ("agentFailed", {"reason": "version"})


async def test_what_was_not_yet_told_when_a_turn_was_cancelled_is_not_told_in_the_next(
    application: Application, folder: Path, settings: AgentSettings, home: Path
) -> None:
    client, _, session = await started(application, folder, settings)
    await client.call("kore/turn/start", {"sessionId": session["id"], "prompt": "TALK 3000"})
    await client.event("message.streaming")
    await client.call("kore/turn/cancel", {"sessionId": session["id"]})
    client.heard.clear()
    assert await ask(client, session, "SAY next") is None
    assert (await last(client, session))["content"] == "next"


async def test_an_id_that_is_used_again_is_another_call(
    application: Application, folder: Path, settings: AgentSettings
) -> None:
    client, asked, session = await started(application, folder, settings, "general")
    update = {"sessionUpdate": "tool_call", "toolCallId": "c", "title": "Look", "kind": "read", "status": "completed"}
    update["rawInput"] = {"command": "ls"}  # type: ignore[assignment]
    told = json.dumps({"method": "session/update", "params": {"sessionId": "made", "update": update}})
    call = json.dumps({"toolCallId": "c", "title": "Do", "kind": "execute", "rawInput": {"command": "rm all"}})
    await client.call(
        "kore/turn/start", {"sessionId": session["id"], "prompt": f"WRITE {told}\nASK {call}\nTALK 0\nSAY end"}
    )
    _, request, answer = await asked.requests.get()
    assert "rm all" in request["summary"] and request["toolCall"]["kind"] == "execute"
    answer.set_result({"outcome": "selected", "optionId": "rejectOnce"})
    await client.event("tool.error")
    await client.call("kore/turn/cancel", {"sessionId": session["id"]})
    calls = (await last(client, session))["toolCalls"]
    assert [(each["title"], each["status"]) for each in calls] == [("Look", "completed"), ("Do", "denied")]


async def test_a_cancel_while_the_agent_starts_does_not_cost_its_own_session(
    state_home: Path, folder: Path, settings: AgentSettings, home: Path
) -> None:
    one = served(state_home, None)
    client, _, session = await started(one, folder, settings)
    assert await ask(client, session, "SAY one") is None
    await one.close()
    gate = home / "gate-2"
    os.mkfifo(gate)
    two = served(state_home, None)
    client, _ = await user(two, folder, agent=settings)
    where = {"sessionId": session["id"]}
    await client.call("kore/turn/start", where | {"prompt": "SAY two"})
    starting = await asyncio.to_thread(gate.open, "wb")
    await client.call("kore/turn/cancel", where)
    starting.close()
    client.heard.clear()
    assert await ask(client, session, "SAY three") is None
    assert seen(home, "loaded") == ["made"] and "SAY one" not in seen(home, "prompt")[-1]
    await two.close()


async def test_what_another_server_took_back_is_not_known_to_the_agent_any_more(
    state_home: Path, folder: Path, settings: AgentSettings, home: Path
) -> None:
    one, two = served(state_home, None), served(state_home, None)
    client, _, session = await started(one, folder, settings)
    assert await ask(client, session, "SAY one") is None
    assert await ask(client, session, "SAY two") is None
    other, _ = await user(two, folder, agent=settings)
    messages = (await other.call("kore/message/list", {"sessionId": session["id"]}))["messages"]
    await other.call("kore/session/rewind", {"sessionId": session["id"], "messageId": messages[2]["id"]})
    assert await ask(client, session, "SAY three") is None
    told = seen(home, "prompt")[-1]
    assert '{"user": "SAY one"}' in told and "SAY two" not in told
    assert len(seen(home, "new")) == 2
    await one.close()
    await two.close()


async def test_what_a_session_has_cost_is_counted_once_over_a_restart_and_where_the_agent_counts_anew(
    state_home: Path, folder: Path, settings: AgentSettings
) -> None:
    def costs(amount: float) -> str:
        cost = {"amount": amount, "currency": "USD"}
        update = {"sessionUpdate": "usage_update", "used": 1, "size": 10, "cost": cost}
        message = {"method": "session/update", "params": {"sessionId": "made", "update": update}}
        return "WRITE " + json.dumps(message)

    one = served(state_home, None)
    client, _, session = await started(one, folder, settings)
    assert await ask(client, session, costs(0.25), costs(0.5)) is None
    await one.close()
    two = served(state_home, None)
    client, _ = await user(two, folder, agent=settings)
    assert await ask(client, session, costs(0.75)) is None
    assert (await client.get(session["id"]))["usage"]["cost"] == 0.75
    assert await ask(client, session, costs(0.125)) is None
    assert (await client.get(session["id"]))["usage"]["cost"] == 0.875
    await two.close()


async def test_what_was_refused_is_told_as_refused_whatever_the_agent_tells_of_it(
    application: Application, folder: Path, settings: AgentSettings
) -> None:
    client, _, session = await started(application, folder, settings, "plan")
    calls = [{"toolCallId": name, "title": name, "kind": "edit"} for name in ("one", "two")]
    update = {"sessionUpdate": "tool_call_update", "toolCallId": "one", "status": "completed"}
    done = json.dumps({"method": "session/update", "params": {"sessionId": "made", "update": update}})
    lines = [*(f"ASK {json.dumps(call)}" for call in calls), "ANSWERED 2", f"WRITE {done}"]
    assert await ask(client, session, *lines) is None
    assert [call["status"] for call in (await last(client, session))["toolCalls"]] == ["denied", "denied"]
