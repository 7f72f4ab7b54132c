"""kore/store/retention: how long sessions are kept, and how much of them."""

from __future__ import annotations

from typing import Annotated

from attrs import frozen

from kore_ls.api.fields import Text
from kore_ls.errors import FolderNotFound, FolderRequired
from kore_ls.model.ids import SessionId
from kore_ls.model.limits import MAX_INTEGER, between
from kore_ls.rpc.codec import Checked
from kore_ls.rpc.methods import method
from kore_ls.sessions.retention import retain
from kore_ls.sessions.workspace import Workspace


@frozen(kw_only=True)
class StoreRetentionParams:
    """Which folder's store, and what to keep: sessions changed in the last `keepDays` days, and of those no more
    than `keepBytes` of text. An absent limit is none.
    """

    folder: Text | None = None
    keep_days: Annotated[int, Checked(between(0, 100_000))] | None = None
    keep_bytes: Annotated[int, Checked(between(0, MAX_INTEGER))] | None = None
    dry_run: bool = False


@frozen(kw_only=True)
class ExpiredSession:
    """A session beyond the limits; `updatedAt` is Unix milliseconds, `bytes` what would go with it.

    That is all that was said and done in it, but for long results of tools that other sessions have as well.
    """

    id: SessionId
    name: str
    updated_at: int
    bytes: int


@frozen(kw_only=True)
class StoreRetained:
    """The sessions that were (with `dryRun`: would be) removed for good, the one longest untouched first, and the
    bytes of the store's files now.
    """

    sessions: tuple[ExpiredSession, ...]
    file_bytes: int


@method(
    "kore/store/retention",
    raises=(FolderRequired, FolderNotFound),
    confirm="Remove the sessions beyond the limits for good?",
)
async def retention(workspace: Workspace, params: StoreRetentionParams) -> StoreRetained:
    """Remove sessions beyond the limits for good and give back the room; without a limit, give back what is free.

    Pinned, active and running sessions always stay. By itself this is done once a day, and only with limits that the
    user has set (`keepDays`, `keepBytes` in `initializationOptions.kore` or in the user's own configuration).
    """
    opened = workspace.folder(params.folder)
    days, most = params.keep_days, params.keep_bytes
    clients = opened.folder.clients
    gone = await retain(opened.manager, clients, keep_days=days, keep_bytes=most, dry_run=True)
    if not params.dry_run:
        if gone:
            await opened.folder.backups.before("purge")
        gone = await retain(opened.manager, clients, keep_days=days, keep_bytes=most, dry_run=False)
    sessions = tuple(
        ExpiredSession(id=each.record.id, name=each.record.name, updated_at=each.record.updated_at, bytes=each.bytes)
        for each in gone
    )
    return StoreRetained(sessions=sessions, file_bytes=(await opened.folder.status())[0].bytes)
