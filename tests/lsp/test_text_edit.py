from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kore_ls.lsp.text_edit import changed_stretch, from_utf16, units

ENCODINGS = ("utf-8", "utf-16", "utf-32")
TEXTS = st.lists(st.sampled_from(["a", "b", "中文", "😀x", "", "\r"]), max_size=6).map("\n".join)


def applied(text: str, edit: dict[str, Any], encoding: str) -> str:
    """What an editor makes of an edit."""
    lines = text.split("\n")

    def at(place: dict[str, int]) -> int:
        line = lines[place["line"]]
        column = next(n for n in range(len(line) + 1) if units(line[:n], encoding) == place["character"])
        return sum(len(each) + 1 for each in lines[: place["line"]]) + column

    start, end = at(edit["range"]["start"]), at(edit["range"]["end"])
    new: str = edit["newText"]
    return text[:start] + new + text[end:]


@given(before=TEXTS, after=TEXTS, encoding=st.sampled_from(ENCODINGS))
def test_an_edit_turns_one_text_into_the_other(before: str, after: str, encoding: str) -> None:
    assert applied(before, changed_stretch(before, after, encoding), encoding) == after


def test_an_edit_leaves_alone_what_is_the_same() -> None:
    before = "".join(f"line {n}\n" for n in range(100))
    edit = changed_stretch(before, before.replace("line 50\n", "changed\n"), "utf-16")
    assert edit == {
        "range": {"start": {"line": 50, "character": 0}, "end": {"line": 51, "character": 0}},
        "newText": "changed\n",
    }


@pytest.mark.parametrize(("encoding", "column"), [("utf-8", 7), ("utf-16", 3), ("utf-32", 2)])
def test_columns_are_told_in_the_client_s_encoding(encoding: str, column: int) -> None:
    assert from_utf16("中😀x", 3, encoding) == column
