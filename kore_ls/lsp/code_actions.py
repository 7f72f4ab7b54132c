"""`textDocument/codeAction`: sessions in the menu of editors that have no plugin of ours. Changes nothing itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from kore_ls.errors import KoreError
from kore_ls.lsp.capabilities import within
from kore_ls.lsp.errands import ASK, FIX, NEW, SEARCH, SHOW, contains
from kore_ls.lsp.selection import selected, word_at
from kore_ls.lsp.words import Words
from kore_ls.model.display import shortened, visible
from kore_ls.rpc.connection import Connection
from kore_ls.rpc.methods import MethodTable

NAME_CHARS = 40
FIXES = 3
QUERY_CHARS = 200
_ANY, _FIX = "", "quickfix"


class CodeActions:
    """The actions of one connection; `folders` gives the URIs of its open workspace folders."""

    def __init__(
        self,
        connection: Connection,
        table: MethodTable,
        folders: Callable[[], Sequence[str]],
        text_of: Callable[[str], Awaitable[str | None]],
        encoding: str,
        words: Words,
    ) -> None:
        self._connection = connection
        self._table = table
        self._folders = folders
        self._text_of = text_of
        self._encoding = encoding
        self._words = words

    async def offer(self, document: str, range_: Any, context: Any) -> list[dict[str, Any]]:
        """Commands, as LSP has them, for a place in a document of an open folder; of other documents there are none."""
        around = [each for each in self._folders() if contains(each, document)]
        only = within(context, "only")
        kinds = only if isinstance(only, list) else [_ANY]
        actions: list[dict[str, Any]] = []
        if around and (_ANY in kinds or _FIX in kinds):
            actions += self._fixes(document, within(context, "diagnostics"))
        if around and _ANY in kinds:
            actions += await self._about_text(document, range_)
            actions += await self._about_sessions(document, max(around, key=len))
        return actions

    def _fixes(self, document: str, diagnostics: Any) -> list[dict[str, Any]]:
        problems = [each for each in diagnostics if _is_problem(each)] if isinstance(diagnostics, list) else []
        return [
            _action(
                self._words.fix.format(problem=shortened(visible(each["message"]), NAME_CHARS)),
                FIX,
                {"uri": document, "range": each["range"], "text": each["message"]},
            )
            for each in problems[:FIXES]
        ]

    async def _about_text(self, document: str, range_: Any) -> list[dict[str, Any]]:
        text = await self._text_of(document)
        if text is None:
            return []
        selection = selected(text, range_, self._encoding)
        actions = []
        if selection is not None:
            actions.append(_action(self._words.ask, ASK, {"uri": document, "range": range_}))
        words = selection.text if selection is not None else word_at(text, range_, self._encoding)
        words = " ".join(words.split())[:QUERY_CHARS]
        if words:
            title = self._words.search.format(words=shortened(visible(words), NAME_CHARS))
            actions.append(_action(title, SEARCH, {"uri": document, "text": words}))
        return actions

    async def _about_sessions(self, document: str, folder: str) -> list[dict[str, Any]]:
        actions = [_action(self._words.create, NEW, document)]
        active = await self._read("kore/session/current", {"folder": folder})
        if "id" in active:
            actions.append(_action(self._words.switch, "kore.session.switch", document))
            actions.append(_action(self._words.show, SHOW, document))
        if active.get("status") == "running":
            name = shortened(visible(active["name"]), NAME_CHARS)
            stop = {"sessionId": active["id"], "folder": folder}
            actions.append(_action(self._words.stop.format(name=name), "kore.turn.cancel", stop))
        return actions

    async def _read(self, name: str, params: dict[str, Any]) -> dict[str, Any]:
        """A method's result; empty where the folder's store can't be read."""
        method = self._table.get(name)
        if method is None:
            return {}
        try:
            result: dict[str, Any] = self._connection.encode(await self._connection.call(method, params))
        except KoreError:
            return {}
        return result


def _action(title: str, command: str, argument: str | dict[str, Any]) -> dict[str, Any]:
    return {"title": title, "command": command, "arguments": [argument]}


def _is_problem(diagnostic: Any) -> bool:
    message = within(diagnostic, "message")
    return isinstance(message, str) and bool(message.strip()) and isinstance(within(diagnostic, "range"), dict)
