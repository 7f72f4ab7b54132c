"""Pages of sessions, of one folder or of several as one list. Makes no store."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from kore_ls.errors import KoreError
from kore_ls.model.ids import SessionId
from kore_ls.model.limits import JsonObject
from kore_ls.model.mode import AgentMode
from kore_ls.model.session import SessionRecord, SessionStatus
from kore_ls.sessions.paging import decode_cursor, encode_cursor, fingerprint, merge
from kore_ls.sessions.workspace import OpenFolder
from kore_ls.storage.session_rows import SessionPage, SessionQuery


@frozen(kw_only=True)
class SessionFilter:
    """Which sessions to list; all that is given must match."""

    statuses: tuple[SessionStatus, ...] = ()
    modes: tuple[AgentMode, ...] = ()
    tags: tuple[str, ...] = ()
    metadata: JsonObject | None = None
    archived: bool = False
    deleted: bool = False


@frozen(kw_only=True)
class Listing:
    """A page: sessions with their folders, where to go on, and the folders whose store could not be read.

    `damaged`: sessions whose row can't be read, which are left out.
    """

    rows: tuple[tuple[OpenFolder, SessionRecord], ...]
    cursor: str | None
    unreadable: tuple[OpenFolder, ...]
    damaged: tuple[SessionId, ...] = ()


async def list_sessions(
    folders: Sequence[OpenFolder], wanted: SessionFilter, *, limit: int, cursor: str | None
) -> Listing:
    """The page after `cursor`: pinned sessions first, then the newest `updated_at`.

    Raises InvalidParams for a cursor of another list and, where there is only one folder, its store's errors.
    """
    query = SessionQuery(
        statuses=wanted.statuses,
        modes=wanted.modes,
        tags=wanted.tags,
        metadata=wanted.metadata,
        archived=wanted.archived,
        deleted=wanted.deleted,
        limit=limit,
    )
    bound_to = fingerprint(query, (str(opened.folder.path) for opened in folders))
    if cursor is not None:
        query = evolve(query, after=decode_cursor(cursor, bound_to))
    pages, unreadable = await _pages(folders, query)
    merged = merge([page for _, page in pages], limit)
    return Listing(
        rows=tuple((pages[index][0], record) for index, record in merged.rows),
        cursor=None if merged.position is None else encode_cursor(merged.position, bound_to),
        unreadable=tuple(unreadable),
        damaged=tuple(each for _, page in pages for each in page.damaged),
    )


async def _pages(
    folders: Sequence[OpenFolder], query: SessionQuery
) -> tuple[list[tuple[OpenFolder, SessionPage]], list[OpenFolder]]:
    pages: list[tuple[OpenFolder, SessionPage]] = []
    unreadable: list[OpenFolder] = []
    for opened in folders:
        try:
            pages.append((opened, await opened.manager.page_sessions(query)))
        except KoreError:
            if len(folders) == 1:
                raise
            unreadable.append(opened)
    return pages, unreadable
