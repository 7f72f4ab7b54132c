"""One session's model agent. Light: the library that talks to models is loaded on the first prompt, in a thread."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import logging
import os
from collections.abc import AsyncIterator, Mapping
from types import ModuleType
from typing import Any

from kore_ls.agents.agent import AgentEvent, AnsweredTurn
from kore_ls.agents.endpoint import Endpoint, endpoint_of, key_of
from kore_ls.agents.keys import ProviderKeys
from kore_ls.agents.ports import Naming
from kore_ls.errors import AgentUnavailable, AuthRequired
from kore_ls.model.agent_settings import AgentSettings
from kore_ls.model.session import SessionRecord

log = logging.getLogger(__name__)

LIBRARY = "pydantic_ai"
INSTALL = "pip install 'kore-ls[model]'"
NO_KEY = "none"
"""What endpoints get that need no key; the libraries insist on some word."""


def is_installed() -> bool:
    """Whether the extra is there; loads nothing."""
    return importlib.util.find_spec(LIBRARY) is not None


def check_installed() -> None:
    """Raise AgentUnavailable, naming the command that installs the extra, where it is missing."""
    if not is_installed():
        raise AgentUnavailable(f"models need an extra: {INSTALL}", reason="extra", install=INSTALL)


def usable_endpoint(
    settings: AgentSettings, keys: ProviderKeys, environ: Mapping[str, str], model: str | None = None
) -> tuple[Endpoint, str]:
    """Where a model would be asked and with which key. Raises AgentUnavailable, AuthRequired; asks nobody."""
    check_installed()
    endpoint = endpoint_of(settings, environ, model)
    key = key_of(endpoint, keys, environ)
    if key is None and (endpoint.api_key_env is not None or endpoint.provider.variables):
        variable = endpoint.api_key_env or endpoint.provider.variables[0]
        name = endpoint.provider.name
        raise AuthRequired(
            f"no key for {name}: set {variable}, or set the key in your editor",
            reason="noKey",
            provider=name,
            variable=variable,
        )
    return endpoint, key or NO_KEY


class ModelAgent:
    """See `Agent`. `model` names another one than the settings do; `naming` gives the session its title."""

    def __init__(
        self,
        settings: AgentSettings,
        keys: ProviderKeys,
        *,
        naming: Naming,
        model: str | None = None,
        environ: Mapping[str, str] = os.environ,
        connect: Any = None,
    ) -> None:
        self._settings, self._keys, self._model, self._environ = settings, keys, model, environ
        self._naming = naming
        self._connect = connect
        self._titling: asyncio.Task[None] | None = None

    async def answer(self, turn: AnsweredTurn) -> AsyncIterator[AgentEvent]:
        """Ask the model, use the tools that it calls, until it calls no more."""
        endpoint, key = usable_endpoint(self._settings, self._keys, self._environ, self._model)
        engine = await _engine()
        async with engine.connected(endpoint, key, self._connect) as model:
            window, real = self._settings.context_window, self._connect is None
            conversation = engine.Conversation(turn, model, endpoint, window, real=real)
            async for event in conversation.events():
                if isinstance(event, engine.Finished):
                    self._name(engine, turn.session, endpoint, key, event)
                    yield event.end
                else:
                    yield event

    def _name(self, engine: ModuleType, session: SessionRecord, endpoint: Endpoint, key: str, done: Any) -> None:
        """Ask for a title in the background, once."""
        if self._titling is None:
            work = self._title(engine, session, endpoint, key, done)
            self._titling = asyncio.create_task(work, name="kore-title")

    async def _title(self, engine: ModuleType, session: SessionRecord, endpoint: Endpoint, key: str, done: Any) -> None:
        try:
            if not await self._naming.wanted(session.id):
                return
            async with engine.connected(endpoint, key, self._connect) as model:
                found = await engine.title_of(model, endpoint, done.prompt, done.text)
            if found is not None:
                await self._naming.name(session.id, found.text, found.usage)
        except Exception as error:  # nobody waits for it: the session keeps its name
            log.warning("a session got no title: %s", type(error).__name__)

    async def close(self) -> None:
        """Give up naming the session; nothing else outlives a turn."""
        if self._titling is not None:
            self._titling.cancel()
            await asyncio.wait([self._titling])


async def _engine() -> ModuleType:
    """The part that needs the library; loading it takes seconds, so never on the event loop."""
    return await asyncio.to_thread(importlib.import_module, "kore_ls.agents.model.conversation")
