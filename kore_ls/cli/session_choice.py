"""Which session a user means: by its id, or by how its id begins."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

from kore_ls.cli.caller import Caller, Json
from kore_ls.errors import SessionNotFound
from kore_ls.model.ids import is_id

_PAGE = 200
_SHORTEST = 8
_NAMED = 5


async def listed(caller: Caller, left_out: list[str] | None = None, **filters: Any) -> AsyncIterator[Json]:
    """All sessions that match the filters of `kore/session/list`, in its order.

    `left_out` gets the ids of those that can't be read.
    """
    cursor: Json = {}
    while True:
        page = await caller.call("kore/session/list", limit=_PAGE, **filters, **cursor)
        if left_out is not None:
            left_out += page.get("damaged", ())
        for session in page["sessions"]:
            yield session
        if "nextCursor" not in page:
            return
        cursor = {"cursor": page["nextCursor"]}


async def every_session(caller: Caller, left_out: list[str] | None = None, **filters: Any) -> AsyncIterator[Json]:
    """All sessions there are: the usual ones, the archived, the deleted."""
    for kind in ({}, {"archived": True}, {"deleted": True}):
        async for session in listed(caller, left_out, **kind, **filters):
            yield session


async def chosen_session(caller: Caller, text: str, *, deleted: bool = False) -> Json:
    """The session whose id is `text` or alone begins with it; a deleted one only where `deleted` says so.

    Raises SessionNotFound, with params where there is such a session, but deleted or not alone.
    """
    if not is_id(text):
        raise SessionNotFound("no session has such an id")
    try:
        session: Json = await caller.call("kore/session/get", sessionId=text)
        return session
    except SessionNotFound:
        matches = [each async for each in every_session(caller) if each["id"].startswith(text)]
    exact = [each for each in matches if each["id"] == text] or matches
    if len(exact) > 1:
        names = ", ".join(each["id"] for each in exact[:_NAMED]) + (", ..." if len(exact) > _NAMED else "")
        raise SessionNotFound(f"several sessions' ids begin with {text}: {names}", sessions=len(exact))
    if not exact:
        raise SessionNotFound(f"no session's id begins with {text}")
    if exact[0].get("deleted") and not deleted:
        raise SessionNotFound(f"the session {text} is deleted", deleted=True)
    return exact[0]


def short_ids(ids: Iterable[str]) -> dict[str, str]:
    """For each id the shortest beginning, of at least 8 characters, that no other one shares."""
    ordered = sorted(set(ids))
    short = {}
    for index, each in enumerate(ordered):
        beside = ordered[max(index - 1, 0) : index] + ordered[index + 1 : index + 2]
        length = max([_SHORTEST, *(_shared(each, other) + 1 for other in beside)])
        short[each] = each[:length]
    return short


def _shared(one: str, other: str) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
