"""What user data may look like."""

from __future__ import annotations

from typing import Any

import pytest

from kore_ls.model import limits
from kore_ls.model.limits import Rule

LONE = "\ud800"


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        (limits.unicode_problem, "会话 🙂 \0"),
        (limits.id_problem, "x" * 64),
        (limits.name_problem, "名" * 200),
        (limits.name_problem, "two\nlines \x1b[31m"),
        (limits.tag_problem, "x" * 100),
        (limits.tags_problem, ("t",) * 64),
        (limits.description_problem, ""),
        (limits.description_problem, "x" * 4_000),
        (limits.content_problem, ""),
        (limits.content_problem, "\0"),
        (limits.content_problem, "x" * (16 << 20)),
        (limits.content_problem, "é" * (8 << 20)),
        (limits.content_problem, "🙂" * (4 << 20)),
        (limits.metadata_problem, {}),
        (limits.metadata_problem, {"": None, "a": [1, 2.5, True, {"深": "\0"}], "n": 1 << 100}),
        (limits.metadata_problem, {"k": "x" * ((64 << 10) - 8)}),
        (limits.between(1, 3), 1),
        (limits.between(1, 3), 3),
        (limits.one_of("a", "b"), "b"),
    ],
)
def test_what_is_allowed(rule: Rule, value: Any) -> None:
    assert rule(value) is None


@pytest.mark.parametrize(
    ("rule", "value", "problem"),
    [
        (limits.unicode_problem, "a" + LONE, "contains a lone surrogate"),
        (limits.id_problem, "../x", "must be 1 to 64 letters, digits, '_' or '-'"),
        (limits.name_problem, " \t\u3000\n", "must not be blank"),
        (limits.name_problem, "x" * 201, "must have at most 200 characters"),
        (limits.name_problem, "a\0", "must not contain NUL"),
        (limits.name_problem, LONE, "contains a lone surrogate"),
        (limits.tag_problem, "x" * 101, "must have at most 100 characters"),
        (limits.tags_problem, ("t",) * 65, "must have at most 64 entries"),
        (limits.description_problem, "x" * 4_001, "must have at most 4000 characters"),
        (limits.description_problem, LONE, "contains a lone surrogate"),
        (limits.content_problem, "x" * ((16 << 20) + 1), "must have at most 16777216 bytes"),
        (limits.content_problem, "é" * ((8 << 20) + 1), "must have at most 16777216 bytes"),
        (limits.content_problem, "x" * (5 << 20) + LONE, "contains a lone surrogate"),
        (limits.metadata_problem, {"k": "x" * (64 << 10)}, "must have at most 65536 bytes as JSON"),
        (limits.metadata_problem, {"k": "é" * (33 << 10)}, "must have at most 65536 bytes as JSON"),
        (limits.metadata_problem, {"k": [LONE]}, "contains a lone surrogate"),
        (limits.metadata_problem, {LONE: 1}, "contains a lone surrogate"),
        (limits.metadata_problem, {"k": float("nan")}, "must be a JSON object"),
        (limits.metadata_problem, {"k": {1, 2}}, "must be a JSON object"),
        (limits.between(1, 3), 0, "must be from 1 to 3"),
        (limits.between(1, 3), 4, "must be from 1 to 3"),
        (limits.one_of("a", "b"), "c", "must be one of a, b"),
    ],
)
def test_what_is_refused(rule: Rule, value: Any, problem: str) -> None:
    assert rule(value) == problem


@pytest.mark.parametrize("make", [lambda inner: {"k": inner}, lambda inner: [inner]])
def test_metadata_may_be_nested_60_deep(make: Any) -> None:
    value: Any = {}
    for _ in range(59):
        value = make(value)
    assert limits.metadata_problem({"k": value}) is None
    for _ in range(20_000):
        value = make(value)
    assert limits.metadata_problem({"k": value}) == "must be nested at most 60 deep"
    while value:  # by hand, for Python's own deallocation of so deep a value
        value = value["k"] if isinstance(value, dict) else value[0]


def test_every_rule_says_what_it_asks_for() -> None:
    for rule in (limits.id_problem, limits.name_problem, limits.between(1, 2), limits.one_of("a")):
        assert rule.__doc__
