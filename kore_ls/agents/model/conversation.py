"""One turn with a model: ask, tell what comes, use the tools it calls, ask again. Stores nothing itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from typing import Any

from attrs import frozen
from pydantic_ai.direct import model_request_stream
from pydantic_ai.messages import (
    InstructionPart,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    UserPromptPart,
)
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.tools import ToolDefinition

from kore_ls.agents.agent import (
    AgentEvent,
    AnsweredTurn,
    AnswerEnded,
    StepEnded,
    TextDelta,
    ThinkingDelta,
    UsageReported,
)
from kore_ls.agents.endpoint import Endpoint
from kore_ls.agents.model import compaction, failures, words
from kore_ls.agents.model.connection import connected as connected
from kore_ls.agents.model.history import History, Note, Summary, kept, read_note, with_results
from kore_ls.model.message import ToolKind
from kore_ls.model.mode import AgentMode
from kore_ls.model.session import Usage
from kore_ls.model.turn import StopReason

MOST_STEPS = 200
_TITLE_CHARS = 80
_TITLED_CHARS = 4_000
_CHANGING = frozenset({ToolKind.EDIT, ToolKind.MOVE, ToolKind.DELETE, ToolKind.EXECUTE})
_REASONS = {"length": StopReason.MAX_TOKENS, "content_filter": StopReason.REFUSAL}


@frozen(kw_only=True)
class Finished:
    """The answer's end, with what was asked and what was answered."""

    end: AnswerEnded
    prompt: str
    text: str


@frozen(kw_only=True)
class Title:
    """A title for a session, and what it cost."""

    text: str
    usage: Usage


class Conversation:
    """See the module. `window` is the model's, in tokens; None: a common one is assumed."""

    def __init__(self, turn: AnsweredTurn, model: Model, endpoint: Endpoint, window: int | None) -> None:
        self._turn, self._model, self._endpoint = turn, model, endpoint
        self._window = window or compaction.WINDOW
        self._prompt = words.prompt_text(turn.prompt)
        self._summary: Summary | None = None
        self._new_summary: Summary | None = None
        self._spent = _NOTHING
        self._before: tuple[Summary | None, list[ModelMessage]] | None = None

    async def events(self) -> AsyncIterator[AgentEvent | Finished]:
        """The turn's events, `Finished` last. Raises KoreError."""
        history = await self._history()
        if compaction.is_long(history, self._summary, self._window):
            await self._compact(history)
        since: list[ModelMessage] = [ModelRequest(parts=[UserPromptPart(content=self._prompt)])]
        said: list[str] = []
        for step in range(MOST_STEPS):
            response: ModelResponse | None = None
            async for each in self._asked(history, since):
                if isinstance(each, ModelResponse):
                    response = each
                else:
                    if isinstance(each, TextDelta):
                        said.append(each.text)
                    yield each
            assert response is not None
            yield UsageReported(usage=_summed(self._taken(), usage_of(response, self._endpoint)))
            results, ids = [], []
            for part in response.parts:
                if isinstance(part, ToolCallPart):
                    text, call_id = await self._use(part)
                    results.append((part, text))
                    ids.append(call_id)
            note = self._note(response, ids, first=step == 0)
            if not results:
                reason = _REASONS.get(response.finish_reason or "", StopReason.END_TURN)
                end = AnswerEnded(stop_reason=reason, note=note)
                yield Finished(end=end, prompt=self._turn.prompt.text, text="".join(said))
                return
            yield StepEnded(note=note)
            since += with_results(response, results)
        yield AnswerEnded(stop_reason=StopReason.MAX_TURNS)

    async def _history(self) -> History:
        messages = [message async for message in self._turn.history()]
        read = {name: read_note(text) for name, text in (await self._turn.notes()).items()}
        history = History(messages=messages, notes={name: note for name, note in read.items() if note is not None})
        self._summary = history.summary()
        return history

    def _note(self, response: ModelResponse, ids: list[str], *, first: bool) -> str:
        summary, self._new_summary = self._new_summary, None
        return Note(
            endpoint=self._endpoint.name,
            response=kept(response),
            calls=tuple(ids),
            prompt=self._prompt if first and self._prompt != self._turn.prompt.text else None,
            summary=summary,
        ).text

    # -- asking

    async def _asked(self, history: History, since: list[ModelMessage]) -> AsyncIterator[AgentEvent | ModelResponse]:
        """One answer of the model, its pieces first; tried again where that is of use and nothing was said yet."""
        tries, compacted = 0, False
        while True:
            await self._turn.ready()
            begun = False
            try:
                messages = [*self._sent(history), *since]
                async for each in self._streamed(messages):
                    begun = True
                    yield each
                return
            except failures.FAILURES as error:
                if begun:
                    raise failures.told(error, self._endpoint) from None
                if failures.is_overflow(error) and not compacted and history.messages:
                    compacted = True
                    await self._compact(history)
                    continue
                wait = failures.wait_before_retry(error, tries)
                if wait is None:
                    raise failures.told(error, self._endpoint) from None
            tries += 1
            await asyncio.sleep(wait)

    def _sent(self, history: History) -> list[ModelMessage]:
        """What is sent of the history; the same for all requests behind one boundary."""
        if self._before is None or self._before[0] != self._summary:
            self._before = (self._summary, history.rebuilt(self._endpoint.name, self._summary))
        return self._before[1]

    async def _streamed(self, messages: list[ModelMessage]) -> AsyncIterator[AgentEvent | ModelResponse]:
        mode = self._turn.session.agent_mode
        parameters = ModelRequestParameters(
            function_tools=tools_for(mode), instruction_parts=[InstructionPart(content=words.instructions(mode))]
        )
        async with model_request_stream(self._model, messages, model_request_parameters=parameters) as stream:
            async for event in stream:
                match event:
                    case PartStartEvent(part=TextPart(content=text)) if text:
                        yield TextDelta(text=text)
                    case PartStartEvent(part=ThinkingPart(content=text)) if text:
                        yield ThinkingDelta(text=text)
                    case PartDeltaEvent(delta=TextPartDelta(content_delta=text)) if text:
                        yield TextDelta(text=text)
                    case PartDeltaEvent(delta=ThinkingPartDelta(content_delta=str(text))) if text:
                        yield ThinkingDelta(text=text)
            yield stream.get()

    async def _use(self, part: ToolCallPart) -> tuple[str, str]:
        """What the model is told of its call, and the call's id here. A tool that the mode hides is refused there."""
        try:
            arguments: Mapping[str, Any] = part.args_as_dict(raise_if_invalid=True)
        except (ValueError, AssertionError):
            arguments = {}
        outcome = await self._turn.use_tool(part.tool_name, arguments)
        return outcome.text, outcome.call.id

    # -- making it short

    async def _compact(self, history: History) -> None:
        """Put a boundary behind the older messages, if there are any."""
        cut = compaction.cut(history, self._summary, self._window)
        if cut is None:
            return
        text = compaction.transcript(history, self._summary, cut, self._window)
        try:
            response = await asked_plainly(self._model, words.SUMMARY, text)
        except failures.FAILURES as error:
            raise failures.told(error, self._endpoint) from None
        self._spent = _summed(self._spent, usage_of(response, self._endpoint))
        said = text_of(response).strip()
        if said:
            self._summary = self._new_summary = Summary(up_to=cut, text=said)

    def _taken(self) -> Usage:
        spent, self._spent = self._spent, _NOTHING
        return spent


def tools_for(mode: AgentMode) -> list[ToolDefinition]:
    """The tools that a model is told of in this mode; whether it may use one is the gate's to say."""
    from kore_ls.agents.tools.table import TOOLS
    from kore_ls.agents.tools.tool import schema_of

    return [
        ToolDefinition(name=name, description=tool.about, parameters_json_schema=schema_of(tool), strict=False)
        for name, tool in TOOLS.items()
        if mode is not AgentMode.PLAN or tool.kind not in _CHANGING
    ]


async def asked_plainly(model: Model, instructions: str, text: str) -> ModelResponse:
    """An answer without tools, at once. Raises what the library raises."""
    parameters = ModelRequestParameters(instruction_parts=[InstructionPart(content=instructions)])
    messages = [ModelRequest(parts=[UserPromptPart(content=text)])]
    async with model_request_stream(model, messages, model_request_parameters=parameters) as stream:
        async for _ in stream:
            pass
        return stream.get()


async def title_of(model: Model, endpoint: Endpoint, prompt: str, answer: str) -> Title | None:
    """A title for a conversation that began so; None where the model has none to give."""
    lines = [{"user": prompt[:_TITLED_CHARS]}, {"assistant": answer[:_TITLED_CHARS]}]
    try:
        response = await asked_plainly(model, words.TITLE, words.as_data(lines))
    except failures.FAILURES:  # the session keeps its name
        return None
    line = " ".join(text_of(response).split()).strip("\"'“”「」『』《》。. ")
    shortened = line if len(line) <= _TITLE_CHARS else line[: _TITLE_CHARS - 1].rstrip() + "…"
    return Title(text=shortened, usage=usage_of(response, endpoint)) if shortened.strip() else None


def text_of(response: ModelResponse) -> str:
    """What an answer says."""
    return "".join(part.content for part in response.parts if isinstance(part, TextPart))


_NOTHING = Usage()


def usage_of(response: ModelResponse, endpoint: Endpoint) -> Usage:
    """Tokens, and the price where it is known: only of a provider's own models at its own address."""
    cost: Decimal | None = None
    if endpoint.provider.variables and endpoint.api_key_env is None:
        try:
            cost = response.cost().total_price
        except (LookupError, ValueError, AssertionError):
            cost = None
    return Usage(
        input_tokens=response.usage.input_tokens,
        output_tokens=response.usage.output_tokens,
        cost=None if cost is None else float(cost),
    )


def _summed(one: Usage, other: Usage) -> Usage:
    costs = [each.cost for each in (one, other) if each.cost is not None]
    return Usage(
        input_tokens=one.input_tokens + other.input_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
        cost=sum(costs) if costs else None,
    )
