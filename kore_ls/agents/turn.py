"""A turn as a state machine: what happens goes in, what is to be done comes out. No I/O, no clock, no text kept."""

from __future__ import annotations

from typing import TypeAlias

from attrs import evolve, field, frozen

from kore_ls.agents.agent import (
    AgentEvent,
    AnswerEnded,
    StepEnded,
    TextDelta,
    ThinkingDelta,
    ToolReported,
    UsageReported,
)
from kore_ls.agents.toolbox import ToolOutput
from kore_ls.model.event import AgentFault, EventType, Speech
from kore_ls.model.message import UNFINISHED, MessageState, ToolCall, ToolStatus
from kore_ls.model.session import Usage
from kore_ls.model.turn import StopReason

# What happens, besides what the agent says


@frozen(kw_only=True)
class AnswerReturned:
    """The agent has no more to say."""


@frozen(kw_only=True)
class AnswerFailed:
    """The agent raised an error."""

    fault: AgentFault


@frozen(kw_only=True)
class AnswerStopped:
    """The agent was stopped, or has been given up."""


@frozen(kw_only=True)
class StopAsked:
    """Somebody wants the turn to end: `cancelled` by a user, `interrupted` by the server's own end."""

    reason: StopReason


@frozen(kw_only=True)
class PauseAsked:
    """The session is paused."""


@frozen(kw_only=True)
class ResumeAsked:
    """The session goes on."""


Happening: TypeAlias = (
    AgentEvent | ToolOutput | AnswerReturned | AnswerFailed | AnswerStopped | StopAsked | PauseAsked | ResumeAsked
)

# What is to be done


@frozen(kw_only=True)
class Say:
    """Add to the step's text or thinking."""

    speech: Speech
    text: str


@frozen(kw_only=True)
class ShowTool:
    """Tell how a tool call stands: `tool.start`, `tool.complete` or `tool.error`."""

    type: EventType
    call: ToolCall


@frozen(kw_only=True)
class ShowOutput:
    """Tell more of what a running tool prints."""

    output: ToolOutput


@frozen(kw_only=True)
class StoreStep:
    """Make a message of the step's text, thinking and these calls, and keep the agent's note with it."""

    calls: tuple[ToolCall, ...]
    note: str | None = None


@frozen(kw_only=True)
class AddUsage:
    """Count what was used."""

    usage: Usage


@frozen(kw_only=True)
class Hold:
    """Let no tool call and no model request begin."""


@frozen(kw_only=True)
class LetGo:
    """Let what is held go on."""


@frozen(kw_only=True)
class StopAgent:
    """Cancel the agent's work; open permission requests are answered with `cancelled`."""


@frozen(kw_only=True)
class End:
    """End the turn; what is left of the step becomes a message in this state, with these calls."""

    reason: StopReason
    state: MessageState | None = None
    calls: tuple[ToolCall, ...] = ()
    error: AnswerFailed | None = None
    note: str | None = None


Effect: TypeAlias = Say | ShowTool | ShowOutput | StoreStep | AddUsage | Hold | LetGo | StopAgent | End
Effects: TypeAlias = tuple[Effect, ...]

_NOTHING: Effects = ()
_STATES = {
    StopReason.CANCELLED: MessageState.CANCELLED,
    StopReason.INTERRUPTED: MessageState.INTERRUPTED,
    StopReason.ERROR: MessageState.INTERRUPTED,
}


@frozen(kw_only=True)
class TurnMachine:
    """One turn's state. `begun`: the step holds something; `stopping`: why the agent is being stopped."""

    begun: bool = False
    paused: bool = False
    calls: tuple[ToolCall, ...] = field(default=())
    stopping: StopReason | None = None
    ended: bool = False

    def advance(self, happening: Happening) -> tuple[TurnMachine, Effects]:
        """The next state, and what is to be done. After the end nothing is."""
        if self.ended:
            return self, _NOTHING
        match happening:
            case TextDelta(text=text):
                return self._said(Speech.TEXT, text)
            case ThinkingDelta(text=text):
                return self._said(Speech.THINKING, text)
            case ToolReported(call=call):
                return self._tool(call)
            case ToolOutput():
                return self, (ShowOutput(output=happening),)
            case StepEnded(note=note):
                return self._step(note)
            case UsageReported(usage=usage):
                return self, (AddUsage(usage=usage),)
            case PauseAsked() | ResumeAsked():
                return self._hold(isinstance(happening, PauseAsked))
            case StopAsked(reason=reason):
                return self._stop(reason)
            case AnswerEnded(stop_reason=reason, note=note):
                return self._end(reason, note=note)
            case AnswerReturned():
                return self._end(StopReason.END_TURN)
            case AnswerFailed():
                return self._end(StopReason.ERROR, happening)
            case AnswerStopped():
                return self._end(StopReason.INTERRUPTED)

    def _said(self, speech: Speech, text: str) -> tuple[TurnMachine, Effects]:
        if self.stopping is not None or not text:
            return self, _NOTHING
        return self if self.begun else evolve(self, begun=True), (Say(speech=speech, text=text),)

    def _tool(self, call: ToolCall) -> tuple[TurnMachine, Effects]:
        known = next((each for each in self.calls if each.id == call.id), None)
        if known is None:
            calls = (*self.calls, call)
        else:
            calls = tuple(call if each.id == call.id else each for each in self.calls)
        shown: list[Effect] = []
        if known is None:
            shown.append(ShowTool(type=EventType.TOOL_START, call=call))
        elif call.status in UNFINISHED and call != known:
            shown.append(ShowTool(type=EventType.TOOL_UPDATE, call=call))
        if call.status not in UNFINISHED and (known is None or known.status in UNFINISHED):
            shown.append(_outcome(call))
        return evolve(self, begun=True, calls=calls), tuple(shown)

    def _step(self, note: str | None) -> tuple[TurnMachine, Effects]:
        if not self.begun or self.stopping is not None:
            return self, _NOTHING
        calls, shown = _closed(self.calls)
        return evolve(self, begun=False, calls=()), (*shown, StoreStep(calls=calls, note=note))

    def _hold(self, paused: bool) -> tuple[TurnMachine, Effects]:
        if paused is self.paused or self.stopping is not None:
            return evolve(self, paused=paused), _NOTHING
        return evolve(self, paused=paused), (Hold() if paused else LetGo(),)

    def _stop(self, reason: StopReason) -> tuple[TurnMachine, Effects]:
        if self.stopping is not None:
            return self, _NOTHING
        return evolve(self, stopping=reason), (StopAgent(),)

    def _end(
        self, reason: StopReason, error: AnswerFailed | None = None, note: str | None = None
    ) -> tuple[TurnMachine, Effects]:
        if self.stopping is not None:  # what a stopped agent says of its end does not count
            reason, error, note = self.stopping, None, None
        calls, shown = _closed(self.calls)
        end = End(reason=reason, state=_STATES.get(reason), calls=calls, error=error, note=note)
        return evolve(self, ended=True, calls=()), (*shown, end)


def _outcome(call: ToolCall) -> ShowTool:
    well = call.status is ToolStatus.COMPLETED
    return ShowTool(type=EventType.TOOL_COMPLETE if well else EventType.TOOL_ERROR, call=call)


def _closed(calls: tuple[ToolCall, ...]) -> tuple[tuple[ToolCall, ...], Effects]:
    """The calls with none left open, and what is to be told of those that were."""
    closed = tuple(evolve(call, status=ToolStatus.CANCELLED) if call.status in UNFINISHED else call for call in calls)
    shown = tuple(_outcome(now) for before, now in zip(calls, closed, strict=True) if before.status in UNFINISHED)
    return closed, shown
