"""How commands reach sessions: by the methods of the protocol, in this process or in a server's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from kore_ls.cli.failures import CommandFailed
from kore_ls.cli.safe_text import line

Json = dict[str, Any]


class Caller(Protocol):
    """One folder's sessions, by `kore/*` methods; params and results are JSON as on the wire."""

    async def call(self, method: str, **params: Any) -> Any:
        """The result of a method. Raises KoreError."""


class LocalFolder:
    """A folder's sessions in this process, without a server."""

    def __init__(self, workspace: Any) -> None:
        from kore_ls.rpc.codec import Codec

        self._workspace = workspace
        self._codec = Codec()

    async def call(self, method: str, **params: Any) -> Any:
        """See `Caller`."""
        from kore_ls.api import TABLE
        from kore_ls.rpc.codec import dumps, loads

        declared = TABLE[method]
        result = await declared.handler(self._workspace, self._codec.structure(params, declared.params))
        return loads(dumps(result, self._codec.unstructure))

    async def copy_if_due(self) -> None:
        """Make the daily copy of the store, if there is to be one: no server may ever open this folder."""
        backups = self._workspace.folder(None).folder.backups
        if backups.recurring.running:
            await backups.daily()

    @property
    def manager(self) -> Any:
        """The folder's SessionManager, for what has no form in JSON."""
        return self._workspace.folder(None).manager


def existing_folder(path: Path) -> Path:
    """The folder's absolute path. Raises CommandFailed."""
    if not path.is_dir():
        raise CommandFailed(f"not a folder: {line(str(path))}")
    return path.resolve()


@asynccontextmanager
async def local_folder(path: Path) -> AsyncIterator[LocalFolder]:
    """A folder, open until the end of the block; a store is made in it only by a write. Raises CommandFailed."""
    from kore_ls.cli.secrets import secret_of_environment
    from kore_ls.model.settings import ClientSettings
    from kore_ls.sessions.app import App
    from kore_ls.sessions.uris import uri_of
    from kore_ls.storage.home import default_state_dir

    folder = existing_folder(path)
    app = App(default_state_dir())
    try:
        workspace = app.connect(ClientSettings(secret=secret_of_environment()), lambda method, params: None)
        await workspace.open_folder(uri_of(folder))
        yield LocalFolder(workspace)
    finally:
        await app.close()
