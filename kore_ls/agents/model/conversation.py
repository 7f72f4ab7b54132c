"""One turn with a model: ask, tell what comes, use the tools it calls, ask again. Stores nothing itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

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
    ToolOutcome,
    ToolReported,
    UsageReported,
)
from kore_ls.agents.endpoint import Endpoint
from kore_ls.agents.model import compaction, failures, words
from kore_ls.agents.model.connection import connected as connected
from kore_ls.agents.model.history import History, Note, Summary, kept, read_note, with_results
from kore_ls.errors import KoreError
from kore_ls.model.display import visible
from kore_ls.model.ids import MessageId
from kore_ls.model.message import ToolCall, ToolKind, ToolStatus
from kore_ls.model.mode import AgentMode
from kore_ls.model.session import Usage
from kore_ls.model.turn import StopReason

MOST_STEPS = 200
_MOST_SHORTENINGS = 3
"""So often what is sent is halved for a model that finds it too long."""
UNREAD = "The arguments are not an object in JSON, or not all of it. Nothing was done."
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
    """See the module. `window` is the model's, in tokens; None: a common one is assumed.

    `real`: it is asked over a network, where an answer can break off.
    """

    def __init__(
        self, turn: AnsweredTurn, model: Model, endpoint: Endpoint, window: int | None, *, real: bool = True
    ) -> None:
        self._turn, self._model, self._endpoint, self._real = turn, model, endpoint, real
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
            if step == 0:
                failures.check_said(response, self._endpoint)
            results: list[tuple[ToolCallPart, str]] = []
            ids: list[str] = []
            for part in response.parts:
                if isinstance(part, ToolCallPart):
                    outcome = unread(part, len(ids)) or await self._turn.use_tool(part.tool_name, part.args_as_dict())
                    if outcome.call.id == unread_id(len(ids)):
                        yield ToolReported(call=outcome.call)
                    results.append((part, outcome.text))
                    ids.append(outcome.call.id)
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
        tries, shortened = 0, 0
        while True:
            await self._turn.ready()
            begun = False
            try:
                messages = [*self._sent(history), *since]
                async for each in self._streamed(messages):
                    begun = True
                    yield each
                return
            except KoreError:
                raise
            except Exception as error:  # the library's own errors, and those it makes over answers that are none
                if begun or not isinstance(error, failures.FAILURES):
                    raise failures.told(error, self._endpoint) from None
                if failures.is_overflow(error) and shortened < _MOST_SHORTENINGS:
                    shortened += 1
                    if await self._shorten(history):
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
            response = stream.get()
        if self._real:
            failures.check_whole(response, self._endpoint)
        yield response

    # -- making it short

    async def _shorten(self, history: History) -> bool:
        """The model holds less than was thought: whether there was something to make shorter."""
        self._window = min(self._window, compaction.size(history, self._summary) // 2)
        return await self._compact(history)

    async def _compact(self, history: History) -> bool:
        """Put a boundary behind the older messages, if there are any and the model has words for them."""
        cut = compaction.cut(history, self._summary, self._window)
        if cut is None:
            return False
        response = await self._summed_up(history, cut)
        self._spent = _summed(self._spent, usage_of(response, self._endpoint))
        said = text_of(response).strip()
        if said:
            self._summary = self._new_summary = Summary(up_to=cut, text=said)
        return bool(said)

    async def _summed_up(self, history: History, cut: int) -> ModelResponse:
        """What the model makes of the messages up to there; it is told fewer of them until it can hold them."""
        for shortened in range(_MOST_SHORTENINGS + 1):
            text = compaction.transcript(history, self._summary, cut, self._window)
            try:
                response = await asked_plainly(self._model, words.SUMMARY, text)
            except failures.FAILURES as error:
                if not failures.is_overflow(error) or shortened == _MOST_SHORTENINGS:
                    raise failures.told(error, self._endpoint) from None
                self._window //= 2
            else:
                if self._real:  # half a summary would be all that is left of the conversation
                    failures.check_whole(response, self._endpoint)
                return response
        raise AssertionError

    def _taken(self) -> Usage:
        spent, self._spent = self._spent, _NOTHING
        return spent


def unread_id(number: int) -> str:
    """The id of a step's call that can't be read."""
    return f"unread-{number}"


def unread(part: ToolCallPart, number: int) -> ToolOutcome | None:
    """What became of a call whose arguments are no object of JSON, as when an answer ends within them: nothing."""
    try:
        part.args_as_dict(raise_if_invalid=True)
    except (ValueError, AssertionError):
        call = ToolCall(
            id=unread_id(number),
            message_id=MessageId(""),
            name=part.tool_name,
            kind=ToolKind.OTHER,
            title=visible(part.tool_name)[:_TITLE_CHARS],
            arguments={},
            status=ToolStatus.FAILED,
            result={"text": UNREAD},
        )
        return ToolOutcome(call=call, text=UNREAD)
    return None


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
