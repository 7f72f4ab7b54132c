"""Searches over several folders as one list, and their cursors. Pure."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from attrs import astuple, evolve, fields, frozen

from kore_ls.errors import InvalidParams
from kore_ls.model.search import SearchHit, SearchPage, SearchPosition, SearchQuery

Places = tuple[SearchPosition | None, ...]
"""For each folder where its search goes on; None: it has come to its end."""


@frozen(kw_only=True)
class MergedHits:
    """Hits of several folders, best first, each with the index of its folder; `places` is None at the end of all."""

    hits: tuple[tuple[int, SearchHit], ...]
    places: Places | None


def search_fingerprint(query: SearchQuery, folders: Sequence[str]) -> str:
    """What a search's cursor is bound to."""
    bound = repr((evolve(query, after=None, limit=1, budget=None), sorted(folders)))
    return hashlib.blake2b(bound.encode("utf-8", "replace"), digest_size=9).hexdigest()


def merge_hits(pages: Sequence[SearchPage | None], limit: int) -> MergedHits:
    """The best `limit` hits of all pages (None: a folder that is through); the rest comes with the next page."""
    ranked = [(index, hit) for index, page in enumerate(pages) if page is not None for hit in page.hits]
    ranked.sort(key=lambda each: -each[1].score)
    taken = ranked[:limit]
    places = tuple(_place(page, sum(1 for at, _ in taken if at == index)) for index, page in enumerate(pages))
    return MergedHits(hits=tuple(taken), places=places if any(places) else None)


def _place(page: SearchPage | None, taken: int) -> SearchPosition | None:
    if page is None:
        return None
    if taken == len(page.hits) or page.start is None:
        return page.position
    return evolve(page.start, shown=page.start.shown + taken)


def encode_places(places: Places, bound_to: str) -> str:
    """An opaque word for where a search goes on."""
    rows = [None if place is None else [int(each) for each in astuple(place)] for place in places]
    return base64.urlsafe_b64encode(json.dumps([bound_to, rows]).encode()).decode().rstrip("=")


def decode_places(cursor: str, bound_to: str, folders: int) -> Places:
    """Where the search goes on. Raises InvalidParams for a cursor of another search, or none of ours."""
    try:
        owner, rows = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        places = tuple(None if row is None else _position(row) for row in rows)
    except (ValueError, TypeError, RecursionError):
        raise InvalidParams(["params.cursor: is not a cursor of this search"]) from None
    if owner != bound_to or len(places) != folders:
        raise InvalidParams(["params.cursor: is not a cursor of this search"])
    return places


def _position(row: Sequence[int]) -> SearchPosition:
    names = [each.name for each in fields(SearchPosition)]
    if len(row) != len(names) or not all(type(each) is int and 0 <= each < 1 << 62 for each in row):
        raise ValueError
    values: dict[str, Any] = dict(zip(names, row, strict=True))
    return SearchPosition(**values | {"scanned": bool(values["scanned"])})
