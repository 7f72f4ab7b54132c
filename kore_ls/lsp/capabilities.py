"""What the server says it can do, known without loading what does it. A test compares it with what pygls would say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kore_ls.model.agent_settings import BACKENDS
from kore_ls.rpc.methods import PROTOCOL_VERSION

_ENCODINGS = ("utf-8", "utf-16", "utf-32")


def capabilities(client: Any, methods: Iterable[str], events: Iterable[str], commands: Iterable[str]) -> dict[str, Any]:
    """The `capabilities` of an `initialize` result, for a client with these capabilities."""
    return {
        "positionEncoding": position_encoding(client),
        "textDocumentSync": {"openClose": True, "change": 2, "save": False},
        "executeCommandProvider": {"commands": list(commands)},
        "workspace": {
            "workspaceFolders": {"supported": True, "changeNotifications": True},
            "fileOperations": {},
        },
        "experimental": {
            "kore": {
                "version": PROTOCOL_VERSION,
                "methods": list(methods),
                "events": list(events),
                "backends": list(BACKENDS),
            }
        },
    }


def position_encoding(client: Any) -> str:
    """The first of the client's encodings that we know; LSP's own, utf-16, if there is none."""
    offered = within(client, "general", "positionEncodings")
    known = (each for each in offered if each in _ENCODINGS) if isinstance(offered, list) else iter(())
    return next(known, "utf-16")


def asks_for_settings(client: Any) -> bool:
    """Whether the client answers `workspace/configuration`."""
    return within(client, "workspace", "configuration") is True


def within(value: Any, *keys: str) -> Any:
    """What lies under these keys, or None where the path breaks off."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
