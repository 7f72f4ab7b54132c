"""A snippet shows the place that matches, and marks it to the letter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kore_ls.storage.query import parse_query
from kore_ls.storage.snippet import snippet_of


def marked(text: str, query: str) -> list[str]:
    """The marked pieces, cut by UTF-16 units as an editor would."""
    snippet, ranges = snippet_of(text, parse_query(query).wanted)
    units = snippet.encode("utf-16-le")
    return [units[start * 2 : end * 2].decode("utf-16-le") for start, end in ranges]


@pytest.mark.parametrize(
    ("text", "query", "pieces"),
    [
        ("帮我实现用户认证", "认证", ["认证"]),
        ("帮我实现用户认证", "认", ["认"]),
        ("😀😀 getUserName(ＡＢＣ)", "getusername abc", ["getUserName", "ＡＢＣ"]),
        ("getUserName", "user", ["User"]),
        ("ｶﾞｷﾞ テスト", "ガギ", ["ｶﾞｷﾞ"]),
        ("e\u0301te\u0301 ok", "ete", ["e\u0301te\u0301"]),
        ("STRASSE und Straße", "straße", ["STRASSE", "Straße"]),
        ("other words, the end", "the", ["the"]),
        ("nothing here", "认证", []),
    ],
)
def test_what_matches_is_marked(text: str, query: str, pieces: list[str]) -> None:
    assert marked(text, query) == pieces


def test_the_place_is_found_far_inside_a_long_text() -> None:
    text = "前文 " * 20_000 + "这里有用户认证模块" + " later" * 20_000
    snippet, _ = snippet_of(text, parse_query("用户认证").wanted)

    assert marked(text, "用户认证") == ["用户认证"]
    assert len(snippet) < 200
    assert snippet.startswith("…")
    assert snippet.endswith("…")


def test_the_place_where_the_words_meet_is_preferred() -> None:
    text = "alpha " + "x " * 200 + "beta " + "y " * 200 + "alpha beta"

    assert marked(text, "alpha beta") == ["alpha", "beta"]


def test_a_snippet_is_one_line_and_tears_no_character_apart() -> None:
    snippet, _ = snippet_of("行\r\n一\t认证" + "👨‍👩‍👧" * 100, parse_query("认证").wanted)

    assert not set(snippet) & set("\r\n\t")
    assert not snippet.rstrip("…").endswith("\u200d")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=400), st.text(max_size=30))
def test_ranges_lie_inside_the_snippet(text: str, query: str) -> None:
    snippet, ranges = snippet_of(text, parse_query(query).wanted)
    size = len(snippet.encode("utf-16-le")) // 2

    assert all(0 <= start < end <= size for start, end in ranges)
    assert [r for pair in ranges for r in pair] == sorted(r for pair in ranges for r in pair)
