"""The agent of sessions without a model: slash commands are tool calls, plain text is kept as a note.

It is deterministic, uses no network and never pretends to be a model.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TypeAlias

from kore_ls.agents.agent import AgentEvent, AgentFactory, AnsweredTurn, AnswerEnded, TextDelta
from kore_ls.agents.slash import USAGES, BadCommand, HelpWanted, ModeWanted, ToolWanted, is_command, parsed
from kore_ls.agents.words import say
from kore_ls.model.ids import SessionId
from kore_ls.model.mode import AgentMode
from kore_ls.model.session import SessionRecord
from kore_ls.model.turn import StopReason

SetMode: TypeAlias = Callable[[SessionId, AgentMode], Awaitable[None]]
"""Gives a session another mode because its user said so in a prompt."""

_CHUNK_CHARS = 4_000


class BuiltinAgent:
    """Answers one session's turns; it keeps nothing between them."""

    def __init__(self, *, locale: str | None, set_mode: SetMode | None) -> None:
        self._locale, self._set_mode = locale, set_mode

    async def answer(self, turn: AnsweredTurn) -> AsyncIterator[AgentEvent]:
        """Run the prompt's slash command, or say that nobody answers plain text."""
        prompt = turn.prompt.text
        if not is_command(prompt):
            text = say("noModel", self._locale)
        else:
            try:
                text = await self._run(turn, prompt)
            except BadCommand as problem:
                text = self._complaint(problem)
        for chunk in _chunks(text):
            yield TextDelta(text=chunk)
        yield AnswerEnded(stop_reason=StopReason.END_TURN)

    async def close(self) -> None:
        """Nothing to let go of."""

    async def _run(self, turn: AnsweredTurn, prompt: str) -> str:
        match parsed(prompt):
            case ToolWanted(tool=tool, arguments=arguments):
                return (await turn.use_tool(tool, arguments)).text
            case ModeWanted(mode=mode):
                return await self._mode(turn, mode)
            case HelpWanted():
                return "\n".join([say("help", self._locale), *(f"    {usage}" for usage in USAGES.values())])

    async def _mode(self, turn: AnsweredTurn, mode: str) -> str:
        if mode and mode not in {each.value for each in AgentMode}:
            raise BadCommand(USAGES["mode"])
        if mode and self._set_mode is not None:
            await self._set_mode(turn.session.id, AgentMode(mode))
        return say("mode", self._locale, mode=turn.session.agent_mode.value)

    def _complaint(self, problem: BadCommand) -> str:
        if problem.usage is None:
            return say("unknownCommand", self._locale)
        return say("usage", self._locale, usage=problem.usage)


def builtin_factory(*, locale: str | None = None, set_mode: SetMode | None = None) -> AgentFactory:
    """A factory of builtin agents that speak the language of `locale`."""

    def make(session: SessionRecord) -> BuiltinAgent:
        return BuiltinAgent(locale=locale, set_mode=set_mode)

    return make


def _chunks(text: str) -> Iterator[str]:
    return (text[at : at + _CHUNK_CHARS] for at in range(0, len(text), _CHUNK_CHARS))
