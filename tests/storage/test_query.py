"""What people type becomes an expression that finds what they mean, and never an error."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kore_ls.storage.migrations import SEARCH_TABLES
from kore_ls.storage.query import parse_query
from kore_ls.storage.search_index import MESSAGES
from kore_ls.storage.segment import index_text

TEXTS = [
    "帮我实现用户认证，登录API接口",
    "getUserName in foo_bar",
    "HTTPServer v2.10 main.py:42 C++",
    "getusername ok",
    "一二 中 三",
]


@pytest.fixture(scope="module")
def index() -> Iterator[sqlite3.Connection]:
    db = sqlite3.connect(":memory:")
    db.execute(SEARCH_TABLES[MESSAGES])
    for number, text in enumerate(TEXTS):
        db.execute(f"INSERT INTO {MESSAGES} (rowid, text, whole) VALUES (?, ?, ?)", (number, *index_text(text)))
    yield db
    db.close()


def found(index: sqlite3.Connection, query: str) -> list[int] | None:
    parsed = parse_query(query)
    if not parsed.wanted:
        return None
    rows = index.execute(f"SELECT rowid FROM {MESSAGES} WHERE {MESSAGES} MATCH ?", (parsed.expression,))
    return [row[0] for row in rows]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("认证", [0]),
        ("认", [0]),
        ("用户认证", [0]),
        ("认证。", [0]),
        ("证认", []),
        ("户认证，登", [0]),
        ("登录API", [0]),
        ("API接", [0]),
        ("“用户认证”", [0]),
        ("「登录」 接口", [0]),
        ("中", [4]),
        ("getUserName", [1, 3]),
        ("getusername", [1, 3]),
        ("GETUSERNAME", [1, 3]),
        ("getUserN", [1, 3]),
        ("user", [1]),
        ('"user name"', [1]),
        ('"name user"', []),
        ("foo", [1]),
        ("fo", [1]),
        ("f", []),
        ("foo-bar", [1]),
        ("get -foo", []),
        ("get -认证", [1]),
        ("httpser", [2]),
        ("main.py", [2]),
        ("v2.10", [2]),
        ("C++", [2]),
        ("foo:bar", [1]),
        ("foo AND", []),
        ("get in", [1]),
    ],
)
def test_a_query_finds_what_it_means(index: sqlite3.Connection, query: str, numbers: list[int]) -> None:
    assert found(index, query) == numbers


@pytest.mark.parametrize("query", ["", " ", "*", "-", '"', "😀", "\0", "，。", "-认证", '""', "()", "^"])
def test_a_query_without_a_word_to_look_for_has_none(query: str) -> None:
    assert parse_query(query).wanted == ()


@given(st.text(max_size=120))
def test_nothing_typed_is_an_error(query: str) -> None:
    db = sqlite3.connect(":memory:")
    try:
        db.execute(SEARCH_TABLES[MESSAGES])
        found(db, query)
    finally:
        db.close()


def test_a_pasted_novel_is_cut() -> None:
    assert len(parse_query("word " * 100_000).wanted) <= 32
