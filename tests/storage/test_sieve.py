"""What a search does not look through can't hold its words."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kore_ls.storage.query import parse_query
from kore_ls.storage.segment import folded, normalized
from kore_ls.storage.sieve import Sieve
from kore_ls.storage.term_places import SearchedText

ALPHABET = "的认证用户不一ガｶﾞé　，。. aAbBſＡ１2_-#\u0301\u3099한ᄒㄱ𠀀㍻ﬁßΣ①￥😀→\uf967⼀㊀"


@settings(max_examples=300)
@given(st.text(ALPHABET, max_size=12), st.text(ALPHABET, min_size=1, max_size=4))
@example(text="\uf967存在", typed="不存在")
@example(text="⼀个", typed="一个")
@example(text="ＡＢ", typed="ab")
def test_a_text_that_holds_all_the_words_passes(text: str, typed: str) -> None:
    terms = parse_query(typed).wanted
    searched = SearchedText(text)
    if all(map(searched.holds, terms)):
        assert Sieve(terms).passes(text.encode())
        assert 1 in Sieve(terms).sift([b"", text.encode(), b"\xe4\xb8"])


def test_of_many_texts_those_pass_that_may_hold_the_word() -> None:
    sieve = Sieve(parse_query("user").wanted)
    texts = [each.encode() for each in ("用户，", "User", "→ 😀 ✓ €", "ｕser", "us", "er")]
    assert sieve.sift(texts) == [1, 3]
    assert not sieve.sift(texts[-2:])
    assert not sieve.sift([])


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("认证", "用户，登录"),
        ("user", "名字，的。“x”"),
        ("user", "→ ✓ 😀 ❤️ ├── 5 € ≤ ！かカ"),
        ("getUserName", "get the name"),
        ("不在", "一不小心"),
    ],
)
def test_a_text_without_a_word_does_not(typed: str, text: str) -> None:
    assert not Sieve(parse_query(typed).wanted).passes(text.encode())


@pytest.mark.slow
def test_whatever_is_normalized_to_a_letter_or_a_chinese_character_passes() -> None:
    letter, chinese = Sieve(parse_query('"a"').wanted), "㐀一不龥"
    for code in range(0x80, 0x110000):
        look = unicodedata.normalize("NFKC", chr(code)) if not 0xD800 <= code < 0xE000 else ""
        if "a" in look.casefold():
            assert letter.passes(chr(code).encode()), hex(code)
        for char in set(look) & set(chinese):
            assert Sieve(parse_query(char).wanted).passes(f"{chr(code)}".encode()), hex(code)


@pytest.mark.slow
def test_what_is_told_to_have_no_other_form_has_none() -> None:
    nothing = Sieve(parse_query('"qq"').wanted)
    for code in range(0x80, 0x110000):
        char = chr(code) if not 0xD800 <= code < 0xE000 else ""
        if not nothing.passes(char.encode()):
            for text in (char, f"か{char}", f"한{char}"):
                form = folded(normalized(text))
                assert {each for each in form if each.isalnum()} <= set(text), hex(code)
