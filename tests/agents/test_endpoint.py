"""Where a model is asked, and whose key it is asked with: a key never goes to another provider's address."""

from __future__ import annotations

from typing import Any

import pytest

from kore_ls.agents.endpoint import endpoint_of, key_of
from kore_ls.agents.keys import ProviderKeys
from kore_ls.errors import AgentUnavailable
from kore_ls.model.agent_settings import AgentSettings
from kore_ls.model.provider import Wire

LOCAL = "http://127.0.0.1:1/v1"
KEYS = {"OPENAI_API_KEY": "openai's", "ANTHROPIC_API_KEY": "anthropic's", "MINE": "mine"}


def settings(**given: Any) -> AgentSettings:
    return AgentSettings(backend="model", **given)


@pytest.mark.parametrize(
    ("given", "chosen", "provider", "model", "wire", "address", "key"),
    [
        ({"model": "claude-x"}, None, "anthropic", "claude-x", Wire.ANTHROPIC, None, "anthropic's"),
        ({"model": "openai:gpt-9"}, None, "openai", "gpt-9", Wire.RESPONSES, None, "openai's"),
        ({"model": "openai:m", "base_url": LOCAL}, None, "openai", "m", Wire.CHAT, LOCAL, "openai's"),
        ({"model": "qwen3:8b", "base_url": LOCAL}, None, "custom", "qwen3:8b", Wire.CHAT, LOCAL, None),
        ({"model": "gpt-4o", "base_url": LOCAL}, None, "custom", "gpt-4o", Wire.CHAT, LOCAL, None),
        ({"model": "m", "base_url": LOCAL, "api_key_env": "MINE"}, None, "custom", "m", Wire.CHAT, LOCAL, "mine"),
        ({"model": "m", "base_url": LOCAL}, "claude-x", "custom", "claude-x", Wire.CHAT, LOCAL, None),
        (
            {"model": "m", "base_url": LOCAL, "api_key_env": "MINE"},
            "anthropic:claude-x",
            "anthropic",
            "claude-x",
            Wire.ANTHROPIC,
            None,
            "anthropic's",
        ),
        ({}, "ollama:qwen3:8b", "ollama", "qwen3:8b", Wire.CHAT, "http://localhost:11434/v1", None),
    ],
)
def test_a_name_leads_to_its_provider_its_address_and_its_key(
    given: Any, chosen: str | None, provider: str, model: str, wire: Wire, address: str | None, key: str | None
) -> None:
    found = endpoint_of(settings(**given), KEYS, chosen)
    assert (found.provider.name, found.model, found.wire, found.base_url) == (provider, model, wire, address)
    assert key_of(found, ProviderKeys(), KEYS) == key


@pytest.mark.parametrize("given", [{}, {"model": "unknown"}, {"model": "custom:m"}])
def test_a_name_that_leads_nowhere_is_refused(given: Any) -> None:
    with pytest.raises(AgentUnavailable):
        endpoint_of(settings(**given), KEYS)


def test_a_key_of_the_users_editor_counts_before_the_environment() -> None:
    keys = ProviderKeys()
    keys.give("openai", "given")
    found = endpoint_of(settings(model="openai:m", api_key_env="MINE"), KEYS)
    assert key_of(found, keys, KEYS) == "given"
    keys.give("openai", None)
    assert key_of(found, keys, KEYS) == "mine"
