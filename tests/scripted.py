"""An agent that does what a test tells it, step by step, in a turn of a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

from kore_ls.agents.agent import AgentEvent, AnsweredTurn, TextDelta
from kore_ls.agents.toolbox import ToolOutput
from kore_ls.model.ids import SessionId
from kore_ls.model.session import SessionRecord

Deed = AgentEvent | ToolOutput | BaseException | Callable[[AnsweredTurn], Awaitable[Any]] | None
"""Say this, raise this, do this with the turn at hand, or (None) return."""


class ScriptedAgent:
    """Does the deeds put into `deeds`, in order; `turns` are those it was asked to answer."""

    def __init__(self) -> None:
        self.deeds: asyncio.Queue[Deed] = asyncio.Queue()
        self.turns: asyncio.Queue[AnsweredTurn] = asyncio.Queue()
        self.stopped = asyncio.Event()
        self.closed = False

    def do(self, *deeds: Deed | str) -> None:
        """Do these next; a text is said."""
        for deed in deeds:
            self.deeds.put_nowait(TextDelta(text=deed) if isinstance(deed, str) else deed)

    async def answer(self, turn: AnsweredTurn) -> AsyncIterator[AgentEvent]:
        self.turns.put_nowait(turn)
        try:
            while (deed := await self.deeds.get()) is not None:
                if isinstance(deed, BaseException):
                    raise deed
                if callable(deed):
                    await deed(turn)
                else:
                    yield cast(AgentEvent, deed)  # a tool prints by way of the turn, which hears it all the same
        except asyncio.CancelledError:
            self.stopped.set()
            raise

    async def close(self) -> None:
        self.closed = True


class Scripts:
    """A factory; `[session id]` is that session's agent, there from its loading on."""

    def __init__(self) -> None:
        self._agents: dict[SessionId, ScriptedAgent] = {}

    def __call__(self, session: SessionRecord) -> ScriptedAgent:
        agent = self._agents[session.id] = ScriptedAgent()
        return agent

    def __getitem__(self, session_id: str) -> ScriptedAgent:
        return self._agents[SessionId(session_id)]
