from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from kore_ls.model.mode import AgentMode
from kore_ls.model.session import SessionRecord, SessionStatus
from kore_ls.storage.codec import Codec, StoreConnection
from kore_ls.storage.migrations import migrate
from kore_ls.storage.sealing import install
from kore_ls.storage.session_rows import Hidden, SessionQuery, insert_session, list_sessions, position_of
from tests.storage.values import record

TAGS = ("a", "b", "c")
# Few different times, so that most places in a list are ties.
RECORDS = st.lists(
    st.builds(
        lambda number, **fields: record(f"s{number}", **fields),
        number=st.integers(0, 999),
        updated_at=st.integers(1, 3),
        pinned=st.booleans(),
        archived=st.booleans(),
        deleted_at=st.sampled_from([None, None, 5]),
        status=st.sampled_from(SessionStatus),
        agent_mode=st.sampled_from(AgentMode),
        tags=st.lists(st.sampled_from(TAGS), unique=True).map(tuple),
        metadata=st.fixed_dictionaries({"k": st.sampled_from([1, True, "1", None])}),
    ),
    max_size=60,
    unique_by=lambda each: each.id,
)
QUERIES = st.builds(
    SessionQuery,
    statuses=st.lists(st.sampled_from(SessionStatus), max_size=2).map(tuple),
    modes=st.lists(st.sampled_from(AgentMode), max_size=2).map(tuple),
    tags=st.lists(st.sampled_from(TAGS), max_size=2, unique=True).map(tuple),
    metadata=st.sampled_from([None, None, {"k": 1}, {"k": True}, {"k": "1"}]),
    archived=st.booleans(),
    deleted=st.booleans(),
    limit=st.integers(1, 7),
)


def listed(db: sqlite3.Connection, query: SessionQuery) -> list[SessionRecord]:
    """All pages, one after the other."""
    found: list[SessionRecord] = []
    while True:
        page = list_sessions(db, query)
        assert len(page.sessions) <= query.limit
        found += page.sessions
        if page.position is None:
            return found
        query = evolve(query, after=page.position)


def matches(each: SessionRecord, query: SessionQuery) -> bool:
    wanted = (query.metadata or {}).get("k")
    return (
        (each.deleted_at is not None) is query.deleted
        and (query.deleted or each.archived is query.archived)
        and (not query.statuses or each.status in query.statuses)
        and (not query.modes or each.agent_mode in query.modes)
        and set(query.tags) <= set(each.tags)
        and (wanted is None or (type(wanted), wanted) == (type(each.metadata["k"]), each.metadata["k"]))
    )


@contextmanager
def database(encrypted: bool) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None, factory=StoreConnection)) as db:
        migrate(db)
        if encrypted:
            install(db, Codec(1, bytes(32)))
        yield db


@pytest.fixture
def db(passphrase: str) -> Iterator[sqlite3.Connection]:
    with database(bool(passphrase)) as db:
        yield db


@settings(max_examples=60, deadline=None)
@given(records=RECORDS, query=QUERIES, encrypted=st.booleans())
def test_pages_hold_every_match_once_and_in_order(
    records: list[SessionRecord], query: SessionQuery, encrypted: bool
) -> None:
    with database(encrypted) as db:
        for each in records:
            insert_session(db, each)
        expected = sorted((each for each in records if matches(each, query)), key=position_of, reverse=True)

        assert listed(db, query) == expected


def test_a_rare_match_far_down_is_reached_in_bounded_steps(db: sqlite3.Connection) -> None:
    db.execute("BEGIN")
    for number in range(6_000):
        insert_session(db, record(updated_at=number, tags=("rare",) if number == 3 else ()))
    db.execute("COMMIT")
    query = SessionQuery(tags=("rare",))

    first = list_sessions(db, query)

    assert first.sessions == ()
    assert first.position is not None
    assert len(listed(db, query)) == 1


def test_what_is_on_its_way_in_or_out_is_not_listed(db: sqlite3.Connection) -> None:
    for hidden in Hidden:
        insert_session(db, record(hidden.name), hidden, now=1)

    assert [each.id for each in listed(db, SessionQuery())] == ["NO"]


@pytest.mark.parametrize(
    "query",
    [SessionQuery(), SessionQuery(archived=True), SessionQuery(deleted=True), SessionQuery(after=(True, 5, "s"))],  # type: ignore[arg-type]
)
def test_a_page_is_read_from_an_index_in_its_order(db: sqlite3.Connection, query: SessionQuery) -> None:
    statements: list[str] = []
    db.set_trace_callback(statements.append)
    list_sessions(db, query)
    db.set_trace_callback(None)

    plan = " ".join(str(row[3]) for row in db.execute(f"EXPLAIN QUERY PLAN {statements[0]}"))

    assert "USING INDEX idx_sessions_" in plan
    assert "TEMP B-TREE" not in plan
