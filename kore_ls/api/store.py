"""kore/store/*: the file that holds a folder's sessions."""

from __future__ import annotations

import asyncio

from attrs import evolve, frozen

from kore_ls.api.fields import Text
from kore_ls.api.store_backup import StoreBackup, newest_backup
from kore_ls.errors import FolderNotFound, FolderRequired, InvalidParams, StoreDamaged, StoreForeign
from kore_ls.model.retention import Space
from kore_ls.rpc.methods import method
from kore_ls.sessions.documents.export_file import target_path, write_backup
from kore_ls.sessions.folder import sandbox
from kore_ls.sessions.workspace import OpenFolder, Workspace


@frozen(kw_only=True)
class StoreParams:
    """Which folder's store."""

    folder: Text | None = None


@frozen(kw_only=True)
class StoreStatusParams:
    """Which folder's store, and whether to say what takes its room."""

    folder: Text | None = None
    space: bool = False
    """True: reads the whole file."""


@frozen(kw_only=True)
class StoreCheckParams:
    """Which folder's store, and whether to mend it."""

    folder: Text | None = None
    repair: bool = False
    """True: save what can be read; the damaged file is kept aside."""


@frozen(kw_only=True)
class StoreBackupParams:
    """Where to write the copy."""

    path: Text
    """A path (relative ones from the folder) or a `file:` URI."""
    folder: Text | None = None
    overwrite: bool = False


@frozen(kw_only=True)
class StoreStatus:
    """A store's state; sizes in bytes."""

    folder: str
    path: str
    exists: bool
    foreign: bool | None = None
    """True: the store was not made by this user, see kore/store/adopt."""
    encrypted: bool
    locked: bool
    """True: it needs its key; or, where `encrypted` is false, it is only read, as a key is configured for it."""
    read_only: bool
    journal_mode: str
    sessions: int
    messages: int
    bytes: int
    schema_version: int
    sqlite_version: str
    indexed_messages: int
    sandbox: str
    space: Space | None = None
    """Where it was asked for and this SQLite can tell."""
    backup: StoreBackup | None = None
    """The newest copy, where the folder has no store; kore/store/restore brings it back."""
    problems: tuple[str, ...] | None = None
    """What could not be taken over, after kore/store/adopt; what stays plain, after kore/store/encrypt."""


@frozen(kw_only=True)
class StoreChecked:
    """What a check found."""

    ok: bool
    problems: tuple[str, ...]
    repaired: tuple[str, ...] | None = None
    """What a repair did."""


@frozen(kw_only=True)
class StoreBackedUp:
    """Where the copy is."""

    path: str
    bytes: int


@method("kore/store/status", raises=(FolderRequired, FolderNotFound))
async def status(workspace: Workspace, params: StoreStatusParams) -> StoreStatus:
    """How the folder's store is."""
    opened = workspace.folder(params.folder)
    found = await store_status(opened)
    if not params.space or found.locked or found.foreign:
        return found
    return evolve(found, space=await opened.manager.storage.space())


async def store_status(opened: OpenFolder, problems: tuple[str, ...] | None = None) -> StoreStatus:
    """A folder's store as it is now, and what its last change could not do."""
    found, foreign = await opened.folder.status()
    return StoreStatus(
        folder=opened.uri,
        path=str(found.path),
        exists=found.exists,
        foreign=foreign or None,
        encrypted=found.encrypted,
        locked=found.locked,
        read_only=found.read_only,
        journal_mode=found.journal_mode,
        sessions=found.sessions,
        messages=found.messages,
        bytes=found.bytes,
        schema_version=found.schema_version,
        sqlite_version=found.sqlite_version,
        indexed_messages=found.indexed_messages,
        sandbox=(await asyncio.to_thread(sandbox)).kind.value,
        backup=None if found.exists else await newest_backup(opened),
        problems=problems or None,
    )


@method("kore/store/adopt", raises=(FolderRequired, FolderNotFound, StoreForeign), confirm="Adopt this folder's store?")
async def adopt(workspace: Workspace, params: StoreParams) -> StoreStatus:
    """Copy a foreign store's valid rows into a new store of this user's; the old files are kept aside."""
    from kore_ls.sessions.adopt import adopt as adopt_store  # brings all that reads foreign stores along

    opened = workspace.folder(params.folder)
    return await store_status(opened, tuple(await adopt_store(opened.folder)))


@method("kore/store/check", raises=(FolderRequired, FolderNotFound, StoreDamaged))
async def check(workspace: Workspace, params: StoreCheckParams) -> StoreChecked:
    """Look the store through for damage; with `repair`, mend it."""
    storage = workspace.folder(params.folder).manager.storage
    problems = tuple(await storage.check())
    if not problems or not params.repair:
        return StoreChecked(ok=not problems, problems=problems)
    repaired = tuple(await storage.repair())
    return StoreChecked(ok=not await storage.check(), problems=problems, repaired=repaired)


@method("kore/store/backup", raises=(FolderRequired, FolderNotFound))
async def backup(workspace: Workspace, params: StoreBackupParams) -> StoreBackedUp:
    """Write a verified copy of the store."""
    opened = workspace.folder(params.folder)
    path = target_path(params.path, opened.folder.path)
    if not (await opened.folder.status())[0].exists:
        raise InvalidParams(["params.folder: has no store yet"])
    return StoreBackedUp(
        path=str(path), bytes=await write_backup(opened.manager.storage, path, overwrite=params.overwrite)
    )
