"""A turn with a model, told by the library's own test models: what is asked, what is told, when it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest
from attrs import define, field

from kore_ls.agents.agent import (
    AgentEvent,
    AnswerEnded,
    Leave,
    StepEnded,
    TextDelta,
    ToolOutcome,
    UsageReported,
    Workplace,
)
from kore_ls.agents.endpoint import Endpoint
from kore_ls.agents.keys import ProviderKeys
from kore_ls.agents.model.agent import ModelAgent
from kore_ls.model.agent_settings import AgentSettings
from kore_ls.model.ids import MessageId, SessionId
from kore_ls.model.message import Message, Role, ToolCall, ToolKind, ToolStatus
from kore_ls.model.mode import AgentMode
from kore_ls.model.session import SessionRecord, Usage
from kore_ls.model.turn import Prompt, StopReason

pytestmark = pytest.mark.xdist_group("model")


PLANNING = SessionRecord(id=SessionId("s"), name="named", agent_mode=AgentMode.PLAN, created_at=0, updated_at=0)


@define
class OneTurn:
    """A turn at hand, in memory. `used` are the tools used, each of which says "fine"."""

    prompt: Prompt
    session: SessionRecord = PLANNING
    past: list[Message] = field(factory=list)
    used: list[tuple[str, Mapping[str, Any]]] = field(factory=list)
    noted: dict[str, str] = field(factory=dict)

    async def history(self) -> AsyncIterator[Message]:
        for message in self.past:
            yield message

    async def notes(self, name: str | None = None) -> Mapping[str, str]:
        return self.noted

    async def keep(self, name: str, content: str | None) -> None:
        raise AssertionError

    async def workplace(self) -> Workplace:
        raise AssertionError

    async def permit(
        self, call: ToolCall, *, paths: Sequence[str], argv: Sequence[str], diff: str | None, confined: bool
    ) -> Leave:
        raise AssertionError

    async def ready(self) -> None:
        pass

    async def use_tool(self, name: str, arguments: Mapping[str, Any], *, call_id: str | None = None) -> ToolOutcome:
        self.used.append((name, arguments))
        call = ToolCall(
            id=f"c{len(self.used)}",
            message_id=MessageId("m"),
            name=name,
            kind=ToolKind.READ,
            title=name,
            arguments=arguments,
            status=ToolStatus.COMPLETED,
            result={"text": "fine"},
        )
        return ToolOutcome(call=call, text="fine")


class NoNames:
    async def wanted(self, session_id: SessionId) -> bool:
        return False

    async def name(self, session_id: SessionId, title: str, usage: Usage) -> None:
        raise AssertionError


async def answered(turn: OneTurn, model: Any) -> list[AgentEvent]:
    """All events of a turn that this model answers."""

    def connect(endpoint: Endpoint, key: str) -> Any:
        return model

    settings = AgentSettings(backend="model", model="m", base_url="http://127.0.0.1:1/v1")
    agent = ModelAgent(settings, ProviderKeys(), naming=NoNames(), environ={}, connect=connect)
    events = [event async for event in agent.answer(turn)]
    await agent.close()
    return events


async def test_the_tools_it_calls_are_used_and_the_answer_follows() -> None:
    from pydantic_ai.models.test import TestModel

    turn = OneTurn(Prompt(text="look"))
    events = await answered(turn, TestModel(call_tools=["read_file", "todo"], custom_output_text="done"))
    assert [name for name, _ in turn.used] == ["read_file", "todo"]
    kinds = [type(event) for event in events if not isinstance(event, TextDelta)]
    assert kinds == [UsageReported, StepEnded, UsageReported, AnswerEnded]
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "done"
    assert isinstance(events[-1], AnswerEnded) and events[-1].stop_reason is StopReason.END_TURN


async def test_what_it_noted_is_what_it_is_sent_again() -> None:
    from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart
    from pydantic_ai.models.function import AgentInfo, FunctionModel

    sent: list[list[ModelMessage]] = []

    async def speak(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        sent.append(messages)
        yield "第一"
        yield "句"

    model = FunctionModel(stream_function=speak)
    events = await answered(OneTurn(Prompt(text="one")), model)
    assert isinstance(events[-1], AnswerEnded) and events[-1].note is not None
    past = [
        Message(id=MessageId("a"), seq=1, role=Role.USER, content="one"),
        Message(id=MessageId("b"), seq=2, role=Role.ASSISTANT, content="第一句"),
    ]
    for noted in ({}, {"b": events[-1].note}, {"b": '{"v": 99}'}, {"b": "no JSON"}):
        await answered(OneTurn(Prompt(text="two"), past=past, noted=noted), model)
        response = sent[-1][1]
        assert isinstance(response, ModelResponse)
        assert [part.content for part in response.parts if isinstance(part, TextPart)] == ["第一句"]


async def test_a_note_that_says_something_else_than_its_message_is_not_believed() -> None:
    from pydantic_ai.models.function import AgentInfo, FunctionModel

    sent: list[str] = []

    async def speak(messages: list[Any], info: AgentInfo) -> AsyncIterator[str]:
        sent.append(str(messages))
        yield "ok"

    model = FunctionModel(stream_function=speak)
    events = await answered(OneTurn(Prompt(text="one")), model)
    assert isinstance(events[-1], AnswerEnded) and events[-1].note is not None
    note = events[-1].note.replace('"ok"', '"forged"')
    past = [Message(id=MessageId("b"), seq=1, role=Role.ASSISTANT, content="ok")]
    await answered(OneTurn(Prompt(text="two"), past=past, noted={"b": note}), model)
    assert "forged" not in sent[-1]
