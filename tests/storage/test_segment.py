"""Text becomes the tokens that the index holds."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kore_ls.storage.segment import index_text, normalized, placed_tokens, tokens_of


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("用户认证", ["用户", "户认", "认证", "证"]),
        ("登录API接口", ["登录", "录", "api", "接口", "口"]),
        ("户，认", ["户", "认"]),
        ("getUserName", ["get", "user", "name"]),
        ("HTTPServer parseJSON2HTML", ["http", "server", "parse", "json", "2", "html"]),
        ("foo_bar-baz", ["foo", "bar", "baz"]),
        ("src/main.py:42", ["src", "main", "py", "42"]),
        ("v2.10 C++ v2ray", ["v", "2", "10", "c", "v2ray"]),
        ("ＡＢＣ１２３", ["abc123"]),
        ("ｶﾞｷﾞ", ["ガギ", "ギ"]),
        ("한국어", ["한국", "국어", "어"]),
        ("𠀀𠀁", ["𠀀𠀁", "𠀁"]),
        ("STRASSE Straße", ["strasse", "strasse"]),
        ("café cafe\u0301 CAFÉ", ["cafe", "cafe", "cafe"]),
        ("😀 -- \0 。", []),
    ],
)
def test_text_splits_where_people_see_words(text: str, tokens: list[str]) -> None:
    assert tokens_of(normalized(text))[0] == tokens


def test_an_identifier_is_also_kept_in_one_piece() -> None:
    assert tokens_of("call getUserName of HTTPServer, not plain words")[1] == ["getusername", "httpserver"]


def test_identifiers_in_one_piece_never_stand_next_to_each_other() -> None:
    assert index_text("fooBar bazQux")[1].split() == ["foobar", "·", "bazqux"]


def test_a_long_word_counts_by_its_start() -> None:
    assert tokens_of("a" * 100_000)[0] == ["a" * 64]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_tokens_with_places_are_the_same_tokens(text: str) -> None:
    """What marks a match must agree with what found it."""
    plain = normalized(text)
    for placed, tokens in zip(placed_tokens(plain), tokens_of(plain), strict=True):
        assert placed.texts == tokens
        assert len(placed.starts) == len(placed.ends) == len(tokens)
        assert all(0 <= a < b <= len(plain) for a, b in zip(placed.starts, placed.ends, strict=True))


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=50), st.text("，：；！？（）。、ａ中 ", max_size=20))
def test_normalizing_is_what_unicode_says(text: str, signs: str) -> None:
    assert normalized(text + signs + text) == unicodedata.normalize("NFKC", text + signs + text)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_no_token_holds_what_fts5_would_read_as_syntax(text: str) -> None:
    for token in tokens_of(normalized(text))[0]:
        assert token
        assert not set(token) & set('" *^:()-+\0\n')
