"""From an endpoint to a model of the library, connected for as long as it is needed. Sends nothing itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from pydantic_ai.models import Model
from pydantic_ai.settings import ModelSettings

from kore_ls.agents.endpoint import Endpoint
from kore_ls.model.provider import Wire

_PROFILES = {"deepseek": "deepseek", "qwen": "alibaba", "moonshot": "moonshotai", "openrouter": "openrouter"}
"""Whose ways the library knows, and under which name."""
_PATIENCE_S = 600.0

Connect = Callable[[Endpoint, str], Model]


@asynccontextmanager
async def connected(endpoint: Endpoint, key: str, connect: Connect | None = None) -> AsyncIterator[Model]:
    """The model of an endpoint; its connections are closed at the end."""
    if connect is not None:
        yield connect(endpoint, key)
        return
    provider, model = _model(endpoint, key)
    async with provider:
        yield model


def _model(endpoint: Endpoint, key: str) -> tuple[Any, Model]:
    settings = ModelSettings(timeout=_PATIENCE_S)
    provider: Any
    match endpoint.wire:
        case Wire.ANTHROPIC:
            from pydantic_ai.models.anthropic import AnthropicModel
            from pydantic_ai.providers.anthropic import AnthropicProvider

            provider = AnthropicProvider(api_key=key, base_url=endpoint.base_url)
            provider.client.max_retries = 0
            return provider, AnthropicModel(endpoint.model, provider=provider, settings=settings)
        case Wire.GOOGLE:
            from pydantic_ai.models.google import GoogleModel
            from pydantic_ai.providers.google import GoogleProvider

            provider = GoogleProvider(api_key=key, base_url=endpoint.base_url)
            return provider, GoogleModel(endpoint.model, provider=provider, settings=settings)
        case Wire.RESPONSES:
            from pydantic_ai.models.openai import OpenAIResponsesModel
            from pydantic_ai.providers.openai import OpenAIProvider

            provider = OpenAIProvider(api_key=key, base_url=endpoint.base_url)
            provider.client.max_retries = 0
            return provider, OpenAIResponsesModel(endpoint.model, provider=provider, settings=settings)
        case Wire.CHAT:
            from pydantic_ai.models.openai import OpenAIChatModel

            provider = _compatible(endpoint, key)
            provider.client.max_retries = 0
            return provider, OpenAIChatModel(endpoint.model, provider=provider, settings=settings)


def _compatible(endpoint: Endpoint, key: str) -> Any:
    from pydantic_ai.providers import infer_provider_class
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

    assert endpoint.base_url is not None
    name = endpoint.provider.name
    profile = infer_provider_class(_PROFILES[name]).model_profile if name in _PROFILES else None
    return OpenAICompatibleProvider(name, base_url=endpoint.base_url, api_key=key, profile=profile)
