"""A search finds every message that holds what was typed, and no other: as a look at all the texts would."""

from __future__ import annotations

import random
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kore_ls.storage import candidates
from kore_ls.storage.segment import folded, normalized
from tests.bench.search_text import Writer
from tests.ciphers import IDS
from tests.storage.found import database, hits, message_ids

SESSIONS = 7
_WORDS = """
getUserName parseJSON2HTML HTTPServer XMLHttpRequest foo_bar snake_case_name src/main.py kore/session/list v2.10.3
README.md café STRASSE naïve 1.25 C++ user name http server request the
"""
WORDS = _WORDS.split()


def corpus() -> list[str]:
    """Chinese, Japanese, Korean, English and code; some of it in full or half width."""
    writer, random_ = Writer(3), random.Random(4)
    texts = [writer.message()[: random_.randint(20, 400)] for _ in range(500)]
    for index in range(0, len(texts), 3):
        words = random_.sample(WORDS, 3)
        if index % 2:
            words[0] = words[0].translate({code: code + 0xFEE0 for code in range(0x21, 0x7F)})
        texts[index] += " ".join(("", *words, random_.choice(["ガギグ 파이썬", "ｶﾞｷﾞｸﾞ 東京都", "한국어 𠀀𠀁字", "ｱｲｳ"])))
    return texts


TEXTS = corpus()


@pytest.fixture(scope="module", params=[False, pytest.param(True, marks=pytest.mark.slow)], ids=IDS)
def searched(request: pytest.FixtureRequest) -> Iterator[sqlite3.Connection]:
    with database(TEXTS, sessions=SESSIONS, encrypted=request.param) as db:
        yield db


def holding(holds: Callable[[str], bool]) -> list[str]:
    """The ids of the messages whose normalized text `holds`."""
    return sorted(
        f"s{number % SESSIONS}-{number // SESSIONS + 1}" for number, text in enumerate(TEXTS) if holds(normalized(text))
    )


def words_of(text: str) -> list[str]:
    """The parts of the words, lower-cased, found in another way than the segmenter's."""
    words: list[str] = []
    for word in re.findall(r"[^\W_]+", re.sub("[\u2e80-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]+", " ", text)):
        parts = re.sub(
            r"([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])", r"\1\3 \2\4", re.sub("(?<=[A-Z])(?=[A-Z][a-z])", " ", word)
        )
        words += re.sub(r"^v([0-9]+)$", r"v \1", folded(parts)).split()
    return words


def some(number: int, least: int, most: int) -> list[str]:
    """Pieces of runs of Chinese, Japanese and Korean in the texts, of so many characters."""
    random_ = random.Random(number)
    pieces: list[str] = []
    while len(pieces) < number:
        runs = re.findall("[\u3041-\u9fff\uac00-\ud7a3\U00020000-\U0002a6df]+", normalized(random_.choice(TEXTS)))
        run = random_.choice(runs or [""])
        size = random_.randint(least, most)
        if len(run) >= size:
            start = random_.randint(0, len(run) - size)
            pieces.append(run[start : start + size])
    return pieces


@pytest.mark.parametrize("piece", [*some(25, 2, 8), *some(12, 1, 1), "ガ", "ガギ", "京都", "𠀀", "𠀀𠀁", "이썬"])
def test_a_piece_of_chinese_finds_the_messages_that_contain_it(searched: sqlite3.Connection, piece: str) -> None:
    assert message_ids(hits(searched, piece)) == holding(lambda text: piece in text) != []


def test_what_is_nowhere_is_not_found(searched: sqlite3.Connection) -> None:
    everything = "".join(map(normalized, TEXTS))
    absent = [piece for piece in ("的的的的", "证认", "齾齉", "鬱") if piece not in everything]
    assert absent
    assert [hits(searched, piece) for piece in absent] == [[]] * len(absent)


@pytest.mark.parametrize(
    "word", ["the", "user", "name", "http", "bar", "snake", "main", "cafe", "strasse", "html", "10"]
)
def test_a_word_finds_the_messages_that_hold_it_also_inside_identifiers(
    searched: sqlite3.Connection, word: str
) -> None:
    found = message_ids(hits(searched, f'"{word}"'))
    assert found == holding(lambda text: word in words_of(text)) != []


@pytest.mark.parametrize("beginning", ["th", "us", "htt", "re", "nam", "sna", "v2", "pars", "ca"])
def test_the_last_word_may_go_on(searched: sqlite3.Connection, beginning: str) -> None:
    def goes_on(text: str) -> bool:
        whole = re.findall(r"[0-9a-z]+", folded(text))
        return any(word.startswith(beginning) for word in [*words_of(text), *whole])

    assert message_ids(hits(searched, beginning)) == holding(goes_on) != []


@pytest.mark.parametrize("identifier", [word for word in WORDS if not word.isalpha() or not word.islower()])
def test_an_identifier_is_found_in_any_width_and_case(searched: sqlite3.Connection, identifier: str) -> None:
    wide = identifier.translate({code: code + 0xFEE0 for code in range(0x21, 0x7F)})
    alone = re.compile(rf"(?<![0-9a-z]){re.escape(folded(identifier))}(?![0-9a-z])")
    expected = holding(lambda text: alone.search(folded(text)) is not None)
    found = [message_ids(hits(searched, f'"{word}"')) for word in (identifier, wide)]

    assert set(expected) <= set(found[0])
    assert expected
    assert found[0] == found[1]
    assert set(found[0]) <= set(holding(lambda text: all(part in words_of(text) for part in words_of(identifier))))


def test_half_width_letters_are_the_same_as_full_width_ones(searched: sqlite3.Connection) -> None:
    assert message_ids(hits(searched, "ｶﾞｷﾞ")) == message_ids(hits(searched, "ガギ")) != []


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ("用户认证 the", lambda text: "用户认证" in text and any(w.startswith("the") for w in words_of(text))),
        ("the 用户认证", lambda text: "用户认证" in text and "the" in words_of(text)),
        ("用户认证 -the", lambda text: "用户认证" in text and "the" not in words_of(text)),
        ("the -用户认证", lambda text: "用户认证" not in text and "the" in words_of(text)),
        ("认证 -的", lambda text: "认证" in text and "的" not in text),
        ("的 -的", lambda _: False),
        ("的 是 -不", lambda text: "的" in text and "是" in text and "不" not in text),
        ('"http server"', lambda text: "http server" in " ".join(words_of(text))),
        ("「用户认证」 “数据库”", lambda text: "用户认证" in text and "数据库" in text),
    ],
)
def test_words_phrases_and_exclusions(searched: sqlite3.Connection, query: str, holds: Callable[[str], bool]) -> None:
    assert message_ids(hits(searched, query)) == holding(holds)


ALPHABET = "的认证用户ガｶﾞé　，. aAbBſＡ１2_-#\u0301\u3099한ᄒㄱ𠀀㍻ﬁßΣ①￥😀→"


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.text(ALPHABET, max_size=12), min_size=1, max_size=12),
    st.lists(st.text(ALPHABET, min_size=1, max_size=3), min_size=1, max_size=3),
)
def test_reading_messages_finds_just_what_the_index_finds(texts: Sequence[str], words: Sequence[str]) -> None:
    """Small sessions and words that may go on are answered from the texts, and nobody must see a difference."""
    query = " ".join(words)
    with database(texts) as db, pytest.MonkeyPatch.context() as patch:
        read = message_ids(hits(db, query, session_id="s0"))
        patch.setattr(candidates, "READ_ROWS", 0)
        patch.setattr(candidates, "TRIED_ROWS", 0)
        patch.setattr(candidates, "ENOUGH", 1 << 30)
        asked = message_ids(hits(db, query, session_id="s0"))
        assert read == asked
        assert message_ids([hit for hit in hits(db, query) if hit.matches]) == asked


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
@example("0A\u030b")  # a mark that goes with no letter of its part
def test_nothing_typed_is_an_error(query: str) -> None:
    with database(["the quick 认证", "getUserName", query], sessions=2) as db:
        hits(db, query)
