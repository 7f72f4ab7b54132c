"""Which agents could be used here: what is installed, configured, and has a key. Asks nobody over a network."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from attrs import evolve, frozen

from kore_ls.agents.endpoint import Endpoint, key_of
from kore_ls.agents.keys import ProviderKeys
from kore_ls.errors import KoreError
from kore_ls.model.agent_settings import AgentSettings
from kore_ls.model.event import AgentFault, fault_of
from kore_ls.model.provider import PROVIDERS, Provider


@frozen(kw_only=True)
class Backend:
    """An agent that a session can choose: give `backend`, `model` and `preset` to do so. `default`: it is the one that
    sessions have that chose none.
    """

    backend: str
    model: str | None = None
    preset: str | None = None
    available: bool = True
    reason: str | None = None
    fault: AgentFault | None = None
    default: bool = False


def has_key(provider: Provider, keys: ProviderKeys, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a key is known for a provider, from the user's editor or the environment."""
    return key_of(Endpoint(provider=provider, wire=provider.wire, model=""), keys, environ) is not None


def backends(settings: AgentSettings, keys: ProviderKeys, environ: Mapping[str, str] = os.environ) -> Sequence[Backend]:
    """All that could be chosen, the default first."""
    found = [Backend(backend="builtin"), *_models(settings, keys, environ), *_external(settings, environ)]
    model = settings.model if settings.backend == "model" else None
    wanted = (settings.backend, model, settings.preset if settings.backend == "acp" else None)
    default = next((each for each in found if (each.backend, each.model, each.preset) == wanted), found[0])
    return [evolve(default, default=True), *(each for each in found if each is not default)]


def _models(settings: AgentSettings, keys: ProviderKeys, environ: Mapping[str, str]) -> list[Backend]:
    named = [settings.model] if settings.model is not None else []
    named += [
        f"{name}:{provider.suggested}"
        for name, provider in PROVIDERS.items()
        if provider.suggested is not None and has_key(provider, keys, environ)
    ]
    found = [_model(settings, keys, environ, each) for each in dict.fromkeys(named)]
    return found or [_model(settings, keys, environ, None)]


def _model(settings: AgentSettings, keys: ProviderKeys, environ: Mapping[str, str], model: str | None) -> Backend:
    from kore_ls.agents.model.agent import usable_endpoint

    try:
        usable_endpoint(settings, keys, environ, model)
    except KoreError as error:
        return Backend(backend="model", model=model, available=False, reason=error.message, fault=fault_of(error))
    return Backend(backend="model", model=model)


def _external(settings: AgentSettings, environ: Mapping[str, str]) -> list[Backend]:
    from kore_ls.agents.acp.agent import check_installed
    from kore_ls.agents.acp.presets import PRESETS, program_of

    own = [None] if settings.backend == "acp" and settings.preset is None else []
    found = []
    for preset in [*own, *PRESETS]:
        try:
            check_installed()
            program_of(settings, preset, environ)
        except KoreError as error:
            fault = fault_of(error)
            found.append(Backend(backend="acp", preset=preset, available=False, reason=fault.message, fault=fault))
        else:
            found.append(Backend(backend="acp", preset=preset))
    return found
