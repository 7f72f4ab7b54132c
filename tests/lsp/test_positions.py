"""Positions of a client's answers, whatever the client counts."""

from __future__ import annotations

from typing import Any

import pytest

from kore_ls.lsp.positions import in_utf16

TEXTS = {"file:///a": "😀é中x\nplain", "file:///b": "中x"}


def span(character: int, line: int = 0) -> dict[str, Any]:
    return {"start": {"line": line, "character": 0}, "end": {"line": line, "character": character}}


def end(value: Any) -> int:
    found = value["range"]["end"]["character"]
    assert isinstance(found, int)
    return found


@pytest.mark.parametrize(
    ("encoding", "character", "wanted"),
    [
        *(("utf-8", 4, 2), ("utf-8", 6, 3), ("utf-8", 9, 4), ("utf-8", 10, 5), ("utf-8", 99, 5), ("utf-8", 2, 0)),
        *(("utf-32", 1, 2), ("utf-32", 3, 4), ("utf-16", 3, 3)),
    ],
)  # fmt: skip
def test_a_position_is_counted_in_utf_16_units(encoding: str, character: int, wanted: int) -> None:
    assert end(in_utf16({"range": span(character)}, "file:///a", encoding, TEXTS.get)) == wanted


def test_each_place_is_counted_in_its_own_document() -> None:
    answer = [
        {"uri": "file:///b", "range": span(3)},
        {"targetUri": "file:///b", "range": span(3), "originSelectionRange": span(4)},
        {"range": span(4)},
        {"uri": "file:///unknown", "range": span(4)},
    ]
    found = in_utf16(answer, "file:///a", "utf-8", TEXTS.get)
    assert [end(each) for each in found] == [1, 1, 2, 4]
    assert found[1]["originSelectionRange"] == span(2)


def test_edits_are_counted_in_the_documents_they_change() -> None:
    edit = {"range": span(3), "newText": "y"}
    answer = {
        "changes": {"file:///b": [edit]},
        "documentChanges": [{"textDocument": {"uri": "file:///b", "version": 1}, "edits": [edit]}],
    }
    found = in_utf16(answer, "file:///a", "utf-8", TEXTS.get)
    assert end(found["changes"]["file:///b"][0]) == end(found["documentChanges"][0]["edits"][0]) == 1


@pytest.mark.parametrize("answer", [None, 7, "x", [], {"line": -1, "character": 2}, {"range": None}])
def test_what_holds_no_position_stays_as_it_is(answer: Any) -> None:
    assert in_utf16(answer, "file:///a", "utf-8", TEXTS.get) == answer
