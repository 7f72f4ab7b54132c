from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from kore_ls.agents.agent import AnsweredTurn, AnswerEnded, StepEnded, ThinkingDelta, ToolReported, UsageReported
from kore_ls.agents.toolbox import ToolOutput
from kore_ls.api.application import Application
from kore_ls.errors import AuthRequired
from kore_ls.model.ids import MessageId
from kore_ls.model.message import ToolCall, ToolKind, ToolStatus
from kore_ls.model.session import Usage
from kore_ls.model.settings import UserRule
from kore_ls.model.turn import StopReason
from tests.api.test_permission import Asked
from tests.client import Client, Json, connected, served
from tests.scripted import ScriptedAgent, Scripts

CALL = ToolCall(
    id="c1",
    message_id=MessageId(""),
    name="run",
    kind=ToolKind.EXECUTE,
    title="Run",
    arguments={"a": 1},
    status=ToolStatus.IN_PROGRESS,
)


@pytest.fixture
def scripts() -> Scripts:
    return Scripts()


@pytest.fixture
async def application(state_home: Path, scripts: Scripts) -> AsyncIterator[Application]:
    made = served(state_home, scripts)
    yield made
    await made.close()


class Talk:
    """A client in a session whose agent does as it is told."""

    def __init__(self, client: Client, session: Json, agent: ScriptedAgent) -> None:
        self.client = client
        self.id: str = session["id"]
        self.agent = agent

    async def start(self, prompt: str = "prompt", **params: Any) -> Json:
        started: Json = await self.call("turn/start", prompt=prompt, **params)
        return started

    async def call(self, method: str, **params: Any) -> Any:
        return await self.client.call(f"kore/{method}", {"sessionId": self.id} | params)

    async def refused(self, method: str, **params: Any) -> str:
        return (await self.client.refused(f"kore/{method}", {"sessionId": self.id} | params)).kind

    async def finished(self) -> Json:
        data: Json = (await self.client.event("turn.finished"))["data"]
        return data

    async def until(self, status: str) -> Json:
        """Wait until the session is told to be in this status."""
        event = await self.client.wait(
            lambda method, params: (
                params.get("type") == "session.updated"
                and params["data"]["session"]["id"] == self.id
                and params["data"]["session"]["status"] == status
            )
        )
        session: Json = event["data"]["session"]
        return session

    async def messages(self) -> list[Json]:
        page = await self.call("message/list")
        found: list[Json] = page["messages"]
        return found


async def talking(client: Client, scripts: Scripts, **params: Any) -> Talk:
    session = await client.create(**params)
    client.events()
    return Talk(client, session, scripts[session["id"]])


@pytest.fixture
async def talk(client: Client, scripts: Scripts) -> Talk:
    return await talking(client, scripts)


async def test_the_reply_comes_first_and_the_prompt_is_stored_by_then(talk: Talk) -> None:
    started = await talk.start("hello")
    assert talk.client.events() == []
    assert started["message"]["content"] == "hello"
    assert (started["message"]["role"], started["message"]["turnId"]) == ("user", started["turnId"])
    assert [message["id"] for message in await talk.messages()] == [started["message"]["id"]]
    await talk.client.event("turn.started")
    assert (await talk.client.get(talk.id))["status"] == "running"


async def test_an_answer_comes_as_events_and_is_a_message_in_the_end(talk: Talk) -> None:
    started = await talk.start("hello")
    talk.agent.do(ThinkingDelta(text="hm 😀"), ThinkingDelta(text="!"), "an ", "answer", None)
    await talk.until("idle")
    messages = await talk.messages()
    assert [message["content"] for message in messages] == ["hello", "an answer"]
    assert (messages[1]["thinking"], messages[1]["turnId"]) == ("hm 😀!", started["turnId"])
    assert "state" not in messages[1]


async def test_the_events_of_a_turn_and_their_order(talk: Talk) -> None:
    started = await talk.start("hello")
    usage = UsageReported(usage=Usage(input_tokens=5, output_tokens=7))
    talk.agent.do("one", StepEnded(), usage, "two", None)
    seen: list[Json] = []
    while not any(event["type"] == "agent.idle" for event in seen):
        seen.append(await talk.client.wait(lambda method, params: method == "kore/event"))
    await talk.until("idle")
    types = [event["type"] for event in seen if event["type"] != "message.streaming"]
    assert types == [
        "message.added",
        "session.updated",
        "turn.started",
        "agent.thinking",
        "message.added",
        "message.added",
        "turn.finished",
        "agent.idle",
    ]
    finished = next(event for event in seen if event["type"] == "turn.finished")
    assert finished["turnId"] == started["turnId"]
    assert finished["data"]["stopReason"] == "endTurn"
    assert finished["data"]["usage"] == {"inputTokens": 5, "outputTokens": 7}
    assert finished["data"]["message"]["content"] == "two"
    assert (await talk.client.get(talk.id))["usage"] == {"inputTokens": 5, "outputTokens": 7}
    _check_streams(seen)


def _check_streams(seen: list[Json]) -> None:
    """What was streamed of each message is, put together by its offsets, what was stored."""
    texts: dict[tuple[str, str], str] = {}
    for event in seen:
        if event["type"] == "message.streaming":
            data = event["data"]
            key = data["messageId"], data["kind"]
            assert len(texts.get(key, "").encode("utf-16-le")) // 2 == data["offset"]
            texts[key] = texts.get(key, "") + data["delta"]
    stored = {event["data"]["message"]["id"]: event["data"]["message"] for event in seen if "message" in event["data"]}
    for (message_id, kind), text in texts.items():
        assert stored[message_id]["content" if kind == "text" else "thinking"] == text


async def test_many_small_deltas_become_few_events(talk: Talk) -> None:
    await talk.start()
    talk.agent.do(*["word "] * 2_000, None)
    seen = [await talk.client.wait(lambda method, params: method == "kore/event")]
    while seen[-1]["type"] != "turn.finished":
        seen.append(await talk.client.wait(lambda method, params: method == "kore/event"))
    streamed = [event for event in seen if event["type"] == "message.streaming"]
    assert len(streamed) < 200
    _check_streams(seen)


async def test_tool_calls_that_an_agent_reports_are_told_and_stored_with_their_step(talk: Talk) -> None:
    await talk.start()
    done = evolve(CALL, status=ToolStatus.COMPLETED, result={"text": "ok"})
    talk.agent.do("let me see", ToolReported(call=CALL), ToolReported(call=done), StepEnded(), "well", None)
    start = await talk.client.event("tool.start")
    complete = await talk.client.event("tool.complete")
    await talk.finished()
    messages = await talk.messages()
    assert start["data"]["toolCall"]["messageId"] == messages[1]["id"] == complete["data"]["toolCall"]["messageId"]
    assert complete["data"]["toolCall"]["result"] == {"text": "ok"}
    assert [call["status"] for call in messages[1]["toolCalls"]] == ["completed"]
    assert "toolCalls" not in messages[2]


async def test_an_agent_reads_the_history_from_the_store(talk: Talk) -> None:
    await talk.client.add(talk.id, "before")
    await talk.start("prompt")
    turn = await talk.agent.turns.get()
    await talk.client.add(talk.id, "meanwhile")
    assert [message.content async for message in turn.history()] == ["before"]
    assert turn.prompt.text == "prompt"
    talk.agent.do(None)
    await talk.finished()


async def test_context_reaches_the_agent(talk: Talk) -> None:
    span = {"start": {"line": 1, "character": 0}, "end": {"line": 2, "character": 3}}
    await talk.start(context=[{"uri": "file:///a.py", "range": span, "text": "x"}])
    context = (await talk.agent.turns.get()).prompt.context[0]
    assert (context.uri, context.text, context.range and context.range.end.character) == ("file:///a.py", "x", 3)


async def test_a_cancelled_turn_keeps_what_was_said(talk: Talk) -> None:
    await talk.start()
    talk.agent.do("half an ans", ToolReported(call=CALL))
    await talk.client.event("tool.start")
    answer = await talk.call("turn/cancel")
    assert answer == {"cancelled": True, "dropped": []}
    assert talk.agent.stopped.is_set()
    assert (await talk.finished())["stopReason"] == "cancelled"
    message = (await talk.messages())[-1]
    assert (message["content"], message["state"]) == ("half an ans", "cancelled")
    assert [call["status"] for call in message["toolCalls"]] == ["cancelled"]
    assert (await talk.client.get(talk.id))["status"] == "idle"
    assert await talk.call("turn/cancel") == {"cancelled": False, "dropped": []}


async def test_an_agent_that_does_not_stop_is_given_up(talk: Talk) -> None:
    go_on = asyncio.Event()

    async def stubborn(turn: AnsweredTurn) -> None:
        while not go_on.is_set():
            try:
                await go_on.wait()
            except asyncio.CancelledError:
                continue

    await talk.start()
    talk.agent.do("half", stubborn)
    await talk.client.event("message.streaming")
    await talk.call("turn/cancel")
    assert (await talk.finished())["stopReason"] == "cancelled"
    assert (await talk.messages())[-1]["state"] == "cancelled"
    go_on.set()
    await talk.start("another agent answers")
    await talk.call("turn/cancel")


async def test_a_turn_that_has_ended_is_of_no_use_to_the_agent_that_keeps_it(talk: Talk, folder: Path) -> None:
    async def uses(turn: AnsweredTurn) -> None:
        await turn.use_tool("write_file", {"path": "late.txt", "content": "x"})

    async def reads(turn: AnsweredTurn) -> None:
        async for _ in turn.history():
            pass

    await talk.start()
    turn = await talk.agent.turns.get()
    talk.agent.do(None)
    await talk.until("idle")
    await talk.start("the next one runs meanwhile")
    for deed in (uses(turn), reads(turn), turn.ready()):
        with pytest.raises(asyncio.CancelledError):
            await deed
    assert not (folder / "late.txt").exists()
    assert (await talk.call("permission/log"))["decisions"] == []
    assert not {"tool.start", "tool.error"} & set(talk.client.event_types())


async def test_an_agent_that_was_given_up_has_no_tools_any_more(talk: Talk, folder: Path) -> None:
    go_on, refused = asyncio.Event(), asyncio.Event()

    async def stubborn(turn: AnsweredTurn) -> None:
        while not go_on.is_set():
            try:
                await go_on.wait()
            except asyncio.CancelledError:
                continue
        try:
            await turn.use_tool("write_file", {"path": "late.txt", "content": "x"})
        except asyncio.CancelledError:
            refused.set()

    await talk.start()
    talk.agent.do("half", stubborn)
    await talk.client.event("message.streaming")
    await talk.call("turn/cancel")
    await talk.start("another agent answers")
    go_on.set()
    await refused.wait()
    assert not (folder / "late.txt").exists()
    assert (await talk.call("permission/log"))["decisions"] == []


async def test_a_tool_call_that_an_agent_left_behind_ends_with_the_turn(
    application: Application, scripts: Scripts, folder: Path
) -> None:
    asked = Asked()
    client = await connected(application, folder, editor=asked, permissions=True, trusted=True)
    talk = await talking(client, scripts, mode="general")
    left: list[asyncio.Task[object]] = []

    async def leaves(turn: AnsweredTurn) -> None:
        work = turn.use_tool("write_file", {"path": "late.txt", "content": "x"})
        left.append(asyncio.ensure_future(work))

    await talk.start()
    talk.agent.do(leaves)
    _, request, answer = await asked.requests.get()
    message_id = request["toolCall"]["messageId"]
    assert message_id == (await client.get(talk.id))["turn"]["messageId"]
    talk.agent.do(None)
    await talk.until("idle")
    with pytest.raises(asyncio.CancelledError):
        await left[0]
    if not answer.done():
        answer.set_result({"outcome": "selected", "optionId": request["options"][0]["id"]})
    assert not (folder / "late.txt").exists()
    await client.workspace.close()


async def test_a_failing_agent_ends_only_its_own_turn(client: Client, scripts: Scripts) -> None:
    bad, good = await talking(client, scripts), await talking(client, scripts)
    await bad.start()
    await good.start()
    bad.agent.do("half", RuntimeError("secret"))
    error = await client.event("agent.error")
    assert (error["sessionId"], error["data"]["error"]["kind"]) == (bad.id, "agentFailed")
    assert "secret" not in str(error)
    assert (await bad.finished())["stopReason"] == "error"
    assert [message.get("state") for message in await bad.messages()] == [None, "interrupted"]
    good.agent.do("fine", None)
    assert (await good.finished())["stopReason"] == "endTurn"
    assert (await good.messages())[-1]["content"] == "fine"
    await bad.start("again")
    bad.agent.do("better", None)
    assert (await bad.finished())["stopReason"] == "endTurn"


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
async def test_an_agent_that_wants_the_process_to_end_ends_its_turn_alone(talk: Talk, error: BaseException) -> None:
    await talk.start()
    talk.agent.do("half", error)
    assert (await talk.finished())["stopReason"] == "error"
    await talk.until("idle")
    await talk.start("again")
    talk.agent.do("better", None)
    assert (await talk.finished())["stopReason"] == "endTurn"


NO_JSON = [{"path": "a.txt", "x": object()}, {"path": float("nan")}, {"path": "a.txt", "x": {1, 2}}, None]


@pytest.mark.parametrize("arguments", NO_JSON)
async def test_tool_arguments_that_are_no_json_end_the_turn_as_an_error(talk: Talk, arguments: Any) -> None:
    async def uses(turn: AnsweredTurn) -> None:
        await turn.use_tool("read_file", arguments)

    await talk.start()
    talk.agent.do("half", uses)
    assert (await talk.finished())["stopReason"] == "error"
    await talk.until("idle")
    assert (await talk.messages())[-1]["content"] == "half"


async def test_a_reported_tool_call_that_is_no_json_ends_the_turn_as_an_error(talk: Talk) -> None:
    await talk.start()
    talk.agent.do("half", ToolReported(call=evolve(CALL, result={"x": object()})))
    assert (await talk.finished())["stopReason"] == "error"
    await talk.until("idle")
    assert (await talk.messages())[-1]["content"] == "half"


async def test_a_turn_ends_though_its_usage_can_t_be_stored(talk: Talk) -> None:
    await talk.start()
    odd: Any = object()
    talk.agent.do("half", UsageReported(usage=Usage(input_tokens=odd)), None)
    assert "usage" not in await talk.finished()
    await talk.until("idle")
    await talk.start("again")


async def test_text_that_is_no_unicode_is_mended(talk: Talk) -> None:
    async def uses(turn: AnsweredTurn) -> None:
        outcome = await turn.use_tool("read_\ud800", {"path": "a\ud800", "\udfff": ["\ud83d\ude00"]}, call_id="c\ud800")
        talk.agent.do(outcome.text)

    await talk.start()
    reported = evolve(CALL, title="t\ud800", arguments={"a": "\ud800"}, result={"text": "r\ud800"})
    talk.agent.do("a\ud800b", ThinkingDelta(text="\udfff"), ToolReported(call=reported), uses)
    failed = (await talk.client.event("tool.error"))["data"]["toolCall"]
    assert (failed["id"], failed["arguments"]) == ("c\ufffd", {"path": "a\ufffd", "\ufffd": ["\U0001f600"]})
    talk.agent.do(None)
    assert (await talk.finished())["stopReason"] == "endTurn"
    message = (await talk.messages())[-1]
    assert (message["content"][:3], message["thinking"]) == ("a\ufffdb", "\ufffd")
    first = message["toolCalls"][0]
    assert (first["title"], first["result"]) == ("t\ufffd", {"text": "r\ufffd"})


async def test_an_agent_s_own_error_is_told_as_it_is(talk: Talk) -> None:
    await talk.start()
    talk.agent.do(AuthRequired())
    assert (await talk.client.event("agent.error"))["data"]["error"]["kind"] == "authRequired"


async def test_an_agent_may_say_why_it_ends(talk: Talk) -> None:
    await talk.start()
    talk.agent.do("long", AnswerEnded(stop_reason=StopReason.MAX_TOKENS))
    assert (await talk.finished())["stopReason"] == "maxTokens"


async def test_one_turn_at_a_time(talk: Talk) -> None:
    await talk.start()
    assert await talk.refused("turn/start", prompt="another") == "sessionBusy"
    talk.agent.do(None)
    await talk.finished()
    await talk.start("another")


async def test_a_prompt_can_wait_for_the_turn_that_runs(talk: Talk) -> None:
    await talk.start("one")
    queued = await talk.start("two", whenBusy="queue")
    assert queued == {"turnId": queued["turnId"], "queued": True}
    assert (await talk.client.get(talk.id))["turn"]["queued"] == 1
    talk.agent.do("first", None)
    started = await talk.client.wait(
        lambda method, params: params["type"] == "turn.started" and params["turnId"] == queued["turnId"]
    )
    assert started["sessionId"] == talk.id
    talk.agent.do("second", None)
    await talk.finished()
    assert [message["content"] for message in await talk.messages()] == ["one", "first", "two", "second"]


async def test_cancelling_gives_back_the_prompts_that_waited(talk: Talk) -> None:
    await talk.start("one")
    queued = [await talk.start(prompt, whenBusy="queue") for prompt in ("two", "three")]
    answer = await talk.call("turn/cancel")
    assert answer["dropped"] == [
        {"turnId": turn["turnId"], "prompt": prompt} for turn, prompt in zip(queued, ("two", "three"), strict=True)
    ]
    assert [message["content"] for message in await talk.messages()] == ["one"]


async def test_each_prompt_that_is_given_back_has_its_event(talk: Talk) -> None:
    await talk.start("one")
    queued = [(await talk.start(prompt, whenBusy="queue"))["turnId"] for prompt in ("two", "three")]
    await talk.call("turn/cancel")
    told = [each for each in talk.client.events() if each["type"] == "turn.finished"]
    assert [each["turnId"] for each in told][1:] == queued
    assert {each["data"]["stopReason"] for each in told} == {"cancelled"}


async def test_prompts_that_wait_when_their_session_is_closed_become_messages_with_their_event(talk: Talk) -> None:
    await talk.start("one")
    queued = await talk.start("two", whenBusy="queue", context=[{"uri": "file:///a"}])
    await talk.call("session/close")
    told = [each for each in talk.client.events() if each.get("turnId") == queued["turnId"]]
    assert [(each["type"], each["data"]["stopReason"]) for each in told] == [("turn.finished", "cancelled")]
    last = (await talk.messages())[-1]
    assert told[0]["data"]["message"] == last
    assert (last["role"], last["content"], last["state"]) == ("user", "two", "cancelled")
    assert last["metadata"] == {"context": [{"uri": "file:///a"}]}
    assert (await talk.call("turn/list"))["turns"][0]["turnId"] == queued["turnId"]


async def test_prompts_that_wait_outlive_the_server(
    talk: Talk, application: Application, state_home: Path, folder: Path
) -> None:
    await talk.start("one")
    await talk.start("two", whenBusy="queue")
    await application.close()
    again = served(state_home)
    try:
        client = await connected(again, folder)
        page = await client.call("kore/message/list", {"sessionId": talk.id})
        assert [(each["content"], each.get("state")) for each in page["messages"]] == [
            ("one", None),
            ("two", "interrupted"),
        ]
        assert (await client.get(talk.id))["status"] == "idle"
    finally:
        await again.close()


async def test_a_prompt_that_waits_goes_on_waiting_while_its_session_is_paused(talk: Talk) -> None:
    await talk.start("one")
    await talk.start("two", whenBusy="queue")
    await talk.call("session/pause")
    talk.agent.do("first", None)
    await talk.finished()
    assert [message["content"] for message in await talk.messages()] == ["one", "first"]
    await talk.call("session/resume")
    await talk.client.event("turn.started")
    talk.agent.do("second", None)
    await talk.until("idle")
    assert [message["content"] for message in await talk.messages()] == ["one", "first", "two", "second"]


async def test_what_the_editor_sends_along_is_kept_with_the_message(talk: Talk) -> None:
    span = {"start": {"line": 1, "character": 2}, "end": {"line": 3, "character": 0}}
    context = [{"uri": "file:///a.py", "range": span, "text": "x = 1\n" * 2_000}, {"uri": "file:///b.py"}]
    started = await talk.start("why?", context=context)
    assert started["message"]["metadata"] == {"context": context}
    assert (await talk.messages())[0]["metadata"] == {"context": context}
    talk.agent.do(None)
    await talk.finished()
    big = [{"uri": "file:///big", "text": "é" * 40_000}, {"uri": "file:///small", "text": "x"}]
    started = await talk.start("and?", context=big)
    assert started["message"]["metadata"] == {"context": [{"uri": "file:///big", "textLeftOut": True}, big[1]]}


async def test_not_any_number_of_prompts_can_wait(talk: Talk) -> None:
    await talk.start("one")
    for number in range(16):
        await talk.start(str(number), whenBusy="queue")
    assert await talk.refused("turn/start", prompt="more", whenBusy="queue") == "sessionBusy"


async def test_a_paused_turn_holds_before_the_next_request_but_reads_its_stream_to_the_end(talk: Talk) -> None:
    held, gone_on = asyncio.Event(), asyncio.Event()

    async def next_request(turn: AnsweredTurn) -> None:
        held.set()
        await turn.ready()
        gone_on.set()

    await talk.start()
    talk.agent.do("one ")
    await talk.client.event("message.streaming")
    assert (await talk.call("session/pause"))["status"] == "paused"
    talk.agent.do("two", StepEnded(), next_request, "three", None)
    await held.wait()
    assert [message["content"] for message in await talk.messages()] == ["prompt", "one two"]
    assert not gone_on.is_set()
    assert await talk.refused("turn/start", prompt="x") in ("badTransition", "sessionBusy")
    assert (await talk.call("session/resume"))["status"] == "running"
    await talk.until("idle")
    assert (await talk.messages())[-1]["content"] == "three"


async def test_a_paused_turn_holds_before_a_tool_call(talk: Talk, folder: Path) -> None:
    (folder / "a.txt").write_text("content")
    reached = asyncio.Event()

    async def use(turn: AnsweredTurn) -> None:
        reached.set()
        await turn.use_tool("read_file", {"path": "a.txt"})

    await talk.start()
    talk.agent.do("one ")
    await talk.client.event("message.streaming")
    await talk.call("session/pause")
    talk.agent.do(use, None)
    await reached.wait()
    await talk.call("session/save")
    assert not [each for each in talk.client.events() if each["type"].startswith("tool.")]
    assert (await talk.call("permission/log"))["decisions"] == []
    await talk.call("session/resume")
    assert (await talk.client.event("tool.complete"))["data"]["toolCall"]["result"]["text"].endswith("content")
    await talk.until("idle")


async def test_a_turn_that_is_held_can_be_cancelled_and_its_session_stays_paused(talk: Talk) -> None:
    held = asyncio.Event()

    async def next_request(turn: AnsweredTurn) -> None:
        held.set()
        await turn.ready()

    await talk.start()
    await talk.client.event("turn.started")
    await talk.call("session/pause")
    talk.agent.do(next_request)
    await held.wait()
    await talk.call("turn/cancel")
    assert (await talk.client.get(talk.id))["status"] == "paused"
    assert (await talk.call("session/resume"))["status"] == "idle"


async def test_a_paused_session_begins_no_turn(talk: Talk) -> None:
    await talk.call("session/pause")
    assert await talk.refused("turn/start", prompt="x") == "badTransition"


@pytest.mark.parametrize("method", ["close", "delete"])
async def test_closing_and_deleting_cancel_the_turn_first(talk: Talk, method: str) -> None:
    await talk.start()
    talk.agent.do("half")
    await talk.client.event("message.streaming")
    await talk.call(f"session/{method}")
    assert talk.agent.stopped.is_set() and talk.agent.closed
    types = talk.client.event_types()
    assert types.index("turn.finished") < types.index(f"session.{method}d")
    if method == "delete":
        await talk.call("session/restore")
    assert (await talk.messages())[-1]["state"] == "cancelled"
    assert (await talk.client.get(talk.id))["status"] == ("closed" if method == "close" else "idle")


async def test_a_mode_change_counts_at_once(talk: Talk) -> None:
    await talk.start()
    turn = await talk.agent.turns.get()
    assert turn.session.agent_mode.value == "build"
    await talk.call("session/update", mode="plan")
    assert turn.session.agent_mode.value == "plan"


async def test_a_client_that_comes_back_finds_the_turn_as_it_is(
    talk: Talk, application: Application, folder: Path
) -> None:
    started = await talk.start()
    talk.agent.do(ThinkingDelta(text="hm"), "half an ans", ToolReported(call=CALL))
    tool = await talk.client.event("tool.start")
    back = await connected(application, folder)
    session = await back.get(talk.id)
    turn = session["turn"]
    assert session["lease"]["mine"] is True
    assert (turn["turnId"], turn["state"], turn["queued"]) == (started["turnId"], "running", 0)
    assert (turn["text"], turn["thinking"]) == ("half an ans", "hm")
    assert turn["messageId"] == tool["data"]["toolCall"]["messageId"]
    assert [call["id"] for call in turn["openToolCalls"]] == ["c1"]
    assert turn["pendingPermissions"] == []
    listed = (await back.call("kore/session/list"))["sessions"][0]["turn"]
    assert "text" not in listed
    talk.agent.do(None)
    await back.event("turn.finished")
    assert not {"turn", "lease"} & (await back.get(talk.id)).keys()
    await back.workspace.close()


async def test_a_client_that_comes_back_finds_calls_that_have_ended_and_what_a_running_one_has_printed(
    talk: Talk, application: Application, folder: Path
) -> None:
    ended = evolve(CALL, id="c0", status=ToolStatus.COMPLETED, result={"text": "done"})
    await talk.start()
    talk.agent.do(ToolReported(call=ended), ToolReported(call=CALL))
    talk.agent.do(ToolOutput(call_id="c1", offset=0, chunk="one\n"), ToolOutput(call_id="c1", offset=4, chunk="two"))
    while (await talk.client.event("tool.output"))["data"]["offset"] < 4:
        pass
    back = await connected(application, folder)
    turn = (await back.get(talk.id))["turn"]
    results = [(call["id"], call["status"], call["result"]["text"]) for call in turn["toolCalls"]]
    assert results == [("c0", "completed", "done"), ("c1", "inProgress", "one\ntwo")]
    assert turn["openToolCalls"] == turn["toolCalls"][1:]
    listed = (await back.call("kore/session/list"))["sessions"][0]["turn"]
    assert "toolCalls" not in listed and "result" not in listed["openToolCalls"][0]
    await talk.call("turn/cancel")
    (message,) = [each for each in await talk.messages() if each["role"] == "assistant"]
    assert [call["result"]["text"] for call in message["toolCalls"]] == ["done", "one\ntwo"]
    await back.workspace.close()


async def test_a_turn_goes_on_when_its_client_leaves(
    talk: Talk, application: Application, folder: Path, scripts: Scripts
) -> None:
    other = await connected(application, folder)
    await talk.start()
    await talk.client.event("turn.started")
    await talk.client.workspace.close()
    talk.agent.do("done", None)
    await other.event("turn.finished")
    await other.workspace.close()


async def test_the_end_of_the_server_interrupts_turns_and_changes_no_status_for_the_worse(
    talk: Talk, application: Application, state_home: Path, folder: Path
) -> None:
    await talk.start()
    talk.agent.do("half")
    await talk.client.event("message.streaming")
    await application.close()
    again = served(state_home)
    client = await connected(again, folder)
    assert (await client.get(talk.id))["status"] == "idle"
    turns = (await client.call("kore/turn/list", {"sessionId": talk.id}))["turns"]
    assert [turn["stopReason"] for turn in turns] == ["interrupted"]
    messages = (await client.call("kore/message/list", {"sessionId": talk.id}))["messages"]
    assert (messages[-1]["content"], messages[-1]["state"]) == ("half", "interrupted")
    await again.close()


async def test_turns_are_listed_newest_first(talk: Talk) -> None:
    started = []
    for prompt in ("one", "two", "three"):
        started.append((await talk.start(prompt))["turnId"])
        talk.agent.do("x", None)
        await talk.until("idle")
    page = await talk.call("turn/list", limit=2)
    rest = await talk.call("turn/list", limit=2, cursor=page["nextCursor"])
    assert [turn["turnId"] for turn in page["turns"] + rest["turns"]] == started[::-1]
    assert "nextCursor" not in rest
    assert {"state": "done", "stopReason": "endTurn", "firstSeq": 1, "lastSeq": 2}.items() <= rest["turns"][0].items()
    other = await talk.client.create()
    error = await talk.client.refused("kore/turn/list", {"sessionId": other["id"], "cursor": page["nextCursor"]})
    assert error.kind == "invalidParams"


@pytest.mark.parametrize("prompt", ["", " \n", "\ud800"])
async def test_a_prompt_says_something(talk: Talk, prompt: str) -> None:
    assert await talk.refused("turn/start", prompt=prompt) == "invalidParams"


async def test_closed_and_unknown_sessions_begin_no_turn(talk: Talk) -> None:
    await talk.call("session/close")
    assert await talk.refused("turn/start", prompt="x") == "sessionClosed"
    assert (await talk.client.refused("kore/turn/start", {"sessionId": "no", "prompt": "x"})).kind == "sessionNotFound"
    assert (await talk.client.refused("kore/turn/cancel", {"sessionId": "no"})).kind == "sessionNotFound"


async def test_what_is_no_text_becomes_a_replacement_character(talk: Talk) -> None:
    await talk.start()
    talk.agent.do("a\ud800b", None)
    await talk.finished()
    assert (await talk.messages())[-1]["content"] == "a\ufffdb"


async def test_a_draft_is_saved_while_the_answer_is_given(talk: Talk, folder: Path) -> None:
    """A manager saves it of itself; `kore/session/save` does so at once."""
    await talk.start()
    talk.agent.do("half")
    await talk.client.event("message.streaming")
    await talk.call("session/save")
    database = next(folder.glob(".kore/sessions.db"))
    with closing(sqlite3.connect(database)) as db:
        assert db.execute("SELECT content FROM drafts").fetchall() == [("half",)]


async def test_eight_sessions_work_at_once_and_one_in_a_long_command_holds_up_no_other(
    application: Application, folder: Path, scripts: Scripts
) -> None:
    async def hang(turn: AnsweredTurn) -> None:
        await turn.use_tool("run_command", {"argv": ["sh", "-c", "echo begun; exec sleep 10"]})

    allowed = UserRule(answer="allow", argv=("sh",), unsandboxed=True)
    client = await connected(application, folder, trusted=True, rules=(allowed,))
    talks = [await talking(client, scripts, activate=False) for _ in range(8)]
    for talk in talks:
        await talk.start(talk.id)
    talks[0].agent.do(hang)
    await client.event("tool.output")
    for talk in talks[1:]:
        talk.agent.do(f"answer of {talk.id}", None)
    finished = {(await client.event("turn.finished"))["sessionId"] for _ in talks[1:]}
    assert finished == {talk.id for talk in talks[1:]}
    for talk in talks[1:]:
        assert [message["content"] for message in await talk.messages()] == [talk.id, f"answer of {talk.id}"]
    assert (await client.get(talks[0].id))["status"] == "running"
    await talks[0].call("turn/cancel")
    call = (await talks[0].messages())[-1]["toolCalls"][0]
    assert (call["status"], call["name"]) == ("cancelled", "run_command")


async def test_a_turn_ends_also_where_its_store_is_gone(talk: Talk, folder: Path) -> None:
    await talk.start()
    talk.agent.do("half")
    await talk.client.event("message.streaming")
    for path in (folder / ".kore").iterdir():
        path.unlink()
    talk.agent.do("and the rest", None)
    assert (await talk.finished())["stopReason"] == "interrupted"


async def test_a_slow_client_gets_merged_pieces_and_everything_else(
    talk: Talk, application: Application, folder: Path
) -> None:
    editor = Asked()
    editor.slow = True
    slow = await connected(application, folder, editor=editor)
    await talk.start()
    for _ in range(5):  # five that can't be one for a quick client
        talk.agent.do("a few ", "words ")
        await talk.client.event("message.streaming")
    done = evolve(CALL, status=ToolStatus.COMPLETED)
    talk.agent.do(ToolReported(call=CALL), ToolReported(call=done), "the end", None)
    await slow.wait(
        lambda method, params: params["type"] == "session.updated" and params["data"]["session"]["status"] == "running"
    )
    seen = [await slow.wait(lambda method, params: method == "kore/event")]
    while seen[-1]["type"] != "agent.idle":
        seen.append(await slow.wait(lambda method, params: method == "kore/event"))
    types = [event["type"] for event in seen]
    assert types == [
        "turn.started",
        "agent.thinking",
        "message.streaming",
        "tool.start",
        "tool.complete",
        "message.streaming",
        "message.added",
        "turn.finished",
        "agent.idle",
    ]
    assert [event["seq"] for event in seen] == list(range(seen[0]["seq"], seen[0]["seq"] + len(seen)))
    _check_streams(seen)
    await slow.workspace.close()


async def test_locking_the_store_stops_its_turns_first_and_keeps_what_was_said(talk: Talk) -> None:
    await talk.client.call("kore/store/encrypt", {"passphrase": "secret"})
    await talk.start("one")
    await talk.start("two", whenBusy="queue")
    talk.agent.do("half an ans")
    await talk.client.event("message.streaming")
    status = await talk.client.call("kore/store/lock")

    assert (status["encrypted"], status["locked"]) == (True, True)
    assert talk.agent.stopped.is_set()
    assert talk.agent.closed
    assert talk.client.event_types()[-1] == "store.locked"
    assert await talk.refused("turn/start", prompt="x") == "storeLocked"
    await talk.client.call("kore/store/unlock", {"passphrase": "secret"})
    assert [(message["content"], message.get("state")) for message in await talk.messages()] == [
        *(("one", None), ("half an ans", "cancelled"), ("two", "cancelled"))
    ]
    assert (await talk.client.get(talk.id))["status"] == "idle"


@pytest.mark.parametrize("change", ["encrypt", "rekey", "decrypt"])
async def test_a_turn_goes_on_while_its_store_is_converted(talk: Talk, change: str) -> None:
    if change != "encrypt":
        await talk.client.call("kore/store/encrypt", {"passphrase": "secret"})
    await talk.start("one")
    talk.agent.do("half ")
    await talk.client.event("message.streaming")
    await talk.client.call(
        f"kore/store/{change}", {"passphrase": "secret"} | ({"newPassphrase": "other"} if change == "rekey" else {})
    )
    talk.agent.do("an answer", None)
    await talk.until("idle")
    assert [message["content"] for message in await talk.messages()] == ["one", "half an answer"]
