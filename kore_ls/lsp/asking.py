"""What a command called bare lacks, and how its user is asked for it: by choices, for no editor offers more."""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints
from urllib.parse import unquote

from attrs import NOTHING, fields, frozen

from kore_ls.lsp.window import Window
from kore_ls.model.display import shortened, visible
from kore_ls.rpc.codec import camel
from kore_ls.rpc.connection import Connection
from kore_ls.rpc.methods import Method, MethodTable

CHOICES = 10
TITLE_CHARS = 60

_DELETED_ONLY = frozenset({"kore/session/restore"})
_WITH_TEXT = {"kore/session/export": ["path"]}
"""Optional texts without which a bare call's result would be of no use: nobody would get the document."""


@frozen(kw_only=True)
class Chosen:
    """What a user chose: params of the call, and the name of the session it is about."""

    params: dict[str, Any]
    name: str | None = None


@frozen(kw_only=True)
class Lacking:
    """The params, by Python name, that a bare call must be asked for."""

    choices: tuple[str, ...]
    texts: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.choices or self.texts)


def lacking(method: Method) -> Lacking:
    """What must be known before `method` makes sense.

    Its required params; a session where one or several may be named or where it destroys something; and, where a
    session is asked for, the words that could be changed in it.
    """
    own = {a.name: a for a in fields(method.params)}
    needed = [name for name in own if own[name].default is NOTHING]
    if "session_id" in own and "session_id" not in needed and ("session_ids" in own or method.confirm):
        needed.insert(0, "session_id")
    if "session_id" in needed:
        needed += [name for name in own if own[name].default is None and words_of(method, name)]
    needed += _WITH_TEXT.get(method.name, [])
    texts = tuple(name for name in needed if name != "session_id" and not words_of(method, name))
    return Lacking(choices=tuple(name for name in needed if name not in texts), texts=texts)


def words_of(method: Method, name: str) -> list[str]:
    """The words a param may have, if it is an enum; else none."""
    type_ = get_type_hints(method.params)[name]
    options = get_args(type_) if get_origin(type_) in (Union, types.UnionType) else (type_,)
    for option in options:
        if isinstance(option, type) and issubclass(option, Enum):
            return [str(member.value) for member in option]
    return []


class Asking:
    """Asks the user of one connection."""

    def __init__(
        self, connection: Connection, table: MethodTable, window: Window, folders: Callable[[], Sequence[str]]
    ) -> None:
        self._connection = connection
        self._table = table
        self._window = window
        self._folders = folders

    async def choices(self, method: Method) -> Chosen | None:
        """What the user chose for what `method` lacks; None if they let it be."""
        chosen: dict[str, Any] = {}
        session: dict[str, Any] | None = None
        for name in lacking(method).choices:
            if name == "session_id":
                session = await self._session(method)
                if session is None:
                    return None
                chosen |= {"sessionId": session["id"], "folder": session["folder"]}
            else:
                word = await self._window.choose(f"{label(method)}: {camel(name)}", words_of(method, name))
                if word is None:
                    return None
                chosen[camel(name)] = word
        if method.confirm and await self._window.choose(method.confirm, ["Yes", "No"]) != "Yes":
            return None
        return Chosen(params=chosen, name=session["name"] if session is not None else None)

    async def folder(self, method: Method) -> str | None:
        """The URI of one of the open workspace folders."""
        titles = _distinct([(folder, _last_part(folder)) for folder in self._folders()])
        title = await self._window.choose(f"{label(method)}: choose a folder", list(titles))
        return titles[title] if title is not None else None

    async def _session(self, method: Method) -> dict[str, Any] | None:
        """One of the newest sessions; told where there is none."""
        listing = {"limit": CHOICES} | ({"deleted": True} if method.name in _DELETED_ONLY else {})
        page = self._connection.encode(await self._connection.call(self._table["kore/session/list"], listing))
        sessions = {session["id"]: session for session in page["sessions"]}
        if not sessions:
            self._window.show(f"{label(method)}: there is no session to choose.")
            return None
        titles = _distinct([(id_, self._title(session)) for id_, session in sessions.items()])
        title = await self._window.choose(f"{label(method)}: choose a session", list(titles))
        return sessions[titles[title]] if title is not None else None

    def _title(self, session: dict[str, Any]) -> str:
        title = shortened(visible(session["name"]), TITLE_CHARS)
        if len(self._folders()) > 1:
            title += f" [{_last_part(session['folder'])}]"
        return f"{title} (active)" if session.get("active") else title


def label(method: Method) -> str:
    """`Session rename` for `kore/session/rename`."""
    _, *words = method.name.split("/")
    return " ".join(words).capitalize()


def instruction(method: Method, names: Sequence[str]) -> str:
    """How to give a command what no choice can: as one object argument."""
    example = ", ".join(f'"{camel(name)}": …' for name in names)
    return f"{label(method)}: call {method.command} with one object, {{{example}}}."


def _last_part(uri: str) -> str:
    return visible(unquote(uri.rstrip("/").rpartition("/")[2])) or visible(uri)


def _distinct(named: list[tuple[str, str]]) -> dict[str, str]:
    """Keys by titles that are all different: one that was there before gets the end of its key."""
    titles: dict[str, str] = {}
    for key, title in named:
        titles[f"{title} ({key[-8:]})" if title in titles else title] = key
    return titles
