"""One workspace folder: its store and its manager, made on first use and shared by all connections that open it."""

from __future__ import annotations

import asyncio
from functools import cache
from pathlib import Path

from kore_ls.agents.agent import AgentFactory
from kore_ls.agents.sandbox.kinds import Sandbox
from kore_ls.errors import InvalidParams, StoreForeign
from kore_ls.model.event import Event, EventType
from kore_ls.model.ids import now_ms
from kore_ls.model.settings import ClientSettings, StoreSettings
from kore_ls.sessions.backups import FolderBackups
from kore_ls.sessions.clients import FolderClients
from kore_ls.sessions.config import ManagerConfig
from kore_ls.sessions.documents.view import remove_all_views, remove_views
from kore_ls.sessions.manager import SessionManager
from kore_ls.sessions.retention import FolderRetention
from kore_ls.sessions.trust import TrustList
from kore_ls.sessions.turns.command_notes import CommandNotes
from kore_ls.sessions.turns.folder_workbench import FolderWorkbench
from kore_ls.sessions.turns.remembered import RememberedRules
from kore_ls.sessions.turns.session_agents import SessionAgents
from kore_ls.storage.backups import BackupShelf
from kore_ls.storage.cipher import Cipher
from kore_ls.storage.home import StoreHome
from kore_ls.storage.interface import StoreStatus
from kore_ls.storage.store import SQLiteStore

DATABASE = "sessions.db"


class Folder:
    """A folder by its real path. Nothing is created in it before the first write, which with a `cipher` encrypts."""

    def __init__(
        self,
        path: Path,
        settings: ClientSettings,
        state_dir: Path,
        agents: SessionAgents,
        agent_factory: AgentFactory | None = None,
        cipher: Cipher | None = None,
        care: StoreSettings | None = None,
    ) -> None:
        self.path = path
        self.agents = agents
        self.directory = store_directory(path, settings.storage_dir)
        self.home = StoreHome(self.directory, state_dir, inside=path)
        self.clients = FolderClients(path, TrustList(state_dir))
        self.workbench = FolderWorkbench(
            path,
            self.clients,
            RememberedRules(state_dir, path),
            settings.rules,
            settings.locale,
            sandbox,
            self.directory,
            state_dir,
            CommandNotes(state_dir, path),
        )
        self._recovering = asyncio.create_task(self.workbench.recover(), name="kore-recover")
        self.manager = SessionManager(
            ManagerConfig(
                data_dir=self.directory,
                auto_save_interval=settings.auto_save_interval / 1000,
                max_sessions=settings.max_sessions,
                evict_idle=settings.evict_idle,
                session_name_prefix=settings.session_name_prefix or default_prefix(settings.locale),
                default_mode=settings.default_mode,
            ),
            SQLiteStore(
                self.directory / DATABASE,
                cipher,
                synchronous=settings.synchronous,
                gate=self.home,
                indexed_messages=settings.indexed_messages,
                unusable=settings.secret.unusable,
            ),
            agent_factory or agents,
            workbench=self.workbench,
        )
        self.workbench.manager = agents.manager = self.manager
        self.manager.events.listen(self._heard)
        self.manager.start()
        self.adopting = asyncio.Lock()
        self.store = self.directory / DATABASE
        shelf = BackupShelf(state_dir, path)
        self.backups = FolderBackups(shelf, self.manager.storage, self.store)
        self.home.before_migration = lambda db: shelf.before_migration(db, now_ms(), self.store)
        self.home.when_encrypted = (lambda _: remove_all_views(self.directory), shelf.forget_converted)
        self.home.after_unlock = shelf.forget_former
        care = care or StoreSettings()
        if care.backups is not False:
            self.backups.start()
        self.retention = FolderRetention(self.manager, self.clients, self.backups, care.keep_days, care.keep_bytes)
        self.retention.start()

    async def status(self) -> tuple[StoreStatus, bool]:
        """The store's status, and whether it is foreign."""
        try:
            return await self.manager.storage.status(), False
        except StoreForeign:
            return StoreStatus(path=self.directory / DATABASE, exists=True), True

    def _heard(self, event: Event) -> None:
        if event.type is EventType.SESSION_DELETED and event.session_id is not None:
            remove_views(self.directory, event.session_id)

    async def close(self) -> None:
        """Shut the manager down."""
        await asyncio.wait([self._recovering])
        await self.retention.stop()
        await self.backups.stop()
        await self.manager.shutdown()


@cache
def sandbox() -> Sandbox:
    """What child processes can be confined with here; found out once per process, which takes a moment."""
    from kore_ls.agents.sandbox.probe import probe

    return probe()


def store_directory(folder: Path, storage_dir: str) -> Path:
    """Where the store lives. Raises InvalidParams for a place outside the folder."""
    place = Path(storage_dir)
    if not place.parts or place.is_absolute() or ".." in place.parts or "\0" in storage_dir:
        raise InvalidParams(["storageDir: must be a relative path inside the folder"])
    return folder / place


def default_prefix(locale: str | None) -> str:
    """What unnamed sessions are called in the user's language."""
    return "会话" if (locale or "").lower().startswith("zh") else "Session"
