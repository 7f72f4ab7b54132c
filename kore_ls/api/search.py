"""kore/session/search: full-text search in messages and names."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

from attrs import evolve, frozen

from kore_ls.api.fields import SessionIdField, Tag, Text, Timestamp
from kore_ls.api.objects import Session, viewed
from kore_ls.api.progress import Progress
from kore_ls.errors import FolderNotFound, FolderRequired, KoreError, SessionNotFound
from kore_ls.model.ids import MessageId, SessionId
from kore_ls.model.limits import between
from kore_ls.model.message import Role
from kore_ls.model.mode import AgentMode
from kore_ls.model.search import SearchHit, SearchPage, SearchPosition, SearchQuery
from kore_ls.model.session import SessionStatus
from kore_ls.rpc.codec import Checked
from kore_ls.rpc.methods import method
from kore_ls.sessions.search_paging import decode_places, encode_places, merge_hits, search_fingerprint
from kore_ls.sessions.workspace import OpenFolder, Workspace

TextRange = tuple[int, ...]


@frozen(kw_only=True)
class SessionSearchParams:
    """What to look for. All filters that are given must match."""

    query: Text
    """Words (all must be in a message), "quoted phrases", `-excluded` words.

    The first 1,000 characters and 32 words count; of each message the first MiB is searched.
    """
    folder: Text | None = None
    session_id: SessionIdField | None = None
    roles: tuple[Role, ...] = ()
    mode: tuple[AgentMode, ...] = ()
    status: tuple[SessionStatus, ...] = ()
    tags: tuple[Tag, ...] = ()
    archived: bool | None = None
    """Absent: archived ones as well as others."""
    since: Timestamp | None = None
    """Unix milliseconds of the oldest message."""
    until: Timestamp | None = None
    limit: Annotated[int, Checked(between(1, 200))] = 20
    """How many sessions."""
    cursor: Text | None = None
    work_done_token: Any = None
    """With it, the search waits until all is indexed, however long, and reports how far that is."""


@frozen(kw_only=True)
class SearchedMessage:
    """A message that matches. `ranges` are pairs [start, end] in the snippet, in UTF-16 units."""

    message_id: MessageId
    seq: int
    role: Role
    timestamp: int
    snippet: str
    ranges: tuple[TextRange, ...]


@frozen(kw_only=True)
class SearchedSession:
    """A session with its best messages. `nameRanges` are pairs [start, end] in its name."""

    session: Session
    score: float
    name_ranges: tuple[TextRange, ...] | None = None
    matches: tuple[SearchedMessage, ...]


@frozen(kw_only=True)
class SearchResult:
    """A page of hits, best first. Pages walk back in time; a session may come again with older messages."""

    hits: tuple[SearchedSession, ...]
    truncated: bool
    """Time ran out, and `nextCursor` goes on; or not all messages are indexed yet."""
    next_cursor: str | None = None
    locked_folders: tuple[str, ...] | None = None
    """Folders whose store could not be read."""
    damaged: tuple[SessionId, ...] | None = None
    """Sessions that are left out because their row in the store can't be read; kore/store/check says more."""


@method("kore/session/search", raises=(SessionNotFound, FolderRequired, FolderNotFound))
async def search(workspace: Workspace, params: SessionSearchParams) -> SearchResult:
    """Search messages, names, descriptions and tags of one folder or of all that this connection has open."""
    folders = await _folders(workspace, params)
    query = SearchQuery(
        text=params.query,
        session_id=params.session_id,
        roles=params.roles,
        modes=params.mode,
        statuses=params.status,
        tags=params.tags,
        archived=params.archived,
        since=params.since,
        until=params.until,
        limit=params.limit,
    )
    bound_to = search_fingerprint(query, [str(opened.folder.path) for opened in folders])
    places: Sequence[SearchPosition | None] | None = None
    if params.cursor is not None:
        places = decode_places(params.cursor, bound_to, len(folders))
    with Progress(workspace.notify, params.work_done_token, "Indexing sessions") as progress:
        waits = params.work_done_token is not None
        pages, locked = await _pages(folders, query, places, progress if waits else None)
    merged = merge_hits(pages, params.limit)
    return SearchResult(
        hits=tuple([await _view(folders[index], hit) for index, hit in merged.hits]),
        truncated=any(page.truncated for page in pages if page is not None),
        next_cursor=None if merged.places is None else encode_places(merged.places, bound_to),
        locked_folders=tuple(opened.uri for opened in locked) or None,
        damaged=tuple(each for page in pages if page is not None for each in page.damaged) or None,
    )


async def _folders(workspace: Workspace, params: SessionSearchParams) -> Sequence[OpenFolder]:
    if params.session_id is None:
        return workspace.chosen(params.folder)
    opened = await workspace.folder_of(params.session_id, params.folder)
    await opened.manager.get_session(params.session_id)
    return (opened,)


async def _pages(
    folders: Sequence[OpenFolder],
    query: SearchQuery,
    places: Sequence[SearchPosition | None] | None,
    progress: Progress | None,
) -> tuple[list[SearchPage | None], list[OpenFolder]]:
    report = None if progress is None else lambda rows: progress.report(f"{rows} indexed")

    async def page(opened: OpenFolder, index: int) -> SearchPage | KoreError | None:
        if places is not None and places[index] is None:
            return None
        after = None if places is None else places[index]
        try:
            return await opened.manager.search(evolve(query, after=after), report)
        except KoreError as error:
            return error

    found = await asyncio.gather(*(page(opened, index) for index, opened in enumerate(folders)))
    failures = [(opened, each) for opened, each in zip(folders, found, strict=True) if isinstance(each, KoreError)]
    if failures and len(folders) == 1:
        raise failures[0][1]
    pages = [None if isinstance(each, KoreError) else each for each in found]
    return pages, [opened for opened, _ in failures]


async def _view(opened: OpenFolder, hit: SearchHit) -> SearchedSession:
    return SearchedSession(
        session=await viewed(opened, hit.session, whole=False),
        score=hit.score,
        name_ranges=hit.name_ranges,
        matches=tuple(
            SearchedMessage(
                message_id=match.message_id,
                seq=match.seq,
                role=match.role,
                timestamp=match.timestamp,
                snippet=match.snippet,
                ranges=match.ranges,
            )
            for match in hit.matches
        ),
    )
