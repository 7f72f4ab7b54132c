"""The state machine of a turn, as tables: what happens, and what is to be done about it."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from kore_ls.agents.agent import (
    AnswerEnded,
    StepEnded,
    TextDelta,
    ThinkingDelta,
    ToolReported,
    UsageReported,
)
from kore_ls.agents.toolbox import ToolOutput
from kore_ls.agents.turn import (
    AddUsage,
    AnswerFailed,
    AnswerReturned,
    AnswerStopped,
    Effect,
    End,
    Happening,
    Hold,
    LetGo,
    PauseAsked,
    ResumeAsked,
    Say,
    ShowOutput,
    ShowTool,
    StopAgent,
    StopAsked,
    StoreStep,
    TurnMachine,
)
from kore_ls.errors import AgentFailed
from kore_ls.model.event import EventType, Speech, fault_of
from kore_ls.model.ids import MessageId
from kore_ls.model.message import MessageState, ToolCall, ToolKind, ToolStatus
from kore_ls.model.session import Usage
from kore_ls.model.turn import StopReason

CALL = ToolCall(
    id="c",
    message_id=MessageId(""),
    name="read_file",
    kind=ToolKind.READ,
    title="Read",
    arguments={},
    status=ToolStatus.PENDING,
)
WORKS, DONE, FAILED, DENIED, CANCELLED = (
    evolve(CALL, status=status)
    for status in (
        ToolStatus.IN_PROGRESS,
        ToolStatus.COMPLETED,
        ToolStatus.FAILED,
        ToolStatus.DENIED,
        ToolStatus.CANCELLED,
    )
)
TEXT, THOUGHT = TextDelta(text="a"), ThinkingDelta(text="b")
SAY, THINK = Say(speech=Speech.TEXT, text="a"), Say(speech=Speech.THINKING, text="b")
STEP, RETURNED, STOPPED = StepEnded(), AnswerReturned(), AnswerStopped()
FAULT = AnswerFailed(fault=fault_of(AgentFailed()))
CANCEL, INTERRUPT = StopAsked(reason=StopReason.CANCELLED), StopAsked(reason=StopReason.INTERRUPTED)
OUTPUT = ToolOutput(call_id="c", offset=0, chunk="x")
USED = Usage(input_tokens=1)


def tool(call: ToolCall) -> ToolReported:
    return ToolReported(call=call)


def start(call: ToolCall) -> ShowTool:
    return ShowTool(type=EventType.TOOL_START, call=call)


def update(call: ToolCall) -> ShowTool:
    return ShowTool(type=EventType.TOOL_UPDATE, call=call)


def complete(call: ToolCall) -> ShowTool:
    return ShowTool(type=EventType.TOOL_COMPLETE, call=call)


def error(call: ToolCall) -> ShowTool:
    return ShowTool(type=EventType.TOOL_ERROR, call=call)


def ended(reason: StopReason, state: MessageState | None = None, **more: Any) -> End:
    return End(reason=reason, state=state, **more)


WELL = ended(StopReason.END_TURN)
BY_USER = ended(StopReason.CANCELLED, MessageState.CANCELLED)

TABLE: dict[str, tuple[list[Happening], list[Effect]]] = {
    "what the agent says is said": ([TEXT, THOUGHT], [SAY, THINK]),
    "nothing is no text": ([TextDelta(text=""), ThinkingDelta(text=""), STEP], []),
    "a step is stored once": ([TEXT, STEP, STEP], [SAY, StoreStep(calls=())]),
    "an empty step is none": ([STEP], []),
    "the next step is another message": ([TEXT, STEP, TEXT, STEP], [SAY, StoreStep(calls=())] * 2),
    "an answer that just ends ended well": ([TEXT, RETURNED], [SAY, WELL]),
    "an answer may say why it ends": (
        [TEXT, AnswerEnded(stop_reason=StopReason.MAX_TOKENS)],
        [SAY, ended(StopReason.MAX_TOKENS)],
    ),
    "a refusal keeps what was said as it is": (
        [TEXT, AnswerEnded(stop_reason=StopReason.REFUSAL), RETURNED],
        [SAY, ended(StopReason.REFUSAL)],
    ),
    "after the end nothing happens": ([RETURNED, TEXT, tool(CALL), STEP, CANCEL, FAULT, PauseAsked()], [WELL]),
    "what was used is counted, also while stopping": (
        [UsageReported(usage=USED), CANCEL, UsageReported(usage=USED)],
        [AddUsage(usage=USED), StopAgent(), AddUsage(usage=USED)],
    ),
    "a call is told when it is first seen, when it changes and when it is over": (
        [tool(CALL), tool(CALL), tool(WORKS), tool(WORKS), tool(DONE), STEP],
        [start(CALL), update(WORKS), complete(DONE), StoreStep(calls=(DONE,))],
    ),
    "a call that is over at once is told twice": ([tool(DONE)], [start(DONE), complete(DONE)]),
    "a failed call is an error": ([tool(CALL), tool(FAILED)], [start(CALL), error(FAILED)]),
    "a refused call is an error": ([tool(CALL), tool(DENIED)], [start(CALL), error(DENIED)]),
    "the end of a call is told once": (
        [tool(CALL), tool(DONE), tool(DONE)],
        [start(CALL), complete(DONE)],
    ),
    "what a tool prints is told": ([tool(WORKS), OUTPUT], [start(WORKS), ShowOutput(output=OUTPUT)]),
    "a call left open at the end of its step is cancelled": (
        [tool(WORKS), STEP],
        [start(WORKS), error(CANCELLED), StoreStep(calls=(CANCELLED,))],
    ),
    "a call left open at the end of the turn is cancelled": (
        [tool(WORKS), RETURNED],
        [start(WORKS), error(CANCELLED), ended(StopReason.END_TURN, calls=(CANCELLED,))],
    ),
    "calls of one step don't come back in the next": (
        [tool(DONE), STEP, TEXT, STEP],
        [start(DONE), complete(DONE), StoreStep(calls=(DONE,)), SAY, StoreStep(calls=())],
    ),
    "a failing agent ends the turn with its error and keeps what it said": (
        [TEXT, FAULT],
        [SAY, ended(StopReason.ERROR, MessageState.INTERRUPTED, error=FAULT)],
    ),
    "a cancelled turn ends when its agent has stopped": ([TEXT, CANCEL, STOPPED], [SAY, StopAgent(), BY_USER]),
    "a turn is stopped once, for the first reason": ([CANCEL, INTERRUPT, CANCEL, STOPPED], [StopAgent(), BY_USER]),
    "what a stopped agent still says is not heard": (
        [TEXT, CANCEL, TEXT, THOUGHT, STEP, STOPPED],
        [SAY, StopAgent(), BY_USER],
    ),
    "a stopped agent that returns has stopped": ([CANCEL, RETURNED], [StopAgent(), BY_USER]),
    "a stopped agent that fails has stopped": ([CANCEL, FAULT], [StopAgent(), BY_USER]),
    "a stopped agent that ends otherwise has stopped": (
        [CANCEL, AnswerEnded(stop_reason=StopReason.END_TURN)],
        [StopAgent(), BY_USER],
    ),
    "a call that is cancelled with the turn is told once": (
        [tool(WORKS), CANCEL, tool(CANCELLED), STOPPED],
        [
            start(WORKS),
            StopAgent(),
            error(CANCELLED),
            ended(StopReason.CANCELLED, MessageState.CANCELLED, calls=(CANCELLED,)),
        ],
    ),
    "a call nobody closes is closed with the turn": (
        [tool(WORKS), INTERRUPT, STOPPED],
        [
            start(WORKS),
            StopAgent(),
            error(CANCELLED),
            ended(StopReason.INTERRUPTED, MessageState.INTERRUPTED, calls=(CANCELLED,)),
        ],
    ),
    "an agent that stops unasked is interrupted": (
        [TEXT, STOPPED],
        [SAY, ended(StopReason.INTERRUPTED, MessageState.INTERRUPTED)],
    ),
    "a pause holds and a stream in flight is read to its end": (
        [PauseAsked(), TEXT, STEP, ResumeAsked()],
        [Hold(), SAY, StoreStep(calls=()), LetGo()],
    ),
    "pausing and resuming twice is once": (
        [PauseAsked(), PauseAsked(), ResumeAsked(), ResumeAsked()],
        [Hold(), LetGo()],
    ),
    "a paused turn may end by itself": ([PauseAsked(), RETURNED], [Hold(), WELL]),
    "a paused turn can be cancelled": ([PauseAsked(), CANCEL, STOPPED], [Hold(), StopAgent(), BY_USER]),
    "a turn being stopped is not paused": ([CANCEL, PauseAsked(), ResumeAsked()], [StopAgent()]),
}


@pytest.mark.parametrize("name", TABLE)
def test_what_happens_in_a_turn(name: str) -> None:
    happenings, wanted = TABLE[name]
    machine = TurnMachine()
    effects: list[Effect] = []
    for happening in happenings:
        machine, more = machine.advance(happening)
        effects += more
    assert effects == wanted


def test_a_state_does_not_change() -> None:
    machine = TurnMachine()
    for happening in (TEXT, tool(CALL), PauseAsked(), CANCEL, RETURNED):
        machine.advance(happening)
    assert machine == TurnMachine()
