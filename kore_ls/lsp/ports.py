"""What the language room needs of the application, and nothing more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from kore_ls.model.settings import ClientSettings
from kore_ls.sessions.client import Client


class OpenWorkspace(Protocol):
    """One connection's view of the application; the first argument of every handler of the method table."""

    async def open_folder(self, uri: str) -> None:
        """The client has opened this workspace folder."""

    async def close_folder(self, uri: str) -> None:
        """The client has closed this workspace folder."""

    async def close(self) -> None:
        """The connection ends."""


class Application(Protocol):
    """What all connections of a process share."""

    def connect(
        self, settings: ClientSettings, notify: Callable[[str, Any], None], client: Client | None = None
    ) -> OpenWorkspace:
        """A new connection's workspace; `notify(method, params)` and `client` reach its client."""

    async def close(self) -> None:
        """Save and close everything; may be called more than once."""
