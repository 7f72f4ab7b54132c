"""Identifiers and time."""

from __future__ import annotations

import time

import pytest

from kore_ls.model.ids import is_id, new_id, now_ms


@pytest.mark.parametrize("value", ["a", "A-Z_0-9", "x" * 64, "-", "0192f0c1-0000-7000-8000-000000000000"])
def test_what_an_identifier_looks_like(value: str) -> None:
    assert is_id(value)


@pytest.mark.parametrize("value", ["", "x" * 65, "a b", "a\n", "../x", "a.b", "é", "\u0661", "a\0", "\ud800", "会话"])
def test_what_is_no_identifier(value: str) -> None:
    assert not is_id(value)


def test_ids_made_later_sort_later() -> None:
    made = [new_id() for _ in range(5_000)]
    assert made == sorted(set(made))
    assert all(is_id(each) for each in made)


def test_now_is_in_milliseconds() -> None:
    before = time.time()
    assert before * 1000 - 1 <= now_ms() <= time.time() * 1000 + 1
