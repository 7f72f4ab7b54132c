"""`textDocument/codeAction`: sessions in the menu of editors that have no plugin of ours. Changes nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kore_ls.errors import KoreError
from kore_ls.model.display import shortened, visible
from kore_ls.rpc.connection import Connection
from kore_ls.rpc.methods import MethodTable

NAME_CHARS = 40

_ENGLISH = {"create": "Kore: new session", "switch": "Kore: switch session", "cancel": "Kore: stop “{name}”"}
_CHINESE = {"create": "Kore：新建会话", "switch": "Kore：切换会话", "cancel": "Kore：停止“{name}”"}


class CodeActions:
    """The actions of one connection; `folders` gives the URIs of its open workspace folders."""

    def __init__(
        self, connection: Connection, table: MethodTable, folders: Callable[[], Sequence[str]], locale: str | None
    ) -> None:
        self._connection = connection
        self._table = table
        self._folders = folders
        self._titles = _CHINESE if (locale or "").casefold().startswith("zh") else _ENGLISH

    async def offer(self, document: str) -> list[dict[str, Any]]:
        """Commands, as LSP has them, for a document's folder; of other documents there are none."""
        around = [each for each in self._folders() if document.startswith(each.rstrip("/") + "/")]
        if not around:
            return []
        folder = max(around, key=len)
        actions = [self._action("create", "kore.session.create", document)]
        active = await self._read("kore/session/current", {"folder": folder})
        if "id" in active:
            actions.append(self._action("switch", "kore.session.switch", document))
        if active.get("status") == "running":
            stop = {"sessionId": active["id"], "folder": folder}
            name = shortened(visible(active["name"]), NAME_CHARS)
            actions.append(self._action("cancel", "kore.turn.cancel", stop, name=name))
        return actions

    def _action(self, title: str, command: str, argument: str | dict[str, Any], **values: str) -> dict[str, Any]:
        return {"title": self._titles[title].format(**values), "command": command, "arguments": [argument]}

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
