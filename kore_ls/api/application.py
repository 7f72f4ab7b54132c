"""The application as the wire sees it: every connection's workspace, with its event stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kore_ls.api.events import EventStream
from kore_ls.api.permission_asking import by_choice, by_request
from kore_ls.model.settings import ClientSettings
from kore_ls.sessions.app import App
from kore_ls.sessions.client import Client
from kore_ls.sessions.workspace import Workspace


class Application:
    """One `App`, served."""

    def __init__(self, app: App) -> None:
        self._app = app

    def connect(
        self, settings: ClientSettings, notify: Callable[[str, Any], None], client: Client | None = None
    ) -> Workspace:
        """A new connection's workspace; what happens in it goes out through `notify`, questions go to `client`."""
        workspace = self._app.connect(settings, notify, client)
        if client is not None:
            workspace.asker = by_request(client) if settings.permissions else None
            workspace.chooser = by_choice(client)
        EventStream.of(workspace)
        return workspace

    async def close(self) -> None:
        """Save and close everything; calling it again is fine."""
        await self._app.close()
