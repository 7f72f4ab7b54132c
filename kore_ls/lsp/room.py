"""All of LSP on one connection but documents: greeting, settings, workspace folders, commands. Never loads pygls."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from kore_ls.errors import KoreError
from kore_ls.lsp import folders
from kore_ls.lsp.capabilities import asks_for_settings, capabilities, within
from kore_ls.lsp.commands import Commands
from kore_ls.lsp.editor import EditorClient
from kore_ls.lsp.late import LateServer
from kore_ls.lsp.plain import PlainEditor
from kore_ls.lsp.ports import Application, OpenWorkspace
from kore_ls.lsp.settings import Reading, add_workspace_section, read_options
from kore_ls.lsp.window import Window
from kore_ls.model.event import EventType
from kore_ls.rpc.codec import Codec
from kore_ls.rpc.connection import Connection
from kore_ls.rpc.faults import METHOD_NOT_FOUND, ConnectionClosed, ResponseError, log_failure
from kore_ls.rpc.methods import MethodTable

logger = logging.getLogger(__name__)

SETTINGS_SECONDS = 2.0
"""How long the client's `initialized`, and then its answer about settings, are waited for."""


@frozen(kw_only=True)
class _Folder:
    uri: str
    name: str = ""


@frozen(kw_only=True)
class _Hello:
    """The params of `initialize` as far as they must be right for us; the rest is looked at with forbearance."""

    capabilities: Mapping[str, Any]
    process_id: int | None = None
    root_uri: str | None = None
    root_path: str | None = None
    workspace_folders: tuple[_Folder, ...] | None = None


@frozen(kw_only=True)
class _SymbolQuery:
    query: str


class LanguageRoom:
    """Serves what is not in the method table; see `Room`."""

    def __init__(
        self,
        connection: Connection,
        application: Application,
        table: MethodTable,
        version: str,
        environment: Mapping[str, str],
    ) -> None:
        self._connection = connection
        self._application = application
        self._table = table
        self._version = version
        self._environment = environment
        self._window = Window(connection)
        self._commands = Commands(connection, table, lambda: list(self._uris))
        self._uris: dict[str, None] = {}
        self._initialized = asyncio.Event()
        self._workspace: OpenWorkspace | None = None
        self._server: LateServer | None = None
        self._editor: EditorClient | None = None
        self._symbols = False
        self._plain: PlainEditor | None = None

    def request(self, method: str, params: Any) -> Any:
        """See `Room`."""
        if method == "workspace/executeCommand":
            return self._commands.execute(params)
        if method == "initialize":
            return self._initialize(params)
        if method == "workspace/symbol" and self._symbols:
            return self._find_symbols(params)
        if self._plain is not None and self._plain.serves(method):
            return self._plain.request(method, params)
        if self._server is None or method.startswith("$/"):
            raise ResponseError(METHOD_NOT_FOUND, "no such method")
        return self._server.request(method, params)

    def notification(self, method: str, params: Any) -> None:
        """See `Room`."""
        if method == "initialized":
            self._initialized.set()
            return
        if method == "workspace/didChangeWorkspaceFolders":
            self._connection.hold("changing workspace folders", self._change_folders, *folders.changed(params))
        if method == "window/workDoneProgress/cancel" and self._stops(within(params, "token")):
            return
        if self._server is not None:
            self._server.notification(method, params)
            if self._editor is not None and method.startswith("textDocument/"):
                self._editor.document_changed()

    def _stops(self, token: Any) -> bool:
        if self._editor is not None and self._editor.index_progress.cancel(token):
            return True
        if self._plain is None or not self._plain.errands.knows(token):
            return False
        self._commands.later("Kore", self._plain.errands.cancelled(token))
        return True

    async def close(self) -> None:
        """See `Room`; stops what commands do in the background and ends the connection's workspace."""
        await self._commands.close()
        if self._editor is not None:
            await self._editor.index_progress.close()
        if self._plain is not None:
            await self._plain.close()
        if self._server is not None:
            await self._server.close()
        if self._workspace is not None:
            await self._workspace.close()

    def _initialize(self, params: Any) -> dict[str, Any]:
        Codec().structure(params, _Hello)
        reading = read_options(params, self._environment)
        self._symbols = reading.settings.workspace_symbols
        self._server = LateServer(self._connection, self._version, params)
        self._connection.hold("opening the workspace", self._open, reading, params)
        events = [each.value for each in EventType]
        offered = capabilities(params["capabilities"], self._table, events, self._table.commands)
        if self._symbols:
            offered["workspaceSymbolProvider"] = True
        if not reading.settings.events:  # a client that hears events has a face of its own for sessions
            self._plain = PlainEditor(
                self._connection,
                self._table,
                self._server,
                params,
                folders=lambda: list(self._uris),
                workspace=lambda: self._workspace,
                locale=reading.settings.locale,
            )
            self._plain.offer(offered)
            self._commands.errands = self._plain.errands
        return {
            "capabilities": offered,
            "serverInfo": {"name": "kore-ls", "version": self._version},
        }

    async def _find_symbols(self, params: Any) -> list[dict[str, Any]]:
        from kore_ls.lsp.symbols import find_symbols

        query = Codec().structure(params, _SymbolQuery).query
        return await find_symbols(self._workspace, query)

    async def _open(self, reading: Reading, hello: Any) -> None:
        self._complain(reading)
        if asks_for_settings(hello["capabilities"]):
            reading = await self._with_workspace_settings(reading)
        assert self._server is not None
        self._editor = EditorClient(
            self._connection, self._server, hello, reading.settings.lsp_bridge, reading.settings.locale
        )
        self._workspace = self._application.connect(reading.settings, self._connection.notify, self._editor)
        self._connection.context = self._workspace
        for uri in folders.opened_at_start(hello):
            await self._open_folder(self._workspace, uri)

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
        if self._workspace is None:
            return
        for uri in closed:
            self._uris.pop(uri, None)
            await self._workspace.close_folder(uri)
        for uri in opened:
            await self._open_folder(self._workspace, uri)

    async def _open_folder(self, workspace: OpenWorkspace, uri: str) -> None:
        """Open a folder; if that fails, the others are opened all the same."""
        self._uris[uri] = None
        try:
            await workspace.open_folder(uri)
        except KoreError as error:
            self._window.log(f"kore-ls: a workspace folder can't be opened: {error.message}")
        except Exception as error:
            log_failure(logger, "opening a workspace folder", error)
