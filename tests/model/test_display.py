"""Foreign text, made safe to show."""

from __future__ import annotations

import pytest

from kore_ls.model.display import shortened, visible


@pytest.mark.parametrize("text", ["", "plain", "会话 é e\u0301", "👩🏽‍💻 🏳️‍🌈 𠮷", "a\u00a0b\u3000c", "עברית"])
def test_ordinary_text_is_shown_as_it_is(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\0\x1b[31m\r\n\t", "␀␛[31m␍␊␉"),
        ("\x7f", "␡"),
        ("\x9b", "<009B>"),
        ("\u202eevil\u202c", "<202E>evil<202C>"),
        ("\u2066x\u2069", "<2066>x<2069>"),
        ("\u200b\u200e\u200f\ufeff\u061c", "<200B><200E><200F><FEFF><061C>"),
        ("\u2028\u2029", "<2028><2029>"),
        ("\ud800", "<D800>"),
    ],
)
def test_what_steers_is_shown_as_symbols(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_what_was_cut_is_marked() -> None:
    assert shortened("abc", 3) == "abc"
    assert shortened("abcd", 3) == "ab…"
