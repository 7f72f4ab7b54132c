"""What a user means by a place in a document: the selected text, or the word there; in UTF-16 units. Pure."""

from __future__ import annotations

import re
from typing import Any

from attrs import frozen

from kore_ls.lsp.capabilities import within
from kore_ls.lsp.text_edit import to_utf16

AROUND = 3
"""How many lines before and after a problem belong to it."""


@frozen(kw_only=True)
class Selection:
    """Text of a document and where it stands: an LSP range in UTF-16 units."""

    text: str
    range: dict[str, Any]


def selected(text: str, range_: Any, encoding: str) -> Selection | None:
    """What a range of a client covers; None where it covers nothing."""
    lines = text.split("\n")
    start, end = _place(lines, within(range_, "start"), encoding), _place(lines, within(range_, "end"), encoding)
    if start is None or end is None or start >= end:
        return None
    return _between(lines, start, end)


def around(text: str, range_: Any) -> Selection | None:
    """The whole lines of a range, with a few before and after them."""
    lines = text.split("\n")
    first, last = within(range_, "start", "line"), within(range_, "end", "line")
    if type(first) is not int or type(last) is not int or not 0 <= first <= last < len(lines):
        return None
    end = min(last + AROUND, len(lines) - 1)
    return _between(lines, (max(first - AROUND, 0), 0), (end, len(_units(lines[end])) // 2))


def word_at(text: str, range_: Any, encoding: str) -> str:
    """The word that a range begins in or stands at the end of; empty where there is none."""
    lines = text.split("\n")
    place = _place(lines, within(range_, "start"), encoding)
    if place is None:
        return ""
    line, column = lines[place[0]], len(_cut(lines[place[0]], 0, place[1]))
    return next((found[0] for found in re.finditer(r"\w+", line) if found.start() <= column <= found.end()), "")


def _place(lines: list[str], position: Any, encoding: str) -> tuple[int, int] | None:
    line, character = within(position, "line"), within(position, "character")
    if type(line) is not int or type(character) is not int or line < 0 or character < 0:
        return None
    if line >= len(lines):  # the end of the text, as editors name it
        return len(lines) - 1, len(_units(lines[-1])) // 2
    return line, min(to_utf16(lines[line], character, encoding), len(_units(lines[line])) // 2)


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> Selection:
    if start[0] == end[0]:
        text = _cut(lines[start[0]], start[1], end[1])
    else:
        inner = lines[start[0] + 1 : end[0]]
        text = "\n".join([_cut(lines[start[0]], start[1], None), *inner, _cut(lines[end[0]], 0, end[1])])
    places = [{"line": line, "character": character} for line, character in (start, end)]
    return Selection(text=text, range={"start": places[0], "end": places[1]})


def _cut(line: str, start: int, end: int | None) -> str:
    return _units(line)[2 * start : None if end is None else 2 * end].decode("utf-16-le", "ignore")


def _units(line: str) -> bytes:
    return line.encode("utf-16-le", "surrogatepass")
