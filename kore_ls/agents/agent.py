"""The agent interface: what a session needs of whatever answers it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from kore_ls.model.session import SessionRecord


class Agent(Protocol):
    """One session's own agent. It lives from the session's loading to its closing, unloading or shutdown."""

    async def close(self) -> None:
        """Let go of everything; called once."""


AgentFactory: TypeAlias = Callable[[SessionRecord], Agent | Awaitable[Agent]]
"""Makes the agent of a session, at once or later; what it raises becomes `AgentFailed`."""
