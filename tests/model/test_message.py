"""A message as a value."""

from __future__ import annotations

import pytest

from kore_ls import Message, Role


@pytest.mark.parametrize("role", ["user", Role.USER])
def test_a_role_may_be_given_as_a_word(role: str | Role) -> None:
    assert Message(role=role, content="x").role is Role.USER


def test_there_is_no_other_role() -> None:
    with pytest.raises(ValueError, match="nobody"):
        Message(role="nobody", content="x")


def test_a_new_message_has_no_place_yet() -> None:
    message = Message(role="user", content="x")
    assert (message.id, message.session_id, message.seq, message.timestamp) == ("", "", 0, 0)


def test_a_message_never_changes() -> None:
    with pytest.raises(AttributeError):
        Message(role="user", content="x").content = "y"  # type: ignore[misc]
