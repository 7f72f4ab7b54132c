"""kore/store/backups and kore/store/restore: copies of a folder's store that survive the folder."""

from __future__ import annotations

import asyncio

from attrs import frozen

from kore_ls.api.fields import Text
from kore_ls.errors import FolderNotFound, FolderRequired, StoreForeign, StoreFull, StoreLocked
from kore_ls.rpc.methods import method
from kore_ls.sessions.backups import ListedBackup, restore
from kore_ls.sessions.workspace import OpenFolder, Workspace


@frozen(kw_only=True)
class StoreBackup:
    """A copy of the store in the user's state directory."""

    id: str
    created_at: int
    reason: str
    """What it was made for: `daily`, or what came after it."""
    bytes: int
    sessions: int
    messages: int
    encrypted: bool | None = None


@frozen(kw_only=True)
class StoreBackupsParams:
    """Which folder's store."""

    folder: Text | None = None


@frozen(kw_only=True)
class StoreBackups:
    """The copies there are, the newest first."""

    backups: tuple[StoreBackup, ...]


@frozen(kw_only=True)
class StoreRestoreParams:
    """Which copy to bring back: the newest one, unless named."""

    folder: Text | None = None
    backup: Text | None = None
    """The id of a copy."""
    dry_run: bool = False


@frozen(kw_only=True)
class StoreRestored:
    """What came back. `whole`: the folder had no store, and the copy became it; else missing sessions were added."""

    backup: StoreBackup
    whole: bool
    sessions: int
    """Sessions that come back."""
    messages: int
    present: int
    """Sessions that are here already, and stay as they are."""
    problems: tuple[str, ...] | None = None


async def newest_backup(opened: OpenFolder) -> StoreBackup | None:
    """The newest copy of the folder's store, if there is one."""
    found = await asyncio.to_thread(opened.folder.backups.listed, 1)
    return _shown(found[0]) if found else None


def _shown(found: ListedBackup) -> StoreBackup:
    return StoreBackup(
        id=found.backup.id,
        created_at=found.backup.created_at,
        reason=found.backup.reason,
        bytes=found.backup.bytes,
        sessions=found.content.sessions,
        messages=found.content.messages,
        encrypted=found.content.encrypted or None,
    )


@method("kore/store/backups", raises=(FolderRequired, FolderNotFound))
async def backups(workspace: Workspace, params: StoreBackupsParams) -> StoreBackups:
    """The copies of the folder's store in the user's own state directory."""
    opened = workspace.folder(params.folder)
    found = await asyncio.to_thread(opened.folder.backups.listed)
    return StoreBackups(backups=tuple(map(_shown, found)))


@method(
    "kore/store/restore",
    raises=(FolderRequired, FolderNotFound, StoreForeign, StoreLocked, StoreFull),
    confirm="Bring this folder's newest backup back?",
)
async def restore_(workspace: Workspace, params: StoreRestoreParams) -> StoreRestored:
    """Bring back what a copy holds and the folder lacks; what is in the folder stays as it is."""
    opened = workspace.folder(params.folder)
    chosen = await asyncio.to_thread(opened.folder.backups.chosen, params.backup)
    done = await restore(opened.folder, chosen, dry_run=params.dry_run)
    return StoreRestored(
        backup=_shown(chosen),
        whole=done.whole,
        sessions=done.sessions,
        messages=done.messages,
        present=done.present,
        problems=done.problems or None,
    )
