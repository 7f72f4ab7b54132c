"""Reading a text and asking the index find the same, whatever is typed."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from hypothesis import example, given, settings
from hypothesis import strategies as st

from kore_ls.storage.migrations import SEARCH_TABLES
from kore_ls.storage.query import parse_query
from kore_ls.storage.segment import index_text
from kore_ls.storage.term_places import SearchedText

PIECES = st.lists(
    st.sampled_from(
        [
            *("第", "章", "认证", "用户", "的", "ガ", "한국", "𠀀", "ａｂ", "１", "é", "ß"),
            *("a", "ab", "src", "the", "User", "Name", "getUserName", "v", "v1", "1", "23", "x_y"),
            *(" ", "  ", "_", ".", "-", "/", "，", "😀", "\n"),
        ]
    ),
    min_size=1,
    max_size=6,
).map("".join)


@settings(max_examples=150)
@given(st.lists(PIECES, min_size=1, max_size=6), PIECES, st.booleans())
@example(texts=["第九章", "第3章"], typed="第3章", quoted=False)
@example(texts=["看README"], typed="看src", quoted=False)
@example(texts=["在vault", "在v1"], typed="在v1", quoted=True)
def test_a_text_holds_what_the_index_finds_in_it(texts: list[str], typed: str, quoted: bool) -> None:
    terms = parse_query(f'"{typed}"' if quoted else typed).wanted
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute(SEARCH_TABLES["messages_fts"])
        for number, text in enumerate(texts):
            db.execute("INSERT INTO messages_fts (rowid, text, whole) VALUES (?, ?, ?)", (number, *index_text(text)))
        for term in terms:
            found = db.execute("SELECT rowid FROM messages_fts WHERE messages_fts MATCH ?", (term.expression,))
            held = [number for number, text in enumerate(texts) if SearchedText(text).holds(term)]
            assert sorted(row[0] for row in found) == held
