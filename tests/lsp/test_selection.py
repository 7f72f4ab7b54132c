"""Selections are what the user sees selected, in every encoding of positions."""

from __future__ import annotations

from typing import Any

import pytest

from kore_ls.lsp.selection import around, selected, word_at

TEXT = "值😀 name = 1\nsecond\nthird\n4\n5\n6"


def span(*places: int) -> dict[str, Any]:
    """An LSP range: start line and character, end line and character."""
    line, character, last, end = places
    return {"start": {"line": line, "character": character}, "end": {"line": last, "character": end}}


@pytest.mark.parametrize(("encoding", "wide"), [("utf-8", 8), ("utf-16", 4), ("utf-32", 3)])
def test_columns_are_counted_as_the_client_counts(encoding: str, wide: int) -> None:
    found = selected(TEXT, span(0, wide, 1, 3), encoding)

    assert found is not None and found.text == "name = 1\nsec"
    assert found.range == span(0, 4, 1, 3)
    assert word_at(TEXT, span(0, wide + 4, 0, wide + 4), encoding) == "name"
    assert word_at(TEXT, span(0, wide + 5, 0, wide + 5), encoding) == ""


@pytest.mark.parametrize(
    "range_", [span(0, 3, 0, 3), span(1, 0, 0, 0), span(9, 0, 9, 9), None, 7, {}, span(0, -1, 0, 1)]
)
def test_what_covers_nothing_is_no_selection(range_: Any) -> None:
    assert selected(TEXT, range_, "utf-16") is None


def test_a_selection_may_end_below_the_last_line() -> None:
    found = selected(TEXT, span(4, 0, 6, 0), "utf-16")

    assert found is not None and found.text == "5\n6"


def test_a_problem_comes_with_the_lines_around_it() -> None:
    found = around(TEXT, span(1, 2, 1, 3))

    assert found is not None and found.text == "值😀 name = 1\nsecond\nthird\n4\n5"
    assert around(TEXT, span(9, 0, 9, 0)) is None and around(TEXT, None) is None
