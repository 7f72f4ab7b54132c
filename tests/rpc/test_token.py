"""The token of a TCP server: only its user can read it, only who has read it is admitted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kore_ls.rpc.token import Token


def hello(token: Any) -> dict[str, Any]:
    return {"initializationOptions": {"kore": {"token": token}}}


def test_the_file_is_the_users_own_and_holds_256_bits(tmp_path: Path) -> None:
    token = Token(tmp_path / "state", "tcp-1")
    assert token.path.stat().st_mode & 0o777 == 0o600
    assert token.path.parent.stat().st_mode & 0o777 == 0o700
    assert len(bytes.fromhex(token.path.read_text())) == 32


def test_who_has_read_the_file_is_admitted(tmp_path: Path) -> None:
    token = Token(tmp_path, "tcp-1")
    assert token.admits(hello(token.path.read_text()))


@pytest.mark.parametrize(
    "params",
    [
        hello(""),
        hello("0" * 64),
        hello(None),
        hello(7),
        hello("文"),
        hello("\ud800"),
        {},
        None,
        [],
        {"initializationOptions": 1},
    ],
)
def test_nobody_else_is_admitted(tmp_path: Path, params: Any) -> None:
    assert not Token(tmp_path, "tcp-1").admits(params)


def test_each_start_has_its_own_token_whatever_was_left_there(tmp_path: Path) -> None:
    first = Token(tmp_path, "tcp-1").path.read_text()
    second = Token(tmp_path, "tcp-1")
    assert second.path.read_text() != first
    second.remove()
    second.remove()
    assert not second.path.exists()


def test_a_link_that_was_left_there_is_replaced_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "tcp-1.token").symlink_to(elsewhere)
    token = Token(tmp_path, "tcp-1")
    assert not elsewhere.exists() and not token.path.is_symlink()
