"""Takes a turn's file changes back, where the files still are as the turn left them; touches nothing else."""

from __future__ import annotations

import asyncio
import os
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from kore_ls.errors import SessionBusy
from kore_ls.model.document import Document, EditResult
from kore_ls.model.ids import TurnId
from kore_ls.model.turn import FileSnapshot, TurnState
from kore_ls.sessions.turns.folder_workbench import FolderWorkbench
from kore_ls.storage.contents import content_name
from kore_ls.storage.snapshot_rows import MOST_BYTES

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


@frozen(kw_only=True)
class Reverted:
    """Paths as they are stored: of files that are (or, asked only, would be) as before, and of those that can't be."""

    reverted: tuple[str, ...]
    conflicts: tuple[str, ...]


async def revert_turn(bench: FolderWorkbench, turn_id: TurnId, *, dry_run: bool, starter: object) -> Reverted:
    """Bring back the files that a turn changed. Raises TurnNotFound, SessionBusy for a turn that runs."""
    turns = bench.manager.storage.turns
    turn = await turns.find(turn_id)
    if turn.state is TurnState.RUNNING:
        raise SessionBusy(sessionId=turn.session_id)
    return await revert_files(bench, await turns.snapshots(turn_id), dry_run=dry_run, starter=starter)


async def revert_files(
    bench: FolderWorkbench, snapshots: Sequence[FileSnapshot], *, dry_run: bool, starter: object
) -> Reverted:
    """Bring files back to what they were, the last one first; each path is to be named once."""
    turns = bench.manager.storage.turns
    reverted: list[str] = []
    conflicts: list[str] = []
    for snapshot in reversed(snapshots):
        content = await turns.content(snapshot.before) if snapshot.before is not None and snapshot.kept else None
        done = (snapshot.before is None or content is not None) and await _revert(
            bench, snapshot, content, dry_run=dry_run, starter=starter
        )
        (reverted if done else conflicts).append(snapshot.path)
    return Reverted(reverted=tuple(reversed(reverted)), conflicts=tuple(reversed(conflicts)))


async def _revert(
    bench: FolderWorkbench, snapshot: FileSnapshot, content: bytes | None, *, dry_run: bool, starter: object
) -> bool:
    """Whether the file is now, or would be, as it was before the turn."""
    path = bench.folder / snapshot.path
    if stat.S_ISLNK(snapshot.mode or 0):
        if snapshot.before is None:
            return await asyncio.to_thread(_take_link, path, snapshot.after, dry_run=dry_run)
        return await asyncio.to_thread(_put_link, path, os.fsdecode(content or b""), dry_run=dry_run)
    now = await asyncio.to_thread(_content, path)
    if now is _UNREADABLE:
        return False
    document = bench.clients.document(path, starter)
    if document is not None and document.dirty:
        return await _revert_unsaved(bench, snapshot, content, document, now, dry_run=dry_run, starter=starter)
    name = content_name(now)
    if name == snapshot.before:
        return True
    if name != snapshot.after:
        return False
    if dry_run:
        return True
    if document is not None and content is not None and (text := _text(content)) is not None:
        done = await bench.clients.edit(path, starter, before=document.text, after=text, version=document.version)
        if done in (EditResult.REFUSED, EditResult.STALE):
            return False
    return await asyncio.to_thread(_put, path, snapshot.after, content, snapshot.mode)


async def _revert_unsaved(
    bench: FolderWorkbench,
    snapshot: FileSnapshot,
    content: bytes | None,
    document: Document,
    now: bytes | None,
    *,
    dry_run: bool,
    starter: object,
) -> bool:
    """A document with unsaved changes: its text is what counts, and what is on disk stays what it is.

    Only what the turn itself has left on disk goes, too.
    """
    name = content_name(document.text.encode())
    if name == snapshot.before:
        return True
    text = None if content is None else _text(content)
    if name != snapshot.after or text is None:
        return False
    if dry_run:
        return True
    path = bench.folder / snapshot.path
    done = await bench.clients.edit(path, starter, before=document.text, after=text, version=document.version)
    if done is not EditResult.APPLIED:
        return False
    on_disk = content_name(now) == snapshot.after
    return not on_disk or await asyncio.to_thread(_put, path, snapshot.after, content, snapshot.mode)


_UNREADABLE = b"\0unreadable"
"""Told from every content by its identity."""


def _content(path: Path) -> bytes | None:
    """What a regular file holds, reached through no link; None where there is none."""
    if os.path.realpath(path.parent) != str(path.parent):
        return _UNREADABLE
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _NO_FOLLOW)
    except FileNotFoundError:
        return None
    except OSError:
        return _UNREADABLE
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return _UNREADABLE
        content = file.read(4 * MOST_BYTES + 1)
        return content if len(content) <= 4 * MOST_BYTES else _UNREADABLE


def _put_link(path: Path, target: str, *, dry_run: bool) -> bool:
    """Make a symlink anew where nothing is now; whether it is, or would be, there."""
    if os.path.realpath(path.parent) != str(path.parent):
        return False
    try:
        if os.path.lexists(path):
            return path.is_symlink() and str(path.readlink()) == target
        if not dry_run:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(target)
    except OSError:
        return False
    return True


def _take_link(path: Path, expected: str | None, *, dry_run: bool) -> bool:
    """Remove the symlink that a turn put there, if it still is that; whether it is, or would be, gone."""
    if os.path.realpath(path.parent) != str(path.parent):
        return not os.path.lexists(path)
    try:
        if not os.path.lexists(path):
            return True
        if not path.is_symlink() or content_name(os.fsencode(path.readlink())) != expected:
            return False
        if not dry_run:
            path.unlink()
    except OSError:
        return False
    return True


def _put(path: Path, expected: str | None, content: bytes | None, known: int | None) -> bool:
    """Put a content in the place of `expected`, or remove the file; False where it is not that any more.

    It gets the permissions `known`; where they are not, its own or none for others.
    """
    now = _content(path)
    if now is _UNREADABLE or content_name(now) not in (expected, content_name(content)):
        return False
    try:
        if content is None:
            path.unlink(missing_ok=True)
            return True
        path.parent.mkdir(parents=True, exist_ok=True)
        if os.path.realpath(path.parent) != str(path.parent):
            return False
        mode = stat.S_IMODE(path.lstat().st_mode) if now is not None else 0o600
        mode = mode if known is None else known
        beside = path.with_name(f".{secrets.token_hex(8)}.kore")
        descriptor = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY | _NO_FOLLOW, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                if hasattr(os, "fchmod"):
                    os.fchmod(file.fileno(), mode)  # opening it took the umask's bits away
            beside.replace(path)
        except OSError:
            beside.unlink(missing_ok=True)
            raise
    except OSError:
        return False
    return True


def _text(content: bytes) -> str | None:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None
