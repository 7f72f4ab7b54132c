"""Writing exports and backups to files: beside their place, private, then renamed; never through a link, never half."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from kore_ls.errors import FolderNotFound, InvalidParams, StoreFull
from kore_ls.sessions.uris import path_of
from kore_ls.storage.home import within_store
from kore_ls.storage.interface import Storage


def target_path(text: str, folder: Path) -> Path:
    """Where a client's `path` points: a path (relative ones from the folder) or a `file:` URI. Raises InvalidParams."""
    if "\0" in text or not text.strip():
        raise InvalidParams(["params.path: is not a path"])
    try:
        path = path_of(text) if text.startswith("file:") else Path(text).expanduser()
    except (FolderNotFound, RuntimeError) as error:  # the latter for the home of a user that there is not
        raise InvalidParams(["params.path: is not a path"]) from error
    return path if path.is_absolute() else folder / path


def check_target(path: Path, *, overwrite: bool) -> None:
    """Raise InvalidParams unless a file may be written at `path`; never into a store, whose files may be open."""
    try:
        _check_target(path, overwrite=overwrite)
    except OSError as error:  # a name that is too long, a directory that may not be looked into
        raise InvalidParams(["params.path: can't be written"]) from error


def _check_target(path: Path, *, overwrite: bool) -> None:
    if path.is_symlink():
        raise InvalidParams(["params.path: is a link"])
    if path.exists() and not path.is_file():
        raise InvalidParams(["params.path: is not a file"])
    if path.exists() and not overwrite:
        raise InvalidParams(["params.path: exists; pass overwrite to replace it"])
    if not path.parent.is_dir():
        raise InvalidParams(["params.path: its directory does not exist"])
    if within_store(path):
        raise InvalidParams(["params.path: lies in the directory of a store"])


async def write_file(path: Path, pieces: AsyncIterator[bytes], *, overwrite: bool) -> int:
    """Write the pieces to `path` (0600) and return the bytes. Raises InvalidParams, StoreFull; then nothing is left."""
    check_target(path, overwrite=overwrite)
    beside = _beside(path)
    try:
        file = os.fdopen(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb")
    except OSError as error:
        raise InvalidParams(["params.path: can't be written"]) from error
    try:
        with file:
            size = 0
            async for piece in pieces:
                size += len(piece)
                await asyncio.to_thread(file.write, piece)
            await asyncio.to_thread(_to_disk, file)
        _put(beside, path, overwrite=overwrite)
    except OSError as error:
        raise StoreFull("the file can't be written to its end", reason=os.strerror(error.errno or 0)) from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
    return size


async def write_backup(storage: Storage, path: Path, *, overwrite: bool) -> int:
    """Write a store's verified copy to `path` (0600) and return the bytes. Raises InvalidParams and store errors."""
    check_target(path, overwrite=overwrite)
    beside = _beside(path)
    try:
        size = await storage.backup(beside)
        _put(beside, path, overwrite=overwrite)
    except OSError as error:
        raise InvalidParams(["params.path: can't be written"]) from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
    return size


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name[:50]}.{secrets.token_hex(6)}.tmp")


def _to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _put(beside: Path, path: Path, *, overwrite: bool) -> None:
    if overwrite:
        beside.replace(path)  # a link that appeared meanwhile is replaced, not followed
        return
    try:
        os.link(beside, path)  # fails, where a rename would replace what appeared meanwhile
    except FileExistsError:
        raise InvalidParams(["params.path: exists; pass overwrite to replace it"]) from None
    except OSError:  # a file system without hard links
        check_target(path, overwrite=False)
        beside.replace(path)
