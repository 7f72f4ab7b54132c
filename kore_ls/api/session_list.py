"""kore/session/list: pages of sessions, of one folder or of all that the connection has open."""

from __future__ import annotations

from typing import Annotated

from attrs import frozen

from kore_ls.api.fields import Metadata, Tag, Text
from kore_ls.api.objects import Session, viewed
from kore_ls.errors import FolderNotFound
from kore_ls.model.ids import SessionId
from kore_ls.model.limits import between
from kore_ls.model.mode import AgentMode
from kore_ls.model.session import SessionStatus
from kore_ls.rpc.codec import Checked
from kore_ls.rpc.methods import method
from kore_ls.sessions.listing import SessionFilter, list_sessions
from kore_ls.sessions.workspace import Workspace


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
    damaged: tuple[SessionId, ...] | None = None
    """Sessions that are left out because their row in the store can't be read; kore/store/check says more."""


@method("kore/session/list", raises=(FolderNotFound,))
async def list_(workspace: Workspace, params: SessionListParams) -> SessionList:
    """List sessions of one folder, or of all folders that this connection has open."""
    listing = await list_sessions(
        workspace.chosen(params.folder),
        SessionFilter(
            statuses=params.status,
            modes=params.mode,
            tags=params.tags,
            metadata=params.metadata,
            archived=params.archived,
            deleted=params.deleted,
        ),
        limit=params.limit,
        cursor=params.cursor,
    )
    return SessionList(
        sessions=tuple([await viewed(opened, record, whole=False) for opened, record in listing.rows]),
        next_cursor=listing.cursor,
        locked_folders=tuple(opened.uri for opened in listing.unreadable) or None,
        damaged=listing.damaged or None,
    )
