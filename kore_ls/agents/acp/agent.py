"""One session's external agent. Light: the SDK is loaded on the first prompt, in a thread. Starts nothing itself."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

from kore_ls.agents.acp.presets import program_of
from kore_ls.agents.agent import AgentEvent, AnsweredTurn
from kore_ls.agents.keys import ProviderKeys
from kore_ls.errors import AgentUnavailable
from kore_ls.model.agent_settings import AgentSettings

LIBRARY = "acp"
INSTALL = "pip install 'kore-ls[acp]'"


def check_installed() -> None:
    """Raise AgentUnavailable, naming the command that installs the extra, where it is missing; loads nothing."""
    if importlib.util.find_spec(LIBRARY) is None:
        raise AgentUnavailable(f"external agents need an extra: {INSTALL}", reason="extra", install=INSTALL)


class AcpAgent:
    """See `Agent`. Its child process lives from the first prompt on, until the mode, the settings or an end stop it."""

    def __init__(
        self,
        settings: AgentSettings,
        keys: ProviderKeys,
        *,
        preset: str | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._settings, self._keys, self._preset, self._environ = settings, keys, preset, environ
        self._link: Any = None

    async def answer(self, turn: AnsweredTurn) -> AsyncIterator[AgentEvent]:
        """Hand the prompt on and tell what the agent tells."""
        check_installed()
        place = await turn.workplace()
        if not place.trusted:
            raise AgentUnavailable(
                "external agents are not started in a folder that is not trusted; kore-ls trust changes that",
                reason="untrusted",
            )
        program = program_of(self._settings, self._preset, self._environ, place.folder)
        room = await asyncio.to_thread(importlib.import_module, "kore_ls.agents.acp.link")
        if self._link is None:
            self._link = room.Link(self._settings, self._keys, self._environ)
        async with aclosing(self._link.turn(turn, place, program)) as events:
            async for event in events:
                yield event

    async def close(self) -> None:
        """End the child process."""
        if self._link is not None:
            await self._link.close()
