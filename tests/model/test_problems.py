"""A bounded list of complaints."""

from __future__ import annotations

from kore_ls.model.problems import Problems


def test_the_first_are_kept_and_the_rest_counted() -> None:
    problems = Problems(most=2)
    assert problems.texts() == []
    for text in "ab":
        problems.note(text)
    assert problems.texts() == ["a", "b"]
    for text in "cde":
        problems.note(text)
    assert problems.texts() == ["a", "b", "and 3 more problems"]
