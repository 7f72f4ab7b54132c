"""Where a session's model is asked and with which key: `provider:model` and the user's settings. Asks nobody itself."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from kore_ls.agents.keys import ProviderKeys
from kore_ls.errors import AgentUnavailable
from kore_ls.model.agent_settings import AgentSettings
from kore_ls.model.provider import CUSTOM, FAMILIES, PROVIDERS, Provider, Wire


@frozen(kw_only=True)
class Endpoint:
    """Where a model is asked. `base_url` None: the provider's own address."""

    provider: Provider
    wire: Wire
    model: str
    base_url: str | None = None
    api_key_env: str | None = None

    @property
    def name(self) -> str:
        """`provider:model`."""
        return f"{self.provider.name}:{self.model}"


def endpoint_of(settings: AgentSettings, environ: Mapping[str, str], model: str | None = None) -> Endpoint:
    """Where the model of a session is asked: `model`, else the one in the settings.

    A name without a provider belongs to the settings' own address, or to the provider whose family it is known to be
    of. Raises AgentUnavailable where there is none.
    """
    named = model or settings.model
    if named is None:
        raise AgentUnavailable("no model is configured; set `agent.model`", reason="model")
    before, colon, rest = named.partition(":")
    if colon and rest and before in PROVIDERS:
        provider, name = PROVIDERS[before], rest
    elif settings.base_url is not None:
        provider, name = PROVIDERS[CUSTOM], named
    else:
        family = next((value for key, value in FAMILIES.items() if named.startswith(key)), None)
        if family is None:
            raise AgentUnavailable("name the model as `provider:model`, or set `agent.baseUrl`", reason="model")
        provider, name = PROVIDERS[family], named
    if provider.name == CUSTOM and settings.base_url is None:
        raise AgentUnavailable("this model needs `agent.baseUrl`", reason="model")
    # what the settings say of an address and a key is about the model in the settings, not about another provider's
    mine = provider.name == CUSTOM or provider is _provider(settings.model or named)
    address = settings.base_url if mine else None
    wire = Wire.CHAT if address is not None and provider.wire is Wire.RESPONSES else provider.wire
    if address is None and provider.address_variable is not None:
        address = environ.get(provider.address_variable) or None
    return Endpoint(
        provider=provider,
        wire=wire,
        model=name,
        base_url=address or provider.base_url,
        api_key_env=settings.api_key_env if mine else None,
    )


def _provider(named: str) -> Provider:
    before, colon, rest = named.partition(":")
    if colon and rest and before in PROVIDERS:
        return PROVIDERS[before]
    family = next((value for key, value in FAMILIES.items() if named.startswith(key)), CUSTOM)
    return PROVIDERS[family]


def key_of(endpoint: Endpoint, keys: ProviderKeys, environ: Mapping[str, str]) -> str | None:
    """An endpoint's key: the one that the user gave, else the variable that the settings name, else the usual one."""
    given = keys.of(endpoint.provider.name)
    if given is not None:
        return given
    names = endpoint.provider.variables if endpoint.api_key_env is None else (endpoint.api_key_env,)
    return next((environ[name].strip() for name in names if environ.get(name, "").strip()), None)
