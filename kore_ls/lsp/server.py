"""pygls' server as we use it: documents, folders and typed LSP for one connection. Loaded late, see `late`."""

from __future__ import annotations

import functools
import logging
from typing import Any

from pygls.lsp.server import LanguageServer
from pygls.protocol import default_converter

from kore_ls.errors import InvalidParams
from kore_ls.lsp.protocol import KoreProtocol
from kore_ls.rpc.connection import Connection

logger = logging.getLogger(__name__)


class KoreServer(LanguageServer):
    """A `LanguageServer` that reads and writes nothing itself; its `protocol` is fed by the room."""

    protocol: KoreProtocol

    def __init__(self, connection: Connection, version: str) -> None:
        # at lower levels pygls logs what messages contain
        logging.getLogger("pygls").setLevel(logging.WARNING)
        super().__init__("kore-ls", version, protocol_cls=KoreProtocol, converter_factory=_converter)
        self.protocol.connection = connection


def greeted_server(connection: Connection, version: str, hello: Any) -> KoreServer:
    """A server that knows its client by the params of its `initialize`, which was answered before.

    Where they are not what lsprotocol takes them for, the client counts as one that can do nothing special.
    """
    server = KoreServer(connection, version)
    try:
        server.protocol.request("initialize", hello)
    except InvalidParams as error:
        logger.warning("the client's capabilities are not of LSP's form, in %s places", len(error.problems))
        folders = {key: hello.get(key) for key in ("rootUri", "workspaceFolders")}
        server.protocol.request("initialize", {"processId": None, "capabilities": {}} | folders)
    return server


@functools.cache
def _converter() -> Any:
    """One for all connections: its hooks are compiled once."""
    return default_converter()  # type: ignore[no-untyped-call]
