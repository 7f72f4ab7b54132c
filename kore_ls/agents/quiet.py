"""The agent of sessions that only keep notes: it answers nothing and holds nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator

from kore_ls.agents.agent import AgentEvent, AnsweredTurn
from kore_ls.model.session import SessionRecord


class QuietAgent:
    """Does nothing."""

    async def answer(self, turn: AnsweredTurn) -> AsyncIterator[AgentEvent]:
        """Nothing."""
        events: tuple[AgentEvent, ...] = ()
        for event in events:
            yield event

    async def close(self) -> None:
        """Nothing to let go of."""


def quiet_agent(session: SessionRecord) -> QuietAgent:
    """The factory used where none is given."""
    return QuietAgent()
