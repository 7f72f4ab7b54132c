"""The `kore.action.*` commands: what code actions run in editors that know standard LSP alone.

Questions are choices, answers are transcripts shown as documents, waiting is progress. Nothing here waits within the
command itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import unquote

from attrs import frozen

from kore_ls.api.progress import Progress
from kore_ls.errors import FolderNotFound, FolderRequired, InvalidParams
from kore_ls.lsp.selection import Selection, around, selected
from kore_ls.lsp.transcripts import Transcripts
from kore_ls.lsp.window import Window
from kore_ls.lsp.words import Words
from kore_ls.model.display import shortened, visible
from kore_ls.model.event import Event, EventType, ToolCallChanged, TurnFinished
from kore_ls.model.search import SearchQuery
from kore_ls.model.turn import StopReason
from kore_ls.rpc.connection import Connection
from kore_ls.rpc.faults import ConnectionClosed, ResponseError
from kore_ls.rpc.methods import MethodTable
from kore_ls.sessions.workspace import OpenFolder, Workspace

NEW, ASK, FIX, SEARCH, SHOW = (f"kore.action.{word}" for word in ("new", "ask", "fix", "search", "show"))
COMMANDS = (NEW, ASK, FIX, SEARCH, SHOW)
HITS = 10
TITLE_CHARS = 100
CREATE_S = 10.0
TOLD = (EventType.TOOL_START, EventType.TOOL_UPDATE)


@frozen(kw_only=True)
class _Place:
    """Where a command was called: a document's URI, a range in it, and what is asked there, as far as was told."""

    folder: OpenFolder
    uri: str | None
    range: Any
    text: str | None


class Errands:
    """The commands of one connection; `progress` says whether its client shows progress."""

    def __init__(
        self,
        connection: Connection,
        table: MethodTable,
        transcripts: Transcripts,
        workspace: Callable[[], object],
        text_of: Callable[[str], Coroutine[Any, Any, str | None]],
        *,
        encoding: str,
        progress: bool,
        words: Words,
    ) -> None:
        self._connection = connection
        self._table = table
        self._transcripts = transcripts
        self._workspace = workspace
        self._text_of = text_of
        self._encoding = encoding
        self._progress = progress
        self._words = words
        self._window = Window(connection)
        self._tokens: dict[str, dict[str, Any]] = {}

    async def now(self, argument: Any) -> Any:
        """Run `kore.action.new`, which needs no user: the new session. Raises KoreError."""
        place = await self._place(argument)
        session = await self._call("kore/session/create", {"folder": place.folder.uri})
        self._window.show(self._words.started.format(name=visible(session["name"])))
        return session

    async def later(self, name: str, argument: Any) -> None:
        """Run any other command, however long it takes. Raises KoreError."""
        place = await self._place(argument)
        await {ASK: self._ask, FIX: self._fix, SEARCH: self._search, SHOW: self._show}[name](place)

    def knows(self, token: Any) -> bool:
        """Whether a progress is one of ours."""
        return isinstance(token, str) and token in self._tokens

    async def cancelled(self, token: str) -> None:
        """The user stopped one of our progresses: cancel its turn. Raises KoreError."""
        session = self._tokens.pop(token, None)
        if session is not None:
            await self._call("kore/turn/cancel", session)

    async def _place(self, argument: Any) -> _Place:
        """Read a command's argument: nothing, a document's URI or {uri, range, text}. Raises KoreError."""
        await self._connection.let_through()
        given = {"uri": argument} if isinstance(argument, str) else argument or {}
        uri, text = given.get("uri"), given.get("text")
        if not isinstance(uri, str | None) or not isinstance(text, str | None):
            raise InvalidParams(["params.arguments[0]: uri and text must be strings"])
        workspace = self._workspace()
        if not isinstance(workspace, Workspace):
            raise FolderNotFound
        holding = [each for each in workspace.folders if uri is not None and contains(each.uri, uri)]
        if not holding and uri is not None:
            raise FolderNotFound
        folder = max(holding, key=lambda each: len(each.uri)) if holding else await self._folder(workspace)
        return _Place(folder=folder, uri=uri, range=given.get("range"), text=text)

    async def _folder(self, workspace: Workspace) -> OpenFolder:
        if len(workspace.folders) <= 1:
            return workspace.folder(None)
        titles = {visible(unquote(each.uri)): each for each in workspace.folders}
        title = await self._window.choose(self._words.which_folder, list(titles))
        if title is None:
            raise FolderRequired
        return titles[title]

    # -- what the user asks for

    async def _ask(self, place: _Place) -> None:
        selection = await self._selection(place)
        if selection is None and place.text is None:
            return self._window.show(self._words.select_first)
        prompt = place.text
        if prompt is None:
            chosen = await self._window.choose(self._words.what_about_it, [*self._words.questions, self._words.itself])
            if chosen is None:
                return None
            prompt = chosen
            if chosen == self._words.itself and selection is not None:
                prompt, selection = selection.text, None
        await self._turn(place, prompt, selection)
        return None

    async def _fix(self, place: _Place) -> None:
        text = await self._text_of(place.uri) if place.uri is not None else None
        problem = around(text, place.range) if text is not None else None
        if problem is None or place.text is None:
            raise InvalidParams(["params.arguments[0]: uri, range and text are needed"])
        assert place.uri is not None
        name = unquote(place.uri.removeprefix(place.folder.uri.rstrip("/") + "/"))
        prompt = self._words.fix_prompt.format(name=name, line=place.range["start"]["line"] + 1, problem=place.text)
        await self._turn(place, prompt, problem)

    async def _search(self, place: _Place) -> None:
        selection = None if place.text is not None else await self._selection(place)
        words = " ".join((place.text or (selection.text if selection else "")).split())
        if not words:
            return self._window.show(self._words.search_first)
        page = await place.folder.manager.search(SearchQuery(text=words, limit=HITS))
        found = [(hit.session, match) for hit in page.hits for match in hit.matches][:HITS]
        titles = {
            f"{number}. {shortened(visible(session.name), 30)}: {shortened(visible(match.snippet), TITLE_CHARS)}": (
                session,
                match,
            )
            for number, (session, match) in enumerate(found, start=1)
        }
        if not titles:
            return self._window.show(self._words.nothing_found)
        title = await self._window.choose(self._words.found, list(titles))
        if title is not None:
            session, match = titles[title]
            await self._transcripts.show(place.folder, session.id, match.seq)
        return None

    async def _show(self, place: _Place) -> None:
        session = await self._call("kore/session/current", {"folder": place.folder.uri})
        if "id" not in session:
            return self._window.show(self._words.no_session)
        await self._transcripts.show(place.folder, session["id"], session["messageCount"])
        return None

    async def _selection(self, place: _Place) -> Selection | None:
        text = await self._text_of(place.uri) if place.uri is not None else None
        return selected(text, place.range, self._encoding) if text is not None else None

    # -- a turn, from its prompt to its transcript

    async def _turn(self, place: _Place, prompt: str, about: Selection | None) -> None:
        session = await self._call("kore/session/current", {"folder": place.folder.uri, "create": True})
        if session["status"] == "closed":
            session = await self._call("kore/session/switch", {"sessionId": session["id"], "folder": place.folder.uri})
        named = {"sessionId": session["id"], "folder": place.folder.uri}
        context = [{"uri": place.uri, "range": about.range, "text": about.text}] if about is not None else []
        heard: asyncio.Queue[Event] = asyncio.Queue()
        stop = place.folder.manager.events.listen(
            lambda event: heard.put_nowait(event) if event.session_id == session["id"] else None
        )
        try:
            params = named | {"prompt": prompt, "context": context, "whenBusy": "queue"}
            started = await self._call("kore/turn/start", params)
            finished = await self._follow(heard, started["turnId"], named, visible(session["name"]))
        finally:
            stop()
        if finished.stop_reason is not StopReason.END_TURN:
            self._window.show(self._words.ended.format(reason=finished.stop_reason.value))
        last = await self._call("kore/session/get", named)
        await self._transcripts.show(place.folder, session["id"], last["messageCount"])

    async def _follow(
        self, heard: asyncio.Queue[Event], turn_id: str, session: dict[str, Any], name: str
    ) -> TurnFinished:
        """Show what the agent does, as progress that can be cancelled, until its turn has ended.

        A turn that waits is dropped without a word of its own when the one before it is cancelled.
        """
        begun = False
        token = await self._token(turn_id)
        self._tokens |= {token: session} if token is not None else {}
        try:
            with Progress(self._connection.notify, token, f"Kore: {shortened(name, TITLE_CHARS)}") as progress:
                while True:
                    event = await heard.get()
                    begun = begun or event.turn_id == turn_id
                    if isinstance(event.data, TurnFinished) and (
                        event.turn_id == turn_id or (not begun and event.data.stop_reason is StopReason.CANCELLED)
                    ):
                        return event.data
                    if event.type in (EventType.TOOL_START, EventType.TOOL_UPDATE) and isinstance(
                        event.data, ToolCallChanged
                    ):
                        progress.report(shortened(visible(event.data.tool_call.title), TITLE_CHARS))
        finally:
            self._tokens.pop(token or "", None)

    async def _token(self, turn_id: str) -> str | None:
        if not self._progress:
            return None
        token = f"kore-{turn_id}"
        try:
            await self._connection.request("window/workDoneProgress/create", {"token": token}, timeout=CREATE_S)
        except (ResponseError, ConnectionClosed, TimeoutError):
            return None
        return token

    async def _call(self, name: str, params: dict[str, Any]) -> dict[str, Any]:
        given = {key: value for key, value in params.items() if value is not None}
        result: dict[str, Any] = self._connection.encode(await self._connection.call(self._table[name], given))
        return result


def contains(folder: str, document: str) -> bool:
    """Whether a document's URI lies in a folder's."""
    return document.startswith(folder.rstrip("/") + "/")
