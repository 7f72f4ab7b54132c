"""The stretch of a text that shows why it matches, and where in it the words stand. Pure.

Matching is by the same tokens as in the index, so that what was found is what is marked.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from kore_ls.model.search import Range
from kore_ls.storage.query import Term
from kore_ls.storage.segment import Token, folded, normalized, placed_tokens, unit_borders

SNIPPET_CHARS = 160
_BEFORE = 40
_CHUNK = 4_000
_OVERLAP = 300
_TRIES = 20
_ELLIPSIS = "…"

_COMPOSES = re.compile(r"[\u0300-\u036f\u1100-\u11ff\u3099\u309a\uff9e\uff9f]")
_SPACE = re.compile(r"\s")

Span = tuple[int, int]


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
    plain = normalized(text)
    tokens = placed_tokens(plain)
    places = _original_places(text, plain)
    found: list[Span] = []
    for term in terms:
        found += ((places[a], places[b]) for a, b in _term_spans(tokens, term))
    return _merged(found)


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
    for start, end in (*_likely(text, terms), *_chunks(text)):
        part = text[start:end]
        plain = normalized(part)
        tokens = placed_tokens(plain)
        found = [spans for term in terms if (spans := _term_spans(tokens, term))]
        if len(found) > best[0]:
            places = _original_places(part, plain)
            spans = [(start + places[a], start + places[b]) for each in found for a, b in each]
            best = (len(found), start, _merged(spans))
        if best[0] == len(terms):
            break
    return best[1], best[2]


def _chunks(text: str) -> Iterator[Span]:
    """The whole text in parts that overlap."""
    for start in range(0, max(len(text), 1), _CHUNK - _OVERLAP):
        yield start, min(start + _CHUNK, len(text))
        if start + _CHUNK >= len(text):
            return


def _likely(text: str, terms: Sequence[Term]) -> list[Span]:
    """A few parts where the first tokens of most terms stand together; cheap, and sometimes wrong."""
    low = folded(text)
    if len(low) != len(text):  # places would not be the same
        return []
    places: dict[int, set[int]] = {}
    for number, term in enumerate(terms):
        at = low.find(term.tokens[0])
        for _ in range(_TRIES):
            if at < 0:
                break
            places.setdefault(at, set()).add(number)
            at = low.find(term.tokens[0], at + 1)
    reach = SNIPPET_CHARS - _BEFORE
    together = {
        at: len(set().union(*(numbers for other, numbers in places.items() if at <= other <= at + reach)))
        for at in places
    }
    best = sorted(places, key=lambda at: (-together[at], at))[:3]
    return [unit_borders(text, max(0, at - _BEFORE), min(len(text), at + SNIPPET_CHARS)) for at in best]


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


def _term_spans(tokens: Sequence[Token], term: Term) -> list[Span]:
    found: list[Span] = []
    wanted, size, prefix = term.tokens, len(term.tokens), term.prefix
    parts = [token for token in tokens if not token.whole] if size > 1 else tokens
    for index in range(len(parts) - size + 1):
        if size > 1 and parts[index].text != wanted[0]:
            continue
        if all(_is(parts[index + k].text, wanted[k], prefix and k == size - 1) for k in range(size)):
            end = parts[index + size - 1]
            # Of a pair found by its first character, only that one is what the user typed.
            typed = len(wanted[-1]) if prefix else end.end - end.start
            found.append((parts[index].start, min(end.end, end.start + typed)))
    if size > 1 and term.whole is not None:
        found += ((t.start, t.end) for t in tokens if t.whole and _is(t.text, term.whole, prefix))
    return found


def _is(token: str, wanted: str, prefix: bool) -> bool:
    return token.startswith(wanted) if prefix else token == wanted


def _original_places(text: str, plain: str) -> Sequence[int]:
    """For each place in the normalized text (its end included) the place in the original."""
    if len(text) == len(plain) and not _COMPOSES.search(text):  # then nothing can have grown either
        return range(len(plain) + 1)
    places: list[int] = []
    start = 0
    for end in range(1, len(text) + 1):
        if end < len(text) and (unicodedata.combining(text[end]) or text[end] in "\uff9e\uff9f"):
            continue
        places += [start] * len(unicodedata.normalize("NFKC", text[start:end]))
        start = end
    if len(places) != len(plain):  # composition across what we took for borders, as of Hangul letters
        return [min(i, len(text)) for i in range(len(plain))] + [len(text)]
    return [*places, len(text)]


def _merged(spans: Sequence[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
