"""kore/agent/*: which agents there are."""

from __future__ import annotations

from attrs import frozen

from kore_ls.rpc.methods import NoParams, method
from kore_ls.sessions.workspace import Workspace


@frozen(kw_only=True)
class AgentBackend:
    """One kind of agent that a session can choose."""

    backend: str
    preset: str | None = None
    available: bool
    reason: str | None = None
    """Why it is not available."""


@frozen(kw_only=True)
class AgentList:
    """All kinds of agents, the default first."""

    backends: tuple[AgentBackend, ...]


@method("kore/agent/list")
async def list_(workspace: Workspace, params: NoParams) -> AgentList:
    """The agents that sessions can choose; asks nobody over a network."""
    return AgentList(backends=(AgentBackend(backend="builtin", available=True),))
