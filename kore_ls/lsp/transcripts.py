"""Sessions as documents of editors without a plugin: shown as view files or by `kore:` URIs, with outline and folds.

Writes no file about an encrypted store; reads no view file back.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

from attrs import frozen

from kore_ls.errors import KoreError, SessionNotFound
from kore_ls.lsp import outline
from kore_ls.lsp.capabilities import within
from kore_ls.lsp.window import Window
from kore_ls.model.event import Event, EventType
from kore_ls.model.ids import SessionId
from kore_ls.rpc.connection import Connection
from kore_ls.rpc.faults import ConnectionClosed, ResponseError
from kore_ls.sessions.documents.view import PART, VIEWS, read_part, write_view
from kore_ls.sessions.uris import path_of, uri_of
from kore_ls.sessions.workspace import OpenFolder, Workspace

SCHEME = "kore"
REFRESH_S = 0.2
_URI = re.compile(r"kore:/*session/([A-Za-z0-9_-]{1,64})/(\d{1,6})\.md$")
_CHANGES = frozenset({EventType.MESSAGE_ADDED, EventType.SESSION_UPDATED, EventType.STORE_CHANGED})


@frozen(kw_only=True)
class Abilities:
    """What a client said it can do with documents that the server names."""

    content: bool
    show: bool
    hierarchical: bool

    @classmethod
    def of(cls, client: Any) -> Abilities:
        """Read them from the client's capabilities."""
        return cls(
            content=within(client, "workspace", "textDocumentContent") is not None,
            show=within(client, "window", "showDocument", "support") is True,
            hierarchical=within(client, "textDocument", "documentSymbol", "hierarchicalDocumentSymbolSupport") is True,
        )


class Transcripts:
    """The transcripts of one connection; `text_of` gives the text of an open document by its URI."""

    def __init__(
        self,
        connection: Connection,
        abilities: Abilities,
        workspace: Callable[[], object],
        text_of: Callable[[str], str | None],
    ) -> None:
        self._connection = connection
        self._window = Window(connection)
        self._abilities = abilities
        self._workspace = workspace
        self._text_of = text_of
        self._given: dict[str, tuple[OpenFolder, SessionId]] = {}
        self._listening: dict[int, Callable[[], None]] = {}
        self._refreshing: set[asyncio.Task[None]] = set()
        self._stale: set[str] = set()

    def symbols(self, uri: str) -> list[dict[str, Any]]:
        """The outline of a transcript that is open; of other documents there is none."""
        text = self._text_of(uri) if _is_transcript(uri) else None
        if text is None:
            return []
        return outline.symbols(text) if self._abilities.hierarchical else outline.flat_symbols(text, uri)

    def folds(self, uri: str) -> list[dict[str, Any]]:
        """The folds of a transcript that is open."""
        text = self._text_of(uri) if _is_transcript(uri) else None
        return outline.folds(text) if text is not None else []

    async def content(self, uri: str) -> dict[str, Any]:
        """The text behind a `kore:` URI; the client is told when it changes. Raises SessionNotFound, StoreLocked."""
        found, workspace = _URI.match(uri), self._workspace()
        if found is None or not isinstance(workspace, Workspace):
            raise SessionNotFound
        session_id, part = SessionId(found[1]), int(found[2])
        opened = await workspace.folder_of(session_id, None)
        text, _ = await read_part(opened.folder, session_id, (part - 1) * PART + 1)
        self._given[uri] = (opened, session_id)
        if id(opened) not in self._listening:
            listen = opened.manager.events.listen
            self._listening[id(opened)] = listen(lambda event: self._heard(opened, event))
        return {"text": text}

    async def show(self, opened: OpenFolder, session_id: SessionId, seq: int) -> None:
        """Show a message of a session in the editor; where that can't be done, the user is told where it is."""
        if self._abilities.content and self._abilities.show:
            _, lines = await read_part(opened.folder, session_id, seq)
            uri = f"{SCHEME}:/session/{session_id}/{max(seq - 1, 0) // PART + 1}.md"
        else:
            record = await opened.manager.storage.load_session(session_id)
            view = await write_view(opened.folder, record, seq)
            if view is None:
                return self._window.show(f"Kore: {_words(opened)} is encrypted; no file of its sessions is written")
            lines, uri = view.lines, uri_of(view.path)
        if not (self._abilities.show and await self._shown(uri, lines.get(seq, 0))):
            self._window.show(f"Kore: {path_of(uri) if uri.startswith('file:') else uri}")
        return None

    async def _shown(self, uri: str, line: int) -> bool:
        place = {"line": line, "character": 0}
        params = {"uri": uri, "takeFocus": True, "selection": {"start": place, "end": place}}
        try:
            answer = await self._connection.request("window/showDocument", params, timeout=30)
        except (ResponseError, ConnectionClosed, TimeoutError):
            return False
        return isinstance(answer, dict) and answer.get("success") is True

    def _heard(self, opened: OpenFolder, event: Event) -> None:
        if event.type not in _CHANGES:
            return
        about = {event.session_id, *event.sessions}
        stale = {
            uri for uri, (folder, id_) in self._given.items() if folder is opened and (id_ in about or about == {None})
        }
        if stale and not self._stale:
            task = asyncio.get_running_loop().create_task(self._refresh())
            self._refreshing.add(task)
            task.add_done_callback(self._refreshing.discard)
        self._stale |= stale

    async def _refresh(self) -> None:
        """Ask the client to read anew what has changed; changes that come close together count as one."""
        await asyncio.sleep(REFRESH_S)
        stale, self._stale = self._stale, set()
        for uri in sorted(stale):
            try:
                await self._connection.request("workspace/textDocumentContent/refresh", {"uri": uri}, timeout=30)
            except (ResponseError, ConnectionClosed, TimeoutError):
                self._given.pop(uri, None)

    async def close(self) -> None:
        """Tell nothing more."""
        for stop in self._listening.values():
            stop()
        for task in tuple(self._refreshing):
            task.cancel()
        await asyncio.gather(*self._refreshing, return_exceptions=True)


def _is_transcript(uri: str) -> bool:
    if uri.startswith(f"{SCHEME}:"):
        return _URI.match(uri) is not None
    try:
        path = path_of(uri)
    except KoreError:
        return False
    return path.suffix == ".md" and path.parent.name == VIEWS


def _words(opened: OpenFolder) -> str:
    return opened.folder.path.name if opened.folder.path.name.isprintable() else "the folder"
