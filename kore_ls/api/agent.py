"""kore/agent/*: which agents there are, and the keys that they need. No key is ever in an answer, a log or a store."""

from __future__ import annotations

from typing import Annotated

from attrs import asdict, frozen

from kore_ls.model.event import AgentFault
from kore_ls.model.limits import one_of
from kore_ls.model.provider import PROVIDERS
from kore_ls.rpc.codec import Checked
from kore_ls.rpc.methods import NoParams, method
from kore_ls.sessions.workspace import Workspace

ProviderName = Annotated[str, Checked(one_of(*PROVIDERS))]
_MOST_CHARS = 8_000


def provider_key_problem(value: str) -> str | None:
    """Keys of providers: visible ASCII characters."""
    if value.isascii() and value.isprintable() and " " not in value and 0 < len(value) <= _MOST_CHARS:
        return None
    return "must be visible ASCII characters"


@frozen(kw_only=True)
class AgentBackend:
    """One kind of agent that a session can choose."""

    backend: str
    model: str | None = None
    """`provider:model`, for `kore/session/update`."""
    preset: str | None = None
    available: bool
    reason: str | None = None
    """Why it is not available, in English."""
    fault: AgentFault | None = None
    """The same, to be worded in the user's language."""
    default: bool
    """Whether sessions have it that chose none."""


@frozen(kw_only=True)
class AgentProvider:
    """Who offers models, and whether a key for it is known: from `kore/agent/setKey` or the environment."""

    provider: str
    has_key: bool


@frozen(kw_only=True)
class AgentList:
    """All kinds of agents, the default first, and all providers whose key can be set."""

    backends: tuple[AgentBackend, ...]
    providers: tuple[AgentProvider, ...]


@frozen(kw_only=True)
class AgentSetKeyParams:
    """Whose key, and the key; without one, the key that was set is forgotten."""

    provider: ProviderName
    key: Annotated[str, Checked(provider_key_problem)] | None = None


@frozen(kw_only=True)
class AgentKeySet:
    """Whose key was set or forgotten."""

    provider: str


@method("kore/agent/list")
async def list_(workspace: Workspace, params: NoParams) -> AgentList:
    """The agents that sessions can choose; asks nobody over a network."""
    from kore_ls.sessions.backends import backends, has_key

    keys = workspace.app.keys
    providers = tuple(
        AgentProvider(provider=name, has_key=has_key(provider, keys)) for name, provider in PROVIDERS.items()
    )
    found = backends(workspace.app.agent_settings(workspace.settings), keys)
    return AgentList(backends=tuple(AgentBackend(**asdict(each, recurse=False)) for each in found), providers=providers)


@method("kore/agent/setKey", command=False)
async def set_key(workspace: Workspace, params: AgentSetKeyParams) -> AgentKeySet:
    """Use a provider's key, as the editor's secret store keeps it, in all sessions from their next turn on.

    It is held in the server's memory until it is replaced, forgotten, or the server ends.
    """
    workspace.app.keys.give(params.provider, params.key)
    return AgentKeySet(provider=params.provider)
