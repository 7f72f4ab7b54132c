"""A session's states, and what a list shows of it."""

from __future__ import annotations

from itertools import product

import pytest

from kore_ls.errors import BadTransition, SessionClosed
from kore_ls.model.ids import SessionId
from kore_ls.model.mode import AgentMode
from kore_ls.model.session import TRANSITIONS, SessionRecord, SessionStatus, check_transition, preview_of

IDLE, RUNNING, PAUSED, CLOSED = SessionStatus
ALLOWED = {
    (IDLE, RUNNING),
    (RUNNING, IDLE),
    (RUNNING, PAUSED),
    (PAUSED, RUNNING),
    (IDLE, PAUSED),
    (PAUSED, IDLE),
    (IDLE, CLOSED),
    (RUNNING, CLOSED),
    (PAUSED, CLOSED),
    (CLOSED, IDLE),
}


@pytest.mark.parametrize(("before", "after"), list(product(SessionStatus, SessionStatus)))
def test_the_steps_there_are(before: SessionStatus, after: SessionStatus) -> None:
    session_id = SessionId("s")
    if (before, after) in ALLOWED:
        check_transition(session_id, before, after)
    elif before is CLOSED:
        with pytest.raises(SessionClosed):
            check_transition(session_id, before, after)
    else:
        with pytest.raises(BadTransition) as raised:
            check_transition(session_id, before, after)
        assert raised.value.params == {"sessionId": "s", "status": before.value, "wanted": after.value}


def test_every_status_has_its_steps() -> None:
    assert TRANSITIONS.keys() == set(SessionStatus)


def test_a_session_never_changes() -> None:
    record = SessionRecord(id=SessionId("s"), name="n", agent_mode=AgentMode.BUILD, created_at=1, updated_at=1)
    with pytest.raises(AttributeError):
        record.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("content", "preview"),
    [
        ("", ""),
        (" \n\t ", ""),
        ("  one\r\n\r\n two\u2028three  ", "one two three"),
        ("x" * 500, "x" * 120),
        ("会" * 121, "会" * 120),
        (" " * 200 + "late", "late"),
        ("a " * 200, ("a " * 60).strip() + " "),
    ],
)
def test_the_preview_is_the_start_on_one_line(content: str, preview: str) -> None:
    assert preview_of(content).rstrip() == preview.rstrip()


def test_the_preview_of_a_long_text_looks_at_its_start_only() -> None:
    assert preview_of(" " * 1_000_000 + "x") == ""
