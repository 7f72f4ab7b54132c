"""Hits of several folders as one list: every hit once, best first on a page, and cursors of no other search."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kore_ls.errors import InvalidParams
from kore_ls.model.ids import SessionId
from kore_ls.model.mode import AgentMode
from kore_ls.model.search import SearchHit, SearchPage, SearchPosition, SearchQuery
from kore_ls.model.session import SessionRecord
from kore_ls.sessions.search_paging import decode_places, encode_places, merge_hits, search_fingerprint

PLACES = st.builds(
    SearchPosition,
    below=st.integers(0, 1 << 53),
    down_to=st.integers(0, 1 << 53),
    names_below=st.integers(0, 1 << 53),
    names_down_to=st.integers(0, 1 << 53),
    shown=st.integers(0, 200),
    scanned=st.booleans(),
    now=st.integers(0, 1 << 53),
)
STRETCHES = st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=4), min_size=1, max_size=3)
"""Of one folder: the scores of the hits of each stretch of its history."""


def place(stretch: int, shown: int = 0) -> SearchPosition:
    return SearchPosition(
        below=100 - stretch, down_to=0, names_below=0, names_down_to=0, shown=shown, scanned=False, now=0
    )


def hit(folder: int, stretch: int, index: int, score: int) -> SearchHit:
    id_ = SessionId(f"{folder}-{stretch}-{index}")
    record = SessionRecord(id=id_, name="n", agent_mode=AgentMode.BUILD, created_at=0, updated_at=0)
    return SearchHit(session=record, score=score, matches=())


def page_of(folder: int, stretches: list[list[int]], after: SearchPosition | None, limit: int) -> SearchPage:
    """What a store answers: the next hits of one stretch, best first, then the next stretch."""
    at = after or place(0)
    stretch = 100 - at.below
    ranked = sorted(enumerate(stretches[stretch]), key=lambda each: -each[1])
    taken = ranked[at.shown : at.shown + limit]
    position: SearchPosition | None = place(stretch, at.shown + len(taken))
    if at.shown + len(taken) == len(ranked):
        position = place(stretch + 1) if stretch + 1 < len(stretches) else None
    return SearchPage(
        hits=tuple(hit(folder, stretch, index, score) for index, score in taken), position=position, start=at
    )


@given(st.lists(STRETCHES, min_size=1, max_size=3), st.integers(1, 5))
def test_walking_all_pages_meets_every_hit_once(folders: list[list[list[int]]], limit: int) -> None:
    seen: list[str] = []
    places: tuple[SearchPosition | None, ...] | None = None
    while True:
        pages = [
            None if places is not None and places[index] is None
            else page_of(index, stretches, None if places is None else places[index], limit)
            for index, stretches in enumerate(folders)
        ]  # fmt: skip
        merged = merge_hits(pages, limit)
        assert len(merged.hits) <= limit
        scores = [found.score for _, found in merged.hits]
        assert scores == sorted(scores, reverse=True)
        seen += [found.session.id for _, found in merged.hits]
        places = merged.places
        if places is None:
            break
    expected = [
        f"{folder}-{stretch}-{index}"
        for folder, stretches in enumerate(folders)
        for stretch, scores in enumerate(stretches)
        for index in range(len(scores))
    ]
    assert sorted(seen) == sorted(expected)


@given(st.lists(st.none() | PLACES, min_size=1, max_size=4))
def test_a_cursor_leads_back_to_its_places(places: list[SearchPosition | None]) -> None:
    assert decode_places(encode_places(tuple(places), "mine"), "mine", len(places)) == tuple(places)


def _cursor(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "汉字",
        "a" * 100_000,
        _cursor(None),
        _cursor(["mine"]),
        _cursor(["mine", None]),
        _cursor(["mine", [[1, 2, 3]]]),
        _cursor(["mine", [[1, 2, 3, 4, 5, 6, -7]]]),
        _cursor(["mine", [[1, 2, 3, 4, 5, 6, 1 << 62]]]),
        _cursor(["mine", [[1, 2, 3, 4, 5, 6, 1.5]]]),
        _cursor(["mine", [[1, 2, 3, 4, 5, True, 7]]]),
        _cursor(["mine", ["seven77"]]),
        _cursor(["mine", [None, None]]),
        _cursor(["other", [None]]),
        _cursor([["mine"], [None]]),
        "W1tb" * 30_000,
    ],
)
def test_what_is_no_cursor_of_this_search_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidParams):
        decode_places(cursor, "mine", 1)


def test_a_cursor_is_bound_to_what_is_searched_and_where() -> None:
    query = SearchQuery(text="认证")
    same = SearchQuery(text="认证", limit=7, budget=None, after=place(0))
    others = (SearchQuery(text="认"), SearchQuery(text="认证", since=1), SearchQuery(text="认证", archived=False))
    assert search_fingerprint(query, ["/a", "/b"]) == search_fingerprint(same, ["/b", "/a"])
    assert search_fingerprint(query, ["/a"]) not in {search_fingerprint(other, ["/a"]) for other in others}
    assert search_fingerprint(query, ["/a"]) != search_fingerprint(query, ["/b"])
