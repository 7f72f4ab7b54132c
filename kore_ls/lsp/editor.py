"""One connection's client as agents and their users meet it: documents, edits, language servers, choices.

One edit is in flight at a time, and it is over when the editor has said that the text changed.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kore_ls.errors import FolderNotFound, KoreError
from kore_ls.lsp.capabilities import position_encoding, within
from kore_ls.lsp.index_progress import IndexProgress
from kore_ls.lsp.positions import in_utf16
from kore_ls.lsp.text_edit import changed_stretch, from_utf16
from kore_ls.lsp.window import Window
from kore_ls.lsp.words import words
from kore_ls.model.document import Document, EditResult
from kore_ls.rpc.connection import Connection
from kore_ls.rpc.faults import ConnectionClosed, ResponseError
from kore_ls.sessions.uris import path_of

if TYPE_CHECKING:
    from pygls.workspace import TextDocument

    from kore_ls.lsp.late import LateServer

logger = logging.getLogger(__name__)

LANGUAGE_S = 5.0
EDIT_S = 10.0
LABEL = "Kore"
_LANGUAGE = frozenset({"definition", "references", "hover", "documentSymbol", "diagnostics", "rename"})


class EditorClient:
    """See `sessions.client.Client`. `hello` are the params of `initialize`, `bridge` what the user lists for us."""

    def __init__(
        self, connection: Connection, server: LateServer, hello: Any, bridge: Sequence[str], locale: str | None = None
    ) -> None:
        self._connection = connection
        self._server = server
        self._window = Window(connection)
        self._bridge = frozenset(bridge) & _LANGUAGE
        capabilities = hello.get("capabilities")
        shows = within(capabilities, "window", "workDoneProgress") is True
        self.index_progress = IndexProgress(connection, words(locale), shows=shows)
        self._encoding = position_encoding(capabilities)
        self._edits = within(capabilities, "workspace", "applyEdit") is True
        self._versioned = within(capabilities, "workspace", "workspaceEdit", "documentChanges") is True
        self._editing = asyncio.Lock()
        self._changed = asyncio.Event()

    @property
    def slow(self) -> bool:
        """Whether it reads more slowly than it is written to."""
        return self._connection.slow

    def document_changed(self) -> None:
        """The client has said something about a document."""
        self._changed.set()

    async def ask(self, method: str, params: Any, *, timeout: float | None) -> Any | None:
        """Its JSON result; None where it has none, fails, is gone or takes too long."""
        try:
            return await self._connection.request(method, params, timeout=timeout)
        except ResponseError as error:
            logger.info("the client did not answer %s: code %s", method, error.code)
        except (ConnectionClosed, TimeoutError):
            pass
        return None

    def indexing(self, folder: str, rows: int | None, stop: Callable[[], None]) -> None:
        """An encrypted store is indexed in the background."""
        self.index_progress.tell(folder, rows, stop)

    async def choose(self, question: str, titles: Sequence[str]) -> str | None:
        """Let its user choose one of `titles`."""
        return await self._window.choose(question, titles)

    # -- documents

    async def ready(self) -> None:
        """All that it has said of its documents so far is known here."""
        await self._server.settle()

    def document(self, path: Path) -> Document | None:
        """The open document of a file; what it differs in from the disk are unsaved changes."""
        found = self._open(path)
        if found is None:
            return None
        text = found.source
        return Document(text=text, version=found.version or 0, dirty=_on_disk(path) != text)

    def _open(self, path: Path) -> TextDocument | None:
        server = self._server.loaded
        if server is None:
            return None
        documents: Mapping[str, TextDocument] = server.workspace.text_documents
        return next((document for uri, document in documents.items() if _names(uri, path)), None)

    async def edit(self, path: Path, *, before: str, after: str, version: int | None) -> EditResult:
        """Change an open document by `workspace/applyEdit`, then put the same text on disk if it was clean."""
        if not self._edits:
            return EditResult.UNAVAILABLE
        async with self._editing:
            found, document = self._open(path), self.document(path)
            if found is None or document is None:
                return EditResult.UNAVAILABLE
            if document.text != before or version not in (None, document.version):
                return EditResult.STALE
            params = {"label": LABEL, "edit": self._workspace_edit(found.uri, document, after)}
            answer = await self.ask("workspace/applyEdit", params, timeout=EDIT_S)
            if not isinstance(answer, dict) or answer.get("applied") is not True:
                return EditResult.REFUSED
            if not await self._arrived(path, after):
                return EditResult.STALE
            if not document.dirty:
                await asyncio.to_thread(_save, path, before, after)
            return EditResult.APPLIED

    def _workspace_edit(self, uri: str, document: Document, after: str) -> dict[str, Any]:
        edits = [changed_stretch(document.text, after, self._encoding)]
        if not self._versioned:
            return {"changes": {uri: edits}}
        return {"documentChanges": [{"textDocument": {"uri": uri, "version": document.version}, "edits": edits}]}

    async def _arrived(self, path: Path, after: str) -> bool:
        """Wait until the editor has said that its document has the text."""
        try:
            async with asyncio.timeout(EDIT_S):
                while (found := self._open(path)) is not None:
                    if found.source == after:
                        return True
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            logger.warning("the client has not told of an edit that it applied")
        return False

    # -- language servers

    async def language(self, name: str, params: Mapping[str, Any]) -> Any | None:
        """Ask the editor's language servers by `kore/lsp/<name>`."""
        if name not in self._bridge:
            return None
        answer = await self.ask(f"kore/lsp/{name}", self._in_its_encoding(params), timeout=LANGUAGE_S)
        about = within(params, "textDocument", "uri")
        return in_utf16(answer, about if isinstance(about, str) else "", self._encoding, self._text_of)

    def _text_of(self, uri: str) -> str | None:
        try:
            path = path_of(uri)
        except FolderNotFound:
            return None
        document = self._open(path)
        return document.source if document is not None else _on_disk(path)

    def _in_its_encoding(self, params: Mapping[str, Any]) -> dict[str, Any]:
        position = params.get("position")
        uri = within(params, "textDocument", "uri")
        if self._encoding == "utf-16" or not isinstance(position, dict) or not isinstance(uri, str):
            return dict(params)
        path = path_of(uri)
        document = self._open(path)
        text = document.source if document is not None else _on_disk(path)
        lines = (text or "").split("\n")
        line = position.get("line", 0)
        if not 0 <= line < len(lines):
            return dict(params)
        character = from_utf16(lines[line], position.get("character", 0), self._encoding)
        return {**params, "position": {"line": line, "character": character}}


def _names(uri: str, path: Path) -> bool:
    """Whether a document's URI means this file."""
    if not uri.startswith("file:"):
        return False
    try:
        found = path_of(uri)
        return found == path or os.path.realpath(found) == str(path)
    except (KoreError, ValueError):  # whatever is wrong with a client's URI, it is not this file
        return False


def _on_disk(path: Path) -> str | None:
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        return None


def _save(path: Path, before: str, after: str) -> None:
    """Write a text in the place of another; what can't be written stays unsaved in the editor, as it is there."""
    try:
        descriptor = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0))
        with os.fdopen(descriptor, "r+b") as file:
            if file.read() != before.encode():
                return
            file.seek(0)
            file.write(after.encode())
            file.truncate()
    except OSError as error:
        logger.warning("a file changed in the editor can't be saved: %s", type(error).__name__)
