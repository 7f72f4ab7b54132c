"""What editors without a plugin of ours are offered: code actions and their commands, transcripts with an outline.

A client that hears events has a face of its own for sessions and is offered none of this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from attrs import frozen

from kore_ls.errors import KoreError
from kore_ls.lsp.capabilities import position_encoding, within
from kore_ls.lsp.code_actions import CodeActions
from kore_ls.lsp.errands import COMMANDS, Errands
from kore_ls.lsp.late import LateServer
from kore_ls.lsp.transcripts import SCHEME, Abilities, Transcripts
from kore_ls.lsp.words import words
from kore_ls.rpc.codec import Codec
from kore_ls.rpc.connection import Connection
from kore_ls.rpc.methods import MethodTable
from kore_ls.sessions.uris import path_of

LARGEST = 4 << 20
"""Bytes of a file that is looked at because a code action is asked for in it and it is not open here."""


@frozen(kw_only=True)
class _Document:
    uri: str


@frozen(kw_only=True)
class _About:
    text_document: _Document
    range: Any = None
    context: Any = None


@frozen(kw_only=True)
class _Content:
    uri: str


class PlainEditor:
    """The features of one connection, whose client said `hello` in its `initialize`."""

    def __init__(
        self,
        connection: Connection,
        table: MethodTable,
        server: LateServer,
        hello: Any,
        *,
        folders: Callable[[], Sequence[str]],
        workspace: Callable[[], object],
        locale: str | None,
    ) -> None:
        client = hello["capabilities"]
        said, encoding = words(locale), position_encoding(client)
        self._connection = connection
        self._server = server
        self._abilities = Abilities.of(client)
        self._transcripts = Transcripts(connection, self._abilities, workspace, self._open_text)
        self._actions = CodeActions(connection, table, folders, self._text_of, encoding, said)
        self.errands = Errands(
            connection,
            table,
            self._transcripts,
            workspace,
            self._text_of,
            encoding=encoding,
            progress=within(client, "window", "workDoneProgress") is True,
            words=said,
        )

    def offer(self, capabilities: dict[str, Any]) -> None:
        """Add to what the server says it can do."""
        capabilities["codeActionProvider"] = True
        capabilities["documentSymbolProvider"] = True
        capabilities["foldingRangeProvider"] = True
        capabilities["executeCommandProvider"]["commands"] += COMMANDS
        if self._abilities.content:
            capabilities["workspace"]["textDocumentContent"] = {"schemes": [SCHEME]}

    def serves(self, method: str) -> bool:
        """Whether a request is for us."""
        return method in _METHODS

    async def request(self, method: str, params: Any) -> Any:
        """The JSON result of a request that is for us. Raises InvalidParams, KoreError."""
        await self._connection.let_through()  # the folders are open then
        if method == "workspace/textDocumentContent":
            return await self._transcripts.content(Codec().structure(params, _Content).uri)
        about = Codec().structure(params, _About)
        uri = about.text_document.uri
        if method == "textDocument/codeAction":
            return await self._actions.offer(uri, about.range, about.context)
        await self._server.settle()
        return self._transcripts.symbols(uri) if method == _SYMBOLS else self._transcripts.folds(uri)

    async def close(self) -> None:
        """Tell nothing more."""
        await self._transcripts.close()

    def _open_text(self, uri: str) -> str | None:
        server = self._server.loaded
        documents = server.workspace.text_documents if server is not None else {}
        wanted = unquote(uri)  # pygls names them in its own way
        return next((each.source for name, each in documents.items() if unquote(name) == wanted), None)

    async def _text_of(self, uri: str) -> str | None:
        await self._server.settle()
        text = self._open_text(uri)
        return text if text is not None else _on_disk(uri)


_SYMBOLS = "textDocument/documentSymbol"
_METHODS = frozenset(
    {"textDocument/codeAction", _SYMBOLS, "textDocument/foldingRange", "workspace/textDocumentContent"}
)


def _on_disk(uri: str) -> str | None:
    try:
        path: Path = path_of(uri)
        if not path.is_file() or path.stat().st_size > LARGEST:
            return None
        return path.read_bytes().decode().replace("\r\n", "\n")
    except (KoreError, OSError, UnicodeDecodeError):
        return None
