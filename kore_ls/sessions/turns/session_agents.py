"""Which agent answers a session's turn: what the session chose, else what the user configured. Loads it when needed."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

from kore_ls.agents.agent import Agent, AgentEvent, AnsweredTurn
from kore_ls.agents.keys import ProviderKeys
from kore_ls.errors import AgentUnavailable
from kore_ls.model.agent_settings import BACKENDS, AgentSettings
from kore_ls.model.ids import SessionId
from kore_ls.model.limits import name_problem
from kore_ls.model.mode import AgentMode
from kore_ls.model.session import AgentChoice, SessionRecord, Usage

if TYPE_CHECKING:
    from kore_ls.sessions.manager import SessionManager


def chosen(session: SessionRecord, settings: AgentSettings) -> AgentChoice:
    """What answers the session's next turn."""
    return session.agent or AgentChoice(
        backend=settings.backend, name=settings.preset or settings.backend, model=settings.model
    )


class SessionAgents:
    """The agents of one folder's sessions; see `AgentFactory`. `manager` is set by the folder, which needs this first.

    `settings` is asked before each turn, so that what the user configures counts at once.
    """

    manager: SessionManager

    def __init__(self, settings: Callable[[], AgentSettings], keys: ProviderKeys, locale: str | None) -> None:
        self.settings, self.keys, self.locale = settings, keys, locale

    def __call__(self, session: SessionRecord) -> Agent:
        """The agent of a session; which one it is, each turn finds out."""
        return SessionAgent(self)

    def make(self, choice: AgentChoice) -> Agent:
        """A new agent of this kind. Raises AgentUnavailable."""
        settings = self.settings()
        if choice.backend == "builtin":
            from kore_ls.agents.builtin import builtin_factory

            return cast(Agent, builtin_factory(locale=self.locale, set_mode=self._set_mode)(cast(Any, None)))
        if choice.backend == "model":
            from kore_ls.agents.model.agent import ModelAgent

            return ModelAgent(settings, self.keys, naming=self, model=choice.model)
        if choice.backend == "acp":
            from kore_ls.agents.acp.agent import AcpAgent

            return AcpAgent(settings, self.keys, preset=_preset(choice))
        raise AgentUnavailable

    def check(self, choice: AgentChoice) -> None:
        """Raise AgentUnavailable for an agent that can't be here; a missing key is no reason, it may come."""
        if choice.backend not in BACKENDS:
            raise AgentUnavailable
        if choice.backend == "model":
            from kore_ls.agents.endpoint import endpoint_of
            from kore_ls.agents.model.agent import check_installed

            check_installed()
            endpoint_of(self.settings(), os.environ, choice.model)
        if choice.backend == "acp":
            from kore_ls.agents.acp.agent import check_installed as check_acp
            from kore_ls.agents.acp.presets import program_of

            check_acp()
            program_of(self.settings(), _preset(choice), os.environ)

    async def _set_mode(self, session_id: SessionId, mode: AgentMode) -> None:
        await self.manager.update_session(session_id, mode=mode)

    # -- see `Naming`

    async def wanted(self, session_id: SessionId) -> bool:
        """Whether the session still has the name that Kore gave it."""
        default = await self.manager.default_name(session_id)
        return default is not None and default == (await self.manager.storage.load_session(session_id)).name

    async def name(self, session_id: SessionId, title: str, usage: Usage) -> None:
        """Name it so, unless its user has named it meanwhile; and count what the title used."""
        if name_problem(title) is None:
            await self.manager.title_session(session_id, title, usage)


class SessionAgent:
    """One session's agent, whichever it is at the moment; see `Agent`."""

    def __init__(self, agents: SessionAgents) -> None:
        self._agents = agents
        self._inner: Agent | None = None
        self._made_for: object = None

    async def answer(self, turn: AnsweredTurn) -> AsyncIterator[AgentEvent]:
        """Let the agent that the session has now answer."""
        agent = await self._current(turn)
        async with aclosing(cast(Any, agent.answer(turn))) as events:
            async for event in events:
                yield event

    async def _current(self, turn: AnsweredTurn) -> Agent:
        choice = chosen(turn.session, self._agents.settings())
        if choice.backend == "model" and _is_tool(turn.prompt.text):
            return self._agents.make(AgentChoice(backend="builtin"))
        made_for = (choice, self._agents.settings())
        if self._inner is None or made_for != self._made_for:
            await self.close()
            self._inner, self._made_for = self._agents.make(choice), made_for
        return self._inner

    async def close(self) -> None:
        """Let go of what it is."""
        inner, self._inner = self._inner, None
        if inner is not None:
            await inner.close()


def _preset(choice: AgentChoice) -> str | None:
    return None if choice.name == choice.backend else choice.name


def _is_tool(prompt: str) -> bool:
    """Whether a prompt is one of our own commands, which need no model."""
    from kore_ls.agents.slash import BadCommand, is_command, parsed

    if not is_command(prompt):
        return False
    try:
        parsed(prompt)
    except BadCommand as problem:
        return problem.usage is not None
    return True
