"""The clients that have one folder open: who is asked, whose editor changes files, and whether all trust the folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kore_ls.model.document import Document, EditResult
from kore_ls.model.ids import SessionId
from kore_ls.sessions.client import Client
from kore_ls.sessions.trust import TrustList

_QUESTION = {
    "en": "Do you trust the folder {name}? In a folder that is not trusted, agents may only read.",
    "zh": "是否信任文件夹 {name}？在不受信任的文件夹中，智能体只能读取。",
}
_WORDS = {"en": ("Trust", "Don't trust"), "zh": ("信任", "不信任")}


class FolderClients:
    """One folder's clients, each with its word about trust (None: the user's own list decides)."""

    def __init__(self, folder: Path, trust: TrustList) -> None:
        self._folder = folder
        self._trust = trust
        self._clients: dict[object, Client | None] = {}
        self._words: dict[object, bool | None] = {}
        self._active: dict[object, Callable[[], SessionId | None]] = {}
        self._asked = False

    def join(
        self, key: object, client: Client | None, trusted: bool | None, active: Callable[[], SessionId | None]
    ) -> None:
        """A connection has opened the folder; `client` is None for one that only calls methods.

        `active` tells the session that is active there.
        """
        self._clients[key] = client
        self._words[key] = trusted
        self._active[key] = active

    def leave(self, key: object) -> None:
        """A connection has closed the folder."""
        self._clients.pop(key, None)
        self._words.pop(key, None)
        self._active.pop(key, None)

    def active(self) -> frozenset[SessionId]:
        """The sessions that are active in a connection."""
        return frozenset(filter(None, (each() for each in self._active.values())))

    def trusted(self) -> bool:
        """Whether every connection trusts the folder."""
        words = set(self._words.values()) or {None}
        return False not in words and (None not in words or self._trust.trusted(self._folder) is True)

    async def ask_about_trust(self, key: object, locale: str | None) -> None:
        """Ask the user once about a folder that nobody said anything of; raises StoreReadOnly."""
        client = self._clients.get(key)
        if self._asked or client is None or set(self._words.values()) != {None}:
            return
        if self._trust.trusted(self._folder) is not None:
            return
        self._asked = True
        language = "zh" if (locale or "").lower().startswith("zh") else "en"
        yes, no = _WORDS[language]
        name = "".join(char if char.isprintable() else "\ufffd" for char in self._folder.name)
        word = await client.choose(_QUESTION[language].format(name=name), [yes, no])
        if word == yes:
            self._trust.trust(self._folder)
        elif word == no:
            self._trust.distrust(self._folder)

    async def ready(self) -> None:
        """What the clients have said of their documents so far is known here."""
        for client in list(self._clients.values()):
            if client is not None:
                await client.ready()

    # -- the editors, as `agents.ports.Editor` wants them; `first` is the client that started the turn

    def _in_order(self, first: object) -> Sequence[Client]:
        chosen = self._clients.get(first)
        others = [each for key, each in self._clients.items() if each is not None and key is not first]
        return ([] if chosen is None else [chosen]) + others

    def document(self, path: Path, first: object) -> Document | None:
        """The open document of a file; one with unsaved changes before others."""
        found = [document for each in self._in_order(first) if (document := each.document(path)) is not None]
        return next((each for each in found if each.dirty), found[0] if found else None)

    async def edit(self, path: Path, first: object, *, before: str, after: str, version: int | None) -> EditResult:
        """Change a document in the first editor that has it open."""
        for client in self._in_order(first):
            document = client.document(path)
            if document is not None and (version is None or document.version == version):
                return await client.edit(path, before=before, after=after, version=version)
        return EditResult.UNAVAILABLE if version is None else EditResult.STALE

    async def language(self, first: object, name: str, params: Mapping[str, Any]) -> Any | None:
        """The answer of the first editor that has one."""
        for client in self._in_order(first):
            answer = await client.language(name, params)
            if answer is not None:
                return answer
        return None
