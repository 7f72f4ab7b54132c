"""Which workspace folders a client opens and closes, read from params as they came."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def opened_at_start(params: Any) -> list[str]:
    """The folder URIs of an `initialize`: `workspaceFolders`; where that is null `rootUri` or `rootPath`; or none."""
    folders = params.get("workspaceFolders")
    if folders is not None:
        return _uris(folders)
    root = params.get("rootUri")
    if isinstance(root, str) and root:
        return [root]
    path = params.get("rootPath")
    return [Path(path).as_uri()] if isinstance(path, str) and Path(path).is_absolute() else []


def changed(params: Any) -> tuple[list[str], list[str]]:
    """The folder URIs of a `workspace/didChangeWorkspaceFolders`, as (closed, opened)."""
    event = params.get("event") if isinstance(params, dict) else None
    if not isinstance(event, dict):
        return [], []
    return _uris(event.get("removed")), _uris(event.get("added"))


def _uris(folders: Any) -> list[str]:
    if not isinstance(folders, list):
        return []
    uris = (folder.get("uri") for folder in folders if isinstance(folder, dict))
    return list(dict.fromkeys(uri for uri in uris if isinstance(uri, str) and uri))
