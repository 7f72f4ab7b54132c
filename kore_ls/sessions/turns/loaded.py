"""The agents of loaded sessions: how many there may be, and which one goes when there are too many."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import OrderedDict
from collections.abc import Callable

from kore_ls.agents.agent import Agent, AgentFactory
from kore_ls.errors import AgentFailed, KoreError, SessionLimitReached
from kore_ls.model.ids import SessionId
from kore_ls.model.session import SessionRecord

log = logging.getLogger(__name__)

CLOSING_S = 5.0
"""How long an agent may take to let go."""


class LoadedAgents:
    """At most `limit` agents (0: any number), one per session, least recently used first.

    A slow factory delays only its own session.
    """

    def __init__(
        self, factory: AgentFactory, *, limit: int, evict: bool, busy: Callable[[SessionId], bool] = lambda _: False
    ) -> None:
        self._factory = factory
        self._limit = limit
        self._evict = evict
        self._busy = busy
        self._agents: OrderedDict[SessionId, asyncio.Future[Agent]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._agents)

    @property
    def loaded(self) -> tuple[SessionId, ...]:
        """Which sessions have one."""
        return tuple(self._agents)

    def get(self, session_id: SessionId) -> Agent | None:
        """The session's agent if it is loaded."""
        future = self._agents.get(session_id)
        return future.result() if future is not None and _is_ready(future) else None

    async def load(self, session: SessionRecord) -> Agent:
        """The session's agent, made now if need be. Raises SessionLimitReached, AgentFailed."""
        while (loading := self._agents.get(session.id)) is not None:
            self._agents.move_to_end(session.id)
            await asyncio.wait([loading])
            if not loading.cancelled():
                return loading.result()
        evicted = self._make_room()
        future: asyncio.Future[Agent] = asyncio.get_running_loop().create_future()
        self._agents[session.id] = future
        try:
            if evicted is not None:
                await _close(evicted)
            agent = await self._make(session)
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            failure = error if isinstance(error, KoreError) else AgentFailed(sessionId=session.id)
            self._give_up(session.id, future, failure)
            raise failure from error
        except BaseException:  # cancelled: whoever else waits for this agent makes it anew
            self._give_up(session.id, future)
            raise
        if self._agents.get(session.id) is not future:  # released while it was being made
            failure = AgentFailed(sessionId=session.id)
            self._give_up(session.id, future, failure)
            await _close(agent)
            raise failure
        future.set_result(agent)
        return agent

    def _give_up(self, session_id: SessionId, future: asyncio.Future[Agent], failure: KoreError | None = None) -> None:
        if self._agents.get(session_id) is future:
            del self._agents[session_id]
        if failure is None:
            future.cancel()
        else:
            future.set_exception(failure)
            future.exception()  # others who wait get it; that nobody waits is no fault

    async def _make(self, session: SessionRecord) -> Agent:
        made = self._factory(session)
        return await made if inspect.isawaitable(made) else made

    def _make_room(self) -> Agent | None:
        if not self._limit or len(self._agents) < self._limit:
            return None
        if self._evict:
            for session_id, future in self._agents.items():
                if _is_ready(future) and not self._busy(session_id):
                    del self._agents[session_id]
                    return future.result()
        raise SessionLimitReached(limit=self._limit)

    async def release(self, session_id: SessionId) -> None:
        """Close the session's agent if it is loaded."""
        future = self._agents.pop(session_id, None)
        if future is not None and _is_ready(future):
            await _close(future.result())

    async def release_all(self) -> None:
        """Close every agent, all at once."""
        await asyncio.gather(*(self.release(session_id) for session_id in self.loaded))


def _is_ready(future: asyncio.Future[Agent]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


async def _close(agent: Agent) -> None:
    try:
        async with asyncio.timeout(CLOSING_S):
            await agent.close()
    except (
        Exception,
        SystemExit,
        KeyboardInterrupt,
    ) as error:  # the boundary to code that is not ours: its failure must not keep a session open
        log.error("an agent failed to close: %s", type(error).__name__)
