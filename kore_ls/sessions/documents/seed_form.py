"""Documents of the Go system that Kore LS descends from: their spellings of the names that the import knows.

The same snake_case names, or Go field names (`AgentMode`, `SessionID`), or lowerCamel ones. Checks nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_Names = Mapping[str, str]


def _names(keys: str) -> _Names:
    return {key.replace("_", ""): key for key in keys.split()}


_SESSION = _names(
    "id name agent_mode status created_at updated_at metadata tags description pinned archived parent_id "
    "forked_at_seq usage messages exported_at"
)
_MESSAGE = _names("id session_id seq role content timestamp metadata turn_id state thinking tool_calls")


def session_in_our_names(document: Mapping[Any, Any]) -> dict[Any, Any]:
    """A session's top level with the names of our own form; unknown names stay as they are."""
    return _renamed(document, _SESSION)


def message_in_our_names(entry: Mapping[Any, Any]) -> dict[Any, Any]:
    """A message with the names of our own form."""
    return _renamed(entry, _MESSAGE)


def sessions_in(document: Mapping[Any, Any]) -> Iterable[Any] | None:
    """The sessions of a document that is only a list of them, else None."""
    for key in ("sessions", "Sessions"):
        if isinstance(document.get(key), list) and "messages" not in map(_plain, document):
            return list(document[key])
    return None


def _renamed(entry: Mapping[Any, Any], names: _Names) -> dict[Any, Any]:
    renamed: dict[Any, Any] = {}
    for key, value in entry.items():
        name = names.get(_plain(key), key)
        # Of two spellings of one name our own wins; the other is kept as an unknown one.
        taken = name != key and (name in entry or name in renamed)
        renamed[key if taken else name] = value
    return renamed


def _plain(key: Any) -> str:
    return key.replace("_", "").lower() if isinstance(key, str) else ""
