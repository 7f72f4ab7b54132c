"""The language server of one connection: what it can do, which folders and settings its client has, how it ends."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Mapping
from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.protocol import default_converter

from kore_ls.errors import KoreError
from kore_ls.lsp import folders
from kore_ls.lsp.commands import Commands
from kore_ls.lsp.ports import Application, OpenWorkspace
from kore_ls.lsp.protocol import KoreProtocol
from kore_ls.lsp.settings import Reading, add_workspace_section, read_options
from kore_ls.lsp.window import Window
from kore_ls.model.event import EventType
from kore_ls.rpc.connection import Connection
from kore_ls.rpc.faults import ConnectionClosed, ResponseError, log_failure
from kore_ls.rpc.methods import MethodTable

logger = logging.getLogger(__name__)

PROTOCOL_VERSION = 1
SETTINGS_SECONDS = 2.0
"""How long the client's `initialized`, and then its answer about settings, are waited for."""


class KoreServer(LanguageServer):
    """Serves what is not in the method table; made when its client sends the first such message."""

    protocol: KoreProtocol

    def __init__(
        self,
        connection: Connection,
        application: Application,
        table: MethodTable,
        version: str,
        environment: Mapping[str, str],
    ) -> None:
        # pygls says at lower levels what messages contain
        logging.getLogger("pygls").setLevel(logging.WARNING)
        super().__init__("kore-ls", version, protocol_cls=KoreProtocol, converter_factory=_converter)
        self.protocol.connection = connection
        self._connection = connection
        self._application = application
        self._table = table
        self._environment = environment
        self._window = Window(connection)
        self._commands = Commands(connection, table, lambda: list(self._uris))
        self._opened: OpenWorkspace | None = None
        self._uris: dict[str, None] = {}
        self._initialized = asyncio.Event()

    def request(self, method: str, params: Any) -> Any:
        """See `Room`."""
        if method == types.INITIALIZE:
            return self._initialize(params)
        if method == types.WORKSPACE_EXECUTE_COMMAND:
            return self._commands.execute(params)
        return self.protocol.request(method, params)

    def notification(self, method: str, params: Any) -> None:
        """See `Room`."""
        self.protocol.notification(method, params)
        if method == types.INITIALIZED:
            self._initialized.set()
        elif method == types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS:
            self._connection.hold("changing workspace folders", self._change_folders, *folders.changed(params))

    async def close(self) -> None:
        """See `Room`; stops what commands do in the background and ends the connection's workspace."""
        await self._commands.close()
        if self._opened is not None:
            await self._opened.close()

    def _initialize(self, params: Any) -> Any:
        result = self.protocol.request(types.INITIALIZE, params)
        capabilities = result["capabilities"]
        capabilities["executeCommandProvider"] = {"commands": list(self._table.commands)}
        capabilities["experimental"] = {
            "kore": {
                "version": PROTOCOL_VERSION,
                "methods": list(self._table),
                "events": [each.value for each in EventType],
                "backends": [],
            }
        }
        reading = read_options(params, self._environment)
        self._connection.hold("opening the workspace", self._open, reading, folders.opened_at_start(params))
        return result

    async def _open(self, reading: Reading, uris: list[str]) -> None:
        self._complain(reading)
        workspace = self.client_capabilities.workspace
        if workspace is not None and workspace.configuration:
            reading = await self._with_workspace_settings(reading)
        self._opened = self._application.connect(reading.settings, self._connection.notify)
        self._connection.context = self._opened
        for uri in uris:
            await self._open_folder(self._opened, uri)

    async def _with_workspace_settings(self, reading: Reading) -> Reading:
        items = {"items": [{"section": "kore"}]}
        try:
            async with asyncio.timeout(SETTINGS_SECONDS):
                await self._initialized.wait()
            answer = await self._connection.request("workspace/configuration", items, timeout=SETTINGS_SECONDS)
        except (TimeoutError, ResponseError, ConnectionClosed):
            logger.warning("the client did not tell its settings")
            return reading
        more = add_workspace_section(reading, answer[0] if isinstance(answer, list) and answer else None)
        self._complain(more)
        return more

    def _complain(self, reading: Reading) -> None:
        for problem in reading.problems:
            self._window.log(f"kore-ls: {problem}; the default is used")

    async def _change_folders(self, closed: list[str], opened: list[str]) -> None:
        if self._opened is None:
            return
        for uri in closed:
            self._uris.pop(uri, None)
            await self._opened.close_folder(uri)
        for uri in opened:
            await self._open_folder(self._opened, uri)

    async def _open_folder(self, workspace: OpenWorkspace, uri: str) -> None:
        """Open a folder; if that fails, the others are opened all the same."""
        self._uris[uri] = None
        try:
            await workspace.open_folder(uri)
        except KoreError as error:
            self._window.log(f"kore-ls: a workspace folder can't be opened: {error.message}")
        except Exception as error:
            log_failure(logger, "opening a workspace folder", error)


@functools.cache
def _converter() -> Any:
    """One for all connections: its hooks are compiled once."""
    return default_converter()  # type: ignore[no-untyped-call]
