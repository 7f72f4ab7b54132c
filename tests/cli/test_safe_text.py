from __future__ import annotations

import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from kore_ls.cli.safe_text import body, json_text, line
from tests.cli.commands import HOSTILE, OBEYED

DIRECTIONS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
STEERING = st.one_of(
    st.text(),
    st.text(st.sampled_from([chr(code) for code in (*range(0x20), *range(0x7F, 0xA0), *range(0x2000, 0x2070))])),
    st.text(st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp"])),
)
UNICODE = STEERING.filter(lambda text: text.encode("utf-8", "ignore").decode() == text)
"""Without lone surrogates, which no store has."""


def steers(char: str) -> bool:
    """Whether a terminal may do something else with the character than show it."""
    marks = "\u200e\u200f\u061c\ufeff"
    category = unicodedata.category(char)
    return category in ("Cc", "Cs", "Zl", "Zp") or unicodedata.bidirectional(char) in DIRECTIONS or char in marks


@given(STEERING)
def test_a_line_has_nothing_that_steers(text: str) -> None:
    assert not any(steers(char) for char in line(text))


@given(STEERING)
def test_a_body_keeps_line_breaks_and_nothing_else_that_steers(text: str) -> None:
    shown = body(text)

    assert not any(steers(char) for char in shown if char != "\n")
    assert shown.count("\n") == text.count("\n")


@given(st.text(st.characters(categories=["L", "M", "N", "P", "S"])))
def test_what_steers_nothing_is_shown_as_it_is(text: str) -> None:
    assert line(text) == body(text) == text


@given(st.dictionaries(UNICODE, UNICODE))
def test_json_means_the_same_and_steers_nothing(value: dict[str, str]) -> None:
    text = json_text(value)

    assert json.loads(text) == value
    assert not any(steers(char) for char in text if char != "\n")


def test_controls_can_be_told_apart() -> None:
    assert line("\x1b[2J") == "␛[2J"
    assert line("a\nb\tc\x7f") == "a␊b␉c␡"
    assert line("\u202eabc\u2066") == "<202E>abc<2066>"
    assert line("\x9b") == "<009B>"


def test_line_breaks_of_other_systems_are_line_breaks_in_a_body() -> None:
    assert body("one\r\ntwo\nthree\rfour") == "one\ntwo\nthree␍four"


def test_tabs_of_a_body_are_spaces() -> None:
    assert body("a\tb\n\tc") == "a       b\n        c"


def test_emoji_made_of_several_stay_whole() -> None:
    assert line("👨‍👩‍👧 中文") == "👨‍👩‍👧 中文"


def test_a_hostile_name_is_not_obeyed() -> None:
    for sequence in OBEYED:
        assert sequence not in line(HOSTILE)
        assert sequence not in body(HOSTILE)
        assert sequence not in json_text({HOSTILE: HOSTILE})
