"""`workspace/symbol` as a search of the history, for clients that asked for it: symbol pickers find what was said."""

from __future__ import annotations

from typing import Any

from kore_ls.errors import KoreError
from kore_ls.model.display import shortened, visible
from kore_ls.model.search import SearchHit, SearchMatch, SearchQuery
from kore_ls.sessions.documents.view import write_view
from kore_ls.sessions.uris import uri_of
from kore_ls.sessions.workspace import OpenFolder, Workspace

MOST = 20
_NAME_CHARS = 100
_STRING = 15


async def find_symbols(workspace: object, query: str) -> list[dict[str, Any]]:
    """At most 20 messages that match, best first, each with a place in a view file of its session.

    A folder whose store can't be read has none, nor has one whose store is encrypted.
    """
    if not isinstance(workspace, Workspace):  # a connection without a workspace has no history
        return []
    found: list[tuple[OpenFolder, SearchHit, SearchMatch]] = []
    for opened in workspace.folders:
        try:
            if await opened.manager.storage.encryption.active():  # its text belongs into no file
                continue
            page = await opened.manager.search(SearchQuery(text=query, limit=MOST))
        except KoreError:
            continue
        found += [(opened, hit, match) for hit in page.hits for match in hit.matches]
    found.sort(key=lambda each: -each[1].score)
    symbols = [await _symbol(*each) for each in found[:MOST]]
    return [each for each in symbols if each is not None]


async def _symbol(opened: OpenFolder, hit: SearchHit, match: SearchMatch) -> dict[str, Any] | None:
    try:
        view = await write_view(opened.folder, hit.session, match.seq)
    except KoreError:  # deleted or locked since it was found
        return None
    if view is None:
        return None
    place = {"line": view.lines.get(match.seq, 0), "character": 0}
    return {
        "name": shortened(visible(match.snippet), _NAME_CHARS),
        "kind": _STRING,
        "containerName": visible(hit.session.name),
        "location": {"uri": uri_of(view.path), "range": {"start": place, "end": place}},
    }
