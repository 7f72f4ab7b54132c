"""Answers of a model that are none, or not whole, and models that hold less than was thought."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kore_ls.api.application import Application
from kore_ls.model.agent_settings import AgentSettings
from tests.api.test_permission import user
from tests.client import Client, Json, served
from tests.model_server import Call, ModelServer, Reply

pytestmark = pytest.mark.xdist_group("model")


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with ModelServer() as server:
        yield server


@pytest.fixture
async def application(state_home: Path) -> AsyncIterator[Application]:
    made = served(state_home, None)
    yield made
    await made.close()


async def started(application: Application, folder: Path, server: ModelServer) -> tuple[Client, Json]:
    settings = AgentSettings(backend="model", model="a-model", base_url=f"{server.address}/v1")
    client, _ = await user(application, folder, agent=settings)
    return client, await client.create(name="named", mode="build")


async def ask(client: Client, session: Json, prompt: str) -> Json | None:
    """Ask and wait for the end; the error, if that is how it ended."""
    await client.call("kore/turn/start", {"sessionId": session["id"], "prompt": prompt})
    event = await client.wait(lambda _, params: params["type"] in ("agent.error", "turn.finished"))
    if event["type"] == "turn.finished":
        return None
    await client.event("turn.finished")
    error: Json = event["data"]["error"]
    return error


async def messages(client: Client, session: Json) -> list[Json]:
    found: list[Json] = (await client.call("kore/message/list", {"sessionId": session["id"]}))["messages"]
    return found


@pytest.mark.parametrize(
    "reply",
    [
        Reply(text=("half",), stray=b"data: [1, 2]\n\n"),
        Reply(text=("half",), stray=b"data: {secret\n\n"),
        Reply(text=("",)),
    ],
)
async def test_what_is_no_answer_is_told_as_that_and_the_session_goes_on(
    application: Application, folder: Path, server: ModelServer, reply: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    client, session = await started(application, folder, server)
    server.replies.append(reply)
    told = await ask(client, session, "hello")
    assert told is not None and told["params"] == {"reason": "answer", "provider": "custom"}
    assert await ask(client, session, "again") is None
    assert (await messages(client, session))[-1]["content"] == "ok"
    assert "secret" not in caplog.text and "Traceback" not in caplog.text


async def test_a_call_of_an_answer_that_is_not_whole_is_not_done(
    application: Application, folder: Path, server: ModelServer
) -> None:
    client, session = await started(application, folder, server)
    write = Call("write_file", {"path": "a.txt", "content": "half of it"})
    server.reply("I write", calls=(write,), short=True)
    told = await ask(client, session, "write it")
    assert told is not None and told["params"]["reason"] == "brokenOff"
    assert not (folder / "a.txt").exists()


async def test_a_call_whose_arguments_end_within_is_not_done_with_those_it_lacks(
    application: Application, folder: Path, server: ModelServer
) -> None:
    client, session = await started(application, folder, server)
    server.reply(calls=(Call("list_dir", '{"path": "su'),), stop="length")
    assert await ask(client, session, "look") is None
    step = (await messages(client, session))[1]
    assert [(call["name"], call["status"]) for call in step["toolCalls"]] == [("list_dir", "failed")]
    (told,) = [each for each in server.asked[1].body["messages"] if each["role"] == "tool"]
    assert "not an object in JSON" in told["content"]
    assert await ask(client, session, "and now?") is None
    assert server.asked[2].body["messages"][: len(server.asked[1].body["messages"])] == server.asked[1].body["messages"]


async def test_a_history_is_made_shorter_until_the_model_can_hold_it(
    application: Application, folder: Path, server: ModelServer
) -> None:
    client, session = await started(application, folder, server)
    assert await ask(client, session, "hello") is None
    for number in range(20):
        await client.add(session["id"], f"question {number} " + "word " * 1_000)
        await client.add(session["id"], f"answer {number} " + "word " * 1_000, role="assistant")
    before = await messages(client, session)
    server.holds = 45_000
    server.plain.append(Reply(text=("They spoke of words.",)))
    assert await ask(client, session, "go on") is None
    assert "They spoke of words." in server.asked[-1].body["messages"][1]["content"]
    assert "question 19" in str(server.asked[-1].body["messages"])
    assert (await messages(client, session))[: len(before)] == before
    plain = len(server.asked_plain)
    assert await ask(client, session, "and on") is None
    assert len(server.asked_plain) == plain


async def test_half_a_summary_takes_the_place_of_nothing(
    application: Application, folder: Path, server: ModelServer
) -> None:
    client, session = await started(application, folder, server)
    await client.add(session["id"], "long ago")
    server.replies.append(Reply(status=400, code="context_length_exceeded"))
    server.plain.append(Reply(text=("Long ago it",), short=True))
    told = await ask(client, session, "go on")
    assert told is not None and told["params"]["reason"] == "brokenOff"
    assert await ask(client, session, "again") is None
    assert server.asked[-1].body["messages"][1]["content"] == "long ago"


async def test_a_title_that_can_not_be_read_costs_nothing(
    application: Application, folder: Path, server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    client, _ = await started(application, folder, server)
    session = await client.create()
    server.plain.append(Reply(text=("secret",), stray=b"data: [1, 2]\n\n"))
    assert await ask(client, session, "hello") is None
    async with asyncio.timeout(60):
        await server.until_plain(1)
    await client.call("kore/session/close", {"sessionId": session["id"]})
    assert (await client.get(session["id"]))["name"] == session["name"]
    assert "secret" not in caplog.text and "Traceback" not in caplog.text
