"""The steps of a session, from one record to the next."""

from __future__ import annotations

import pytest
from attrs import evolve

from kore_ls.errors import BadTransition, InvalidParams, SessionClosed
from kore_ls.model.ids import SessionId
from kore_ls.model.mode import AgentMode
from kore_ls.model.session import SessionRecord, SessionStatus
from kore_ls.sessions import changes
from kore_ls.sessions.changes import SessionUpdate

RECORD = SessionRecord(
    id=SessionId("s"), name="n", agent_mode=AgentMode.BUILD, created_at=5, updated_at=10, metadata={"a": 1}
)


def test_a_rename_moves_the_time_but_never_back() -> None:
    assert changes.renamed(RECORD, "m", 20) == evolve(RECORD, name="m", updated_at=20)
    assert changes.renamed(RECORD, "m", 3) == evolve(RECORD, name="m", updated_at=10)


def test_an_update_that_changes_nothing_moves_no_time() -> None:
    same = SessionUpdate(mode=AgentMode.BUILD, metadata={"a": 1, "b": None}, pinned=False, description="")
    assert changes.updated(RECORD, same, 20) == RECORD


def test_metadata_and_config_are_merged() -> None:
    update = SessionUpdate(metadata={"a": None, "b": [None]}, config={"x": 1})
    assert changes.updated(RECORD, update, 20) == evolve(RECORD, metadata={"b": [None]}, config={"x": 1}, updated_at=20)
    emptied = changes.updated(evolve(RECORD, config={"x": 1}), SessionUpdate(config={"x": None}), 20)
    assert emptied.config is None


def test_what_is_too_large_after_merging_is_refused() -> None:
    record = evolve(RECORD, metadata={"a": "x" * 40_000})
    with pytest.raises(InvalidParams, match="metadata"):
        changes.updated(record, SessionUpdate(metadata={"b": "x" * 40_000}), 20)


def test_the_steps_that_leave_the_time_alone() -> None:
    closed = evolve(RECORD, status=SessionStatus.CLOSED)
    paused = evolve(RECORD, status=SessionStatus.PAUSED)
    assert changes.closed(RECORD) == changes.closed(closed) == changes.closed(paused) == closed
    assert changes.switched_to(closed) == RECORD
    assert changes.switched_to(paused) == paused
    assert changes.paused(RECORD) == paused
    assert changes.resumed(paused) == RECORD
    assert changes.restored(changes.deleted(RECORD, 30)) == RECORD


def test_a_session_deleted_again_keeps_its_first_time() -> None:
    once = changes.deleted(RECORD, 30)
    assert changes.deleted(once, 40) == once


def test_the_steps_that_are_refused() -> None:
    closed = evolve(RECORD, status=SessionStatus.CLOSED)
    for step in (changes.paused, changes.resumed):
        with pytest.raises(SessionClosed):
            step(closed)
    with pytest.raises(BadTransition):
        changes.resumed(RECORD)
    with pytest.raises(BadTransition):
        changes.paused(evolve(RECORD, status=SessionStatus.PAUSED))
