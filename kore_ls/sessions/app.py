"""What one server process shares between its connections: the open folders. Made in `cli`, passed down."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kore_ls.agents.agent import AgentFactory
from kore_ls.agents.keys import ProviderKeys
from kore_ls.errors import FolderNotFound
from kore_ls.model.agent_settings import AgentSettings
from kore_ls.model.secret import Secret
from kore_ls.model.settings import ClientSettings, StoreSettings
from kore_ls.sessions.client import Client
from kore_ls.sessions.folder import Folder
from kore_ls.sessions.turns.session_agents import SessionAgents
from kore_ls.sessions.uris import real_path
from kore_ls.sessions.user_config import UserConfig
from kore_ls.sessions.workspace import Workspace
from kore_ls.storage.cipher import Cipher, Cost


class App:
    """The folders of all connections, by real path; a folder closes when the last connection leaves it.

    Without an `agent_factory` sessions have the agent that they or the user chose.
    `key_cost`: what a passphrase costs to try, see `Cost`.
    """

    def __init__(
        self,
        state_dir: Path,
        agent_factory: AgentFactory | None = None,
        key_cost: Cost | None = None,
        config_file: Path | None = None,
    ) -> None:
        self.state_dir = state_dir
        self.keys = ProviderKeys()
        self.config = UserConfig(config_file)
        self._key_cost = key_cost
        self._agent_factory = agent_factory
        self._folders: dict[Path, Folder] = {}
        self._users: dict[Path, int] = {}
        self._closing: asyncio.Task[None] | None = None

    def connect(
        self, settings: ClientSettings, notify: Callable[[str, Any], None], client: Client | None = None
    ) -> Workspace:
        """A new connection's view; `client` is what its user can be asked and its editor can do."""
        return Workspace(self, settings, notify, client)

    def enter(self, path: Path, settings: ClientSettings) -> Folder:
        """Open a folder or join those who have it open. Raises FolderNotFound, InvalidParams."""
        real = real_path(path)
        if not os.path.isdir(real):  # noqa: PTH112 - Path.is_dir raises for a name that is too long
            raise FolderNotFound
        folder = self._folders.get(real)
        if folder is None:
            cipher = self.cipher(settings.secret) if settings.secret else None
            agents = SessionAgents(lambda: self.agent_settings(settings), self.keys, settings.locale)
            care = self.store_settings(settings)
            folder = Folder(real, settings, self.state_dir, agents, self._agent_factory, cipher, care)
            self._folders[real] = folder
        self._users[real] = self._users.get(real, 0) + 1
        return folder

    def cipher(self, secret: Secret) -> Cipher:
        """What opens stores with a passphrase or key. Raises ValueError for one that is none."""
        return Cipher(secret.value, cost=self._key_cost)

    def agent_settings(self, settings: ClientSettings) -> AgentSettings:
        """How sessions are answered that chose nothing else: what the client says, else the user's configuration."""
        return settings.agent or self.config.agent or AgentSettings()

    def store_settings(self, settings: ClientSettings) -> StoreSettings:
        """What is done to stores now and then: what the client says, else the user's configuration."""
        said, own = settings, self.config.store
        limited = said.keep_days is not None or said.keep_bytes is not None
        return StoreSettings(
            keep_days=said.keep_days if limited else own.keep_days,
            keep_bytes=said.keep_bytes if limited else own.keep_bytes,
            backups=own.backups if said.backups is None else said.backups,
        )

    async def leave(self, folder: Folder) -> None:
        """The counterpart of `enter`."""
        self._users[folder.path] -= 1
        if not self._users[folder.path]:
            del self._users[folder.path]
            del self._folders[folder.path]
            await folder.close()

    async def close(self) -> None:
        """Close every folder; calling it again waits for the same closing."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(), name="kore-close")
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        await asyncio.gather(*(folder.close() for folder in self._folders.values()))
