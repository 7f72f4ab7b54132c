"""Cursors, and the merging of lists."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kore_ls.errors import InvalidParams
from kore_ls.model.ids import SessionId
from kore_ls.model.mode import AgentMode
from kore_ls.model.session import SessionRecord, SessionStatus
from kore_ls.sessions.paging import decode_cursor, encode_cursor, fingerprint, merge
from kore_ls.storage.session_rows import Position, SessionPage, SessionQuery, position_of


def record(pinned: bool, updated_at: int, id_: str) -> SessionRecord:
    return SessionRecord(
        id=SessionId(id_), name="n", agent_mode=AgentMode.BUILD, created_at=0, updated_at=updated_at, pinned=pinned
    )


RECORDS = st.lists(
    st.builds(record, st.booleans(), st.integers(0, 3), st.sampled_from("abcdef")),
    unique_by=position_of,
    max_size=8,
)


def page_of(rows: list[SessionRecord], after: Position | None, limit: int, stop: int) -> SessionPage:
    """What a store answers; it may give up early, after `stop` rows, as it does behind a filter."""
    left = [each for each in sorted(rows, key=position_of, reverse=True) if after is None or position_of(each) < after]
    shown = left[: min(limit, stop)]
    return SessionPage(sessions=tuple(shown), position=position_of(shown[-1]) if len(shown) < len(left) else None)


@given(st.lists(RECORDS, min_size=1, max_size=3), st.integers(1, 5), st.integers(1, 3))
def test_walking_merged_lists_meets_every_row_of_every_list_once_in_order(
    lists: list[list[SessionRecord]], limit: int, stop: int
) -> None:
    seen: list[tuple[int, SessionRecord]] = []
    after: Position | None = None
    while True:
        merged = merge([page_of(rows, after, limit, stop) for rows in lists], limit)
        seen += merged.rows
        after = merged.position
        if after is None:
            break
    assert [position_of(row) for _, row in seen] == sorted((position_of(row) for _, row in seen), reverse=True)
    expected = {(index, position_of(row)) for index, rows in enumerate(lists) for row in rows}
    assert {(index, position_of(row)) for index, row in seen} == expected
    assert len(seen) == len(expected)


@given(st.booleans(), st.integers(0, 1 << 53), st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True))
def test_a_cursor_leads_back_to_its_place(pinned: bool, updated_at: int, id_: str) -> None:
    place = (pinned, updated_at, SessionId(id_))
    assert decode_cursor(encode_cursor(place, "list"), "list") == place


def test_a_cursor_of_another_list_is_refused() -> None:
    with pytest.raises(InvalidParams):
        decode_cursor(encode_cursor((False, 1, SessionId("a")), "list"), "other")


@given(st.text())
def test_any_other_text_is_no_cursor(text: str) -> None:
    with pytest.raises(InvalidParams):
        decode_cursor(text, "list")


def test_what_a_cursor_is_bound_to() -> None:
    base = SessionQuery(tags=("a", "b"), metadata={"x": 1, "y": True})
    bound = fingerprint(base, ["/one", "/two"])
    same = SessionQuery(tags=("b", "a"), metadata={"y": True, "x": 1}, limit=3, after=(False, 1, SessionId("s")))
    assert fingerprint(same, ["/two", "/one"]) == bound
    for other in (
        SessionQuery(tags=("a",), metadata={"x": 1, "y": True}),
        SessionQuery(tags=("a", "b"), metadata={"x": 1, "y": 1}),
        SessionQuery(tags=("a", "b"), metadata={"x": 1, "y": True}, statuses=(SessionStatus.IDLE,)),
        SessionQuery(tags=("a", "b"), metadata={"x": 1, "y": True}, modes=(AgentMode.PLAN,)),
        SessionQuery(tags=("a", "b"), metadata={"x": 1, "y": True}, archived=True),
        SessionQuery(tags=("a", "b"), metadata={"x": 1, "y": True}, deleted=True),
    ):
        assert fingerprint(other, ["/one", "/two"]) != bound
    assert fingerprint(base, ["/one"]) != bound
