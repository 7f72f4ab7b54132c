"""The stretch of a text that shows why it matches, and where in it the words stand. Pure.

Matching is by the same tokens as in the index, so that what was found is what is marked.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from kore_ls.model.search import Range
from kore_ls.storage.query import Term
from kore_ls.storage.segment import unit_borders
from kore_ls.storage.term_places import SearchedText, Span

SNIPPET_CHARS = 160
_BEFORE = 40
_CHUNK = 4_000
_OVERLAP = 300
_TRIES = 20
_ELLIPSIS = "…"

_SPACE = re.compile(r"\s")


def snippet_of(text: str, terms: Sequence[Term]) -> tuple[str, tuple[Range, ...]]:
    """About 160 characters of `text`, on one line, around the place where most terms meet first, and their places."""
    start, spans = _first_spans(text, terms)
    begin, end = _window(text, start, spans)
    inside = [(max(a, begin) - begin, min(b, end) - begin) for a, b in spans if a < end and b > begin]
    shown = _SPACE.sub(" ", text[begin:end])
    shift = 0
    if begin > 0:
        shown, shift = _ELLIPSIS + shown, 1
    if end < len(text):
        shown += _ELLIPSIS
    return shown, utf16_ranges(shown, [(a + shift, b + shift) for a, b in inside])


def match_spans(text: str, terms: Sequence[Term]) -> list[Span]:
    """Where the terms stand in `text`, in characters, ordered and merged."""
    searched = SearchedText(text)
    return _merged([span for term in terms for span in searched.spans(term)])


def utf16_ranges(text: str, spans: Sequence[Span]) -> tuple[Range, ...]:
    """Character spans as UTF-16 ranges."""
    if text.isascii() or max(text) < "\U00010000":
        return tuple(spans)
    units = [0]
    for char in text:
        units.append(units[-1] + (2 if char > "\uffff" else 1))
    return tuple((units[a], units[b]) for a, b in spans)


def _first_spans(text: str, terms: Sequence[Term]) -> tuple[int, list[Span]]:
    """A part of the text in which most terms stand: where it starts, and the spans in the whole text."""
    best: tuple[int, int, list[Span]] = (0, 0, [])
    for start, end in _parts(text, terms):
        part = SearchedText(text[start:end])
        found = [spans for term in terms if (spans := part.spans(term))]
        if len(found) > best[0]:
            best = (len(found), start, _merged([(start + a, start + b) for each in found for a, b in each]))
        if best[0] == len(terms):
            break
    return best[1], best[2]


def _parts(text: str, terms: Sequence[Term]) -> Iterator[Span]:
    """Where to look: first at a likely place, then through the whole text in parts that overlap."""
    at = _likely(text, terms)
    if at is not None:
        yield unit_borders(text, max(0, at - _BEFORE), min(len(text), at + SNIPPET_CHARS))
    for start in range(0, max(len(text), 1), _CHUNK - _OVERLAP):
        yield unit_borders(text, start, min(start + _CHUNK, len(text)))
        if start + _CHUNK >= len(text):
            return


def _likely(text: str, terms: Sequence[Term]) -> int | None:
    """Where the rarest term stands with most of the others around it; cheap, and sometimes wrong."""
    low = text.lower()
    if len(low) != len(text):  # places would not be the same
        return None
    counts = [(count, term) for term in terms if (count := low.count(term.needle))]
    if not counts:
        return None
    rarest = min(counts, key=lambda each: each[0])[1]
    others = [term for _, term in counts if term is not rarest]
    reach = SNIPPET_CHARS - _BEFORE
    best = (0, low.find(rarest.needle))
    at = -1
    for _ in range(_TRIES):
        at = rarest.find(low, at + 1)
        if at < 0:
            break
        start = max(0, at - reach)
        near = [place for term in others if (place := low.find(term.needle, start, at + reach)) >= 0]
        if len(near) + 1 > best[0]:
            best = (len(near) + 1, min([at, *near]))
        if best[0] == len(counts):
            break
    return best[1]


def _window(text: str, start: int, spans: Sequence[Span]) -> Span:
    first = _densest(spans) if spans else start
    begin = max(0, first - _BEFORE)
    if begin <= 12:  # not worth an ellipsis
        begin = 0
    end = min(len(text), begin + SNIPPET_CHARS)
    while begin > 0 and _joins(text, begin):
        begin -= 1
    while end < len(text) and _joins(text, end):
        end += 1
    return begin, end


def _densest(spans: Sequence[Span]) -> int:
    """The start of the span from which most others are in sight."""
    reach = SNIPPET_CHARS - _BEFORE
    shown = [sum(1 for other in spans[i:] if other[1] <= span[0] + reach) for i, span in enumerate(spans[:50])]
    return spans[shown.index(max(shown))][0]


def _joins(text: str, at: int) -> bool:
    """Whether the characters before and after this place make one."""
    char = text[at]
    modifier = char in "\u200d\ufe0e\ufe0f" or "\U0001f3fb" <= char <= "\U0001f3ff"
    return modifier or text[at - 1] == "\u200d" or unicodedata.combining(char) != 0


def _merged(spans: Sequence[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
