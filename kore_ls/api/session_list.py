"""kore/session/list: pages of sessions, of one folder or of all that the connection has open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from attrs import evolve, frozen

from kore_ls.api.fields import Metadata, Tag, Text
from kore_ls.api.objects import Session, viewed
from kore_ls.errors import FolderNotFound, KoreError
from kore_ls.model.limits import between
from kore_ls.model.mode import AgentMode
from kore_ls.model.session import SessionStatus
from kore_ls.rpc.codec import Checked
from kore_ls.rpc.methods import method
from kore_ls.sessions.paging import decode_cursor, encode_cursor, fingerprint, merge
from kore_ls.sessions.workspace import OpenFolder, Workspace
from kore_ls.storage.session_rows import SessionPage, SessionQuery


@frozen(kw_only=True)
class SessionListParams:
    """Filters; all that are given must match."""

    folder: Text | None = None
    status: tuple[SessionStatus, ...] = ()
    mode: tuple[AgentMode, ...] = ()
    tags: tuple[Tag, ...] = ()
    metadata: Metadata | None = None
    archived: bool = False
    """True: only archived ones."""
    deleted: bool = False
    """True: only deleted ones."""
    limit: Annotated[int, Checked(between(1, 200))] = 50
    cursor: Text | None = None


@frozen(kw_only=True)
class SessionList:
    """A page of sessions: pinned first, then newest `updatedAt`. It may be short and still have a `nextCursor`."""

    sessions: tuple[Session, ...]
    next_cursor: str | None = None
    locked_folders: tuple[str, ...] | None = None
    """Folders whose store could not be read."""


@method("kore/session/list", raises=(FolderNotFound,))
async def list_(workspace: Workspace, params: SessionListParams) -> SessionList:
    """List sessions of one folder, or of all folders that this connection has open."""
    folders = workspace.chosen(params.folder)
    query = SessionQuery(
        statuses=params.status,
        modes=params.mode,
        tags=params.tags,
        metadata=params.metadata,
        archived=params.archived,
        deleted=params.deleted,
        limit=params.limit,
    )
    bound_to = fingerprint(query, (str(opened.folder.path) for opened in folders))
    if params.cursor is not None:
        query = evolve(query, after=decode_cursor(params.cursor, bound_to))
    pages, locked = await _pages(folders, query)
    merged = merge([page for _, page in pages], params.limit)
    return SessionList(
        sessions=tuple([await viewed(pages[index][0], record) for index, record in merged.rows]),
        next_cursor=None if merged.position is None else encode_cursor(merged.position, bound_to),
        locked_folders=tuple(opened.uri for opened in locked) or None,
    )


async def _pages(
    folders: Sequence[OpenFolder], query: SessionQuery
) -> tuple[list[tuple[OpenFolder, SessionPage]], list[OpenFolder]]:
    pages: list[tuple[OpenFolder, SessionPage]] = []
    locked: list[OpenFolder] = []
    for opened in folders:
        try:
            pages.append((opened, await opened.manager.page_sessions(query)))
        except KoreError:
            if len(folders) == 1:
                raise
            locked.append(opened)
    return pages, locked
