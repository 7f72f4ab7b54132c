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


def test_what_was_noted_can_be_taken_back() -> None:
    problems = Problems(most=2)
    for text in "abcde":
        problems.note(text)
    problems.forget_after(4)
    assert (problems.count, problems.texts()) == (4, ["a", "b", "and 2 more problems"])
    problems.forget_after(1)
    assert (problems.count, problems.texts()) == (1, ["a"])
