"""Cursors over lists, and the merging of several folders' lists into one."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Sequence

from attrs import frozen

from kore_ls.errors import InvalidParams
from kore_ls.model.ids import SessionId, is_id
from kore_ls.model.session import SessionRecord
from kore_ls.storage.session_rows import Position, SessionPage, SessionQuery, position_of


def fingerprint(query: SessionQuery, folders: Iterable[str]) -> str:
    """What a cursor is bound to: the filters and the folders, not the place or the page size."""
    words = [sorted(str(each) for each in group) for group in (query.statuses, query.modes, query.tags, folders)]
    bound = [*words, query.metadata, query.archived, query.deleted]
    text = json.dumps(bound, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=9).hexdigest()


def encode_cursor(position: Position, bound_to: str) -> str:
    """An opaque word for a place in a list."""
    text = json.dumps([bound_to, int(position[0]), position[1], position[2]])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, bound_to: str) -> Position:
    """The place a cursor means. Raises InvalidParams for a cursor of another list, or none of ours."""
    try:
        owner, pinned, updated_at, session_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise InvalidParams(["params.cursor: is not a cursor of this list"]) from None
    sound = owner == bound_to and pinned in (0, 1) and type(updated_at) is int and isinstance(session_id, str)
    if not sound or not is_id(session_id) or abs(updated_at) > 1 << 53:
        raise InvalidParams(["params.cursor: is not a cursor of this list"])
    return (bool(pinned), updated_at, SessionId(session_id))


@frozen(kw_only=True)
class MergedPage:
    """Sessions of several lists in one order, each with the index of its list."""

    rows: tuple[tuple[int, SessionRecord], ...]
    position: Position | None


def merge(pages: Sequence[SessionPage], limit: int) -> MergedPage:
    """Merge pages of the same query into one of at most `limit` rows.

    A list that stopped early may still hold rows after its position, so nothing beyond the earliest such position is
    given out yet.
    """
    open_ends = [page.position for page in pages if page.position is not None]
    border = max(open_ends, default=None)
    rows = [(index, record) for index, page in enumerate(pages) for record in page.sessions]
    rows.sort(key=lambda row: position_of(row[1]), reverse=True)
    if border is not None:
        rows = [row for row in rows if position_of(row[1]) >= border]
    if len(rows) > limit:
        rows = rows[: _cut([position_of(record) for _, record in rows], limit)]
        return MergedPage(rows=tuple(rows), position=position_of(rows[-1][1]))
    return MergedPage(rows=tuple(rows), position=border)


def _cut(places: Sequence[Position], limit: int) -> int:
    """Where to end a page of about `limit` rows: never between equals, which copied checkouts have."""
    end = limit
    while end and places[end - 1] == places[end]:
        end -= 1
    return end or places.count(places[0])
