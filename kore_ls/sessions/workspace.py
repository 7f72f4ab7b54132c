"""What one connection sees: the folders it has open, and its own active session in each."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from attrs import define

from kore_ls.errors import FolderNotFound, FolderRequired, KoreError, SessionNotFound
from kore_ls.model.event import Event, EventType
from kore_ls.model.ids import SessionId
from kore_ls.model.settings import ClientSettings
from kore_ls.sessions.client import Client
from kore_ls.sessions.folder import Folder
from kore_ls.sessions.manager import SessionManager
from kore_ls.sessions.turns.permissions import Asker
from kore_ls.sessions.uris import path_of, real_path

if TYPE_CHECKING:
    from kore_ls.sessions.app import App


@define(eq=False)
class OpenFolder:
    """A folder as one connection has it open: under the URI that the client uses."""

    uri: str
    folder: Folder
    active: SessionId | None = None
    stop_listening: Callable[[], None] = lambda: None
    stop_telling: Callable[[], None] = lambda: None

    @property
    def manager(self) -> SessionManager:
        """The folder's sessions."""
        return self.folder.manager

    async def active_session(self) -> SessionId | None:
        """The session that is active for this connection; it starts from the store's last one."""
        if self.active is None:
            self.active = await self.manager.storage.active_session()
        return self.active


EventListener = Callable[[OpenFolder, Event], None]


class Workspace:
    """The folders of one connection."""

    def __init__(
        self,
        app: App,
        settings: ClientSettings,
        notify: Callable[[str, Any], None],
        client: Client | None = None,
    ) -> None:
        self.app = app
        self.settings = settings
        self.notify = notify
        self.client = client
        self.asker: Asker | None = None
        self.chooser: Asker | None = None
        self._asking: set[asyncio.Task[None]] = set()
        self.listener: EventListener | None = None
        self._folders: dict[str, OpenFolder] = {}

    @property
    def folders(self) -> Sequence[OpenFolder]:
        """All open folders in the order they were opened."""
        return tuple(self._folders.values())

    async def open_folder(self, uri: str) -> None:
        """Open a folder; again is fine. Raises FolderNotFound, InvalidParams."""
        if uri in self._folders:
            return
        folder = self.app.enter(path_of(uri), self.settings)
        if any(other.folder is folder for other in self._folders.values()):
            await self.app.leave(folder)  # another name of a folder that is open already
            return
        opened = OpenFolder(uri, folder)
        opened.stop_listening = folder.manager.events.listen(lambda event: self._heard(opened, event))
        opened.stop_telling = self._tell_of_indexing(opened)
        self._folders[uri] = opened
        folder.clients.join(self, self.client, self.settings.trusted, lambda: opened.active)
        folder.workbench.desk.join(self, self.asker, self.chooser)

    async def close_folder(self, uri: str) -> None:
        """Close a folder; one that is not open is fine."""
        try:
            opened = self._folders.get(uri) or self._same(uri)
        except FolderNotFound:
            return
        if opened is not None:
            del self._folders[opened.uri]
            opened.stop_listening()
            opened.stop_telling()
            opened.folder.clients.leave(self)
            opened.folder.workbench.desk.leave(self)
            await self.app.leave(opened.folder)

    async def close(self) -> None:
        """Close all folders: the connection has ended."""
        for task in tuple(self._asking):
            task.cancel()
        for uri in tuple(self._folders):
            await self.close_folder(uri)

    def _heard(self, opened: OpenFolder, event: Event) -> None:
        if event.type is EventType.SESSION_SWITCHED and (event.origin is opened or opened.active is None):
            opened.active = event.session_id
        if self.listener is not None:
            self.listener(opened, event)

    def _tell_of_indexing(self, opened: OpenFolder) -> Callable[[], None]:
        client, encryption = self.client, opened.manager.storage.encryption
        if client is None:
            return lambda: None
        stop = encryption.listen(lambda rows: client.indexing(opened.uri, rows, encryption.stop_indexing))

        def end() -> None:
            stop()
            client.indexing(opened.uri, None, encryption.stop_indexing)

        return end

    def ask_about_trust(self, opened: OpenFolder) -> None:
        """Ask the user in the background about a folder that nobody has said anything of."""

        async def ask() -> None:
            with contextlib.suppress(KoreError):  # it can't be remembered, and stays untrusted
                await opened.folder.clients.ask_about_trust(self, self.settings.locale)

        task = asyncio.create_task(ask(), name="kore-trust")
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    def _same(self, uri: str) -> OpenFolder | None:
        """The open folder that this URI means under another spelling."""
        real = real_path(path_of(uri))
        return next((opened for opened in self._folders.values() if opened.folder.path == real), None)

    def folder(self, uri: str | None) -> OpenFolder:
        """The folder a request is about. Raises FolderNotFound, and FolderRequired where several are open."""
        if uri is not None:
            opened = self._folders.get(uri) or self._same(uri)
            if opened is None:
                raise FolderNotFound
            return opened
        if len(self._folders) != 1:
            raise FolderRequired if self._folders else FolderNotFound("no workspace folder is open")
        return next(iter(self._folders.values()))

    def chosen(self, uri: str | None) -> Sequence[OpenFolder]:
        """The folders a list covers: the one named, else all. Raises FolderNotFound."""
        return self.folders if uri is None else (self.folder(uri),)

    async def folder_of(self, session_id: SessionId, uri: str | None, *, deleted: bool = False) -> OpenFolder:
        """The folder that holds a session. Raises SessionNotFound, and FolderRequired if two folders hold it."""
        if uri is not None:
            return self.folder(uri)
        if len(self._folders) == 1:  # the session itself is looked up by the operation that follows
            return next(iter(self._folders.values()))
        found = await asyncio.gather(*(_holds(opened, session_id, deleted) for opened in self.folders))
        holders = [opened for opened, holds in zip(self.folders, found, strict=True) if holds]
        if len(holders) > 1:
            raise FolderRequired(sessionId=session_id)
        if not holders:
            raise SessionNotFound(sessionId=session_id)
        return holders[0]

    async def folders_of(
        self, session_ids: Sequence[SessionId], uri: str | None
    ) -> Sequence[tuple[SessionId, OpenFolder]]:
        """Each session, deleted or not, with its folder; so that nothing is begun where one of them is unknown."""
        placed = [(session_id, await self.folder_of(session_id, uri, deleted=True)) for session_id in session_ids]
        for session_id, opened in placed:
            await opened.manager.storage.load_session(session_id, deleted=True)
        return placed


async def _holds(opened: OpenFolder, session_id: SessionId, deleted: bool) -> bool:
    try:
        await opened.manager.storage.load_session(session_id, deleted=deleted)
    except KoreError:  # a store that can't be read holds nothing for us; asked by itself it says why
        return False
    return True
