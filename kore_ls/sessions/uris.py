"""Folder URIs to paths and back. Touches no file."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from kore_ls.errors import FolderNotFound


def path_of(uri: str) -> Path:
    """The path of a `file:` URI (editors differ in what they percent-encode). Raises FolderNotFound for others."""
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise FolderNotFound from error
    if parts.scheme != "file" or "\0" in uri or "%00" in uri:
        raise FolderNotFound("only folders with a file: URI can have sessions")
    path = _windows_path(parts.netloc, parts.path) if os.name == "nt" else unquote(parts.path)
    if not path or not Path(path).is_absolute():
        raise FolderNotFound
    return Path(path)


def _windows_path(server: str, path: str) -> str:
    from urllib.request import url2pathname  # brings HTTP and TLS along

    return f"//{server}{url2pathname(path)}" if server else url2pathname(path)


def real_path(path: Path) -> Path:
    """Where a path leads when all links are followed; where they lead in circles, as far as they go."""
    return Path(os.path.realpath(path))


def uri_of(path: Path) -> str:
    """The `file:` URI of an absolute path."""
    return path.absolute().as_uri()
