"""Where in a text a query's terms stand; agrees with the index to the letter. Pure.

Most texts need no normalizing to be looked through, and most terms no tokens: then only the words around the places
where a term may be are looked at, which is ten times as fast.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cached_property

from kore_ls.storage.query import Term
from kore_ls.storage.segment import (
    CJK,
    PlacedTokens,
    is_cjk,
    normalized,
    placed_tokens,
    word_tokens,
)

Span = tuple[int, int]

_MAY_FOLD = re.compile(
    "[\u00a8-\u1fff\u2070-\u209c\u2100-\u218b\u2460-\u24ff\u2c00-\u2fdf\u3036-\u303a\u3099-\u309c\u309f\u30ff\u3131-\u319f"
    "\u3200-\u33ff\ua640-\uabff\uf900-\uff00\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\uff66-\uffdc"
    "\U00010000-\U0001f2ff\U0001fb00-\U0010ffff]"
)
"""Characters whose normalized or folded form may be a letter, digit or CJK of another look; not the common signs."""
_WORD_START = re.compile(f"[^\\W_{CJK}]*")
_COMPOSES = re.compile(r"[\u0300-\u036f\u1100-\u11ff\u3099\u309a\uff9e\uff9f]")


class SearchedText:
    """A text, or a part of one, in which terms are looked for."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._plain = not _MAY_FOLD.search(text)
        self._low = text.lower() if self._plain else ""

    def spans(self, term: Term) -> list[Span]:
        """Where a term stands, in characters."""
        if self._plain:
            if term.needle not in self._low:
                return []
            if term.is_run:
                return self._run_spans(term.needle)
            if len(term.tokens) == 1:
                return self._word_spans(term.tokens[0], term.prefix)
        places = self._places
        return [(places[start], places[end]) for start, end in _token_spans(self._placed, term)]

    def holds(self, term: Term) -> bool:
        """Whether the term stands anywhere."""
        if self._plain and term.is_run:
            return term.needle in self._low
        return bool(self.spans(term))

    def _run_spans(self, needle: str) -> list[Span]:
        found: list[Span] = []
        at = self._low.find(needle)
        while at >= 0:
            found.append((at, at + len(needle)))
            at = self._low.find(needle, at + 1)
        return found

    def _word_spans(self, wanted: str, prefix: bool) -> list[Span]:
        found: list[Span] = []
        at = self._low.find(wanted)
        while at >= 0:
            start = at
            while start > 0 and _is_word(self._low[start - 1]):
                start -= 1
            match = _WORD_START.match(self.text, at)
            end = match.end() if match else at
            for tokens in word_tokens(self.text[start:end], start):
                found += _phrase_spans(tokens, (wanted,), prefix)
            at = self._low.find(wanted, end)
        return found

    @cached_property
    def _normalized(self) -> str:
        return normalized(self.text)

    @cached_property
    def _placed(self) -> tuple[PlacedTokens, PlacedTokens]:
        return placed_tokens(self._normalized)

    @cached_property
    def _places(self) -> Sequence[int]:
        """For each place in the normalized text (its end included) the place in the original."""
        text, plain = self.text, self._normalized
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


def _is_word(char: str) -> bool:
    return char.isalnum() and not is_cjk(char)


def _token_spans(placed: tuple[PlacedTokens, PlacedTokens], term: Term) -> list[Span]:
    tokens, wholes = placed
    found = _phrase_spans(tokens, term.tokens, term.prefix)
    if len(term.tokens) == 1:
        found += _phrase_spans(wholes, term.tokens, term.prefix)
    elif term.whole is not None:
        found += _phrase_spans(wholes, (term.whole,), term.prefix)
    return found


def _phrase_spans(tokens: PlacedTokens, wanted: tuple[str, ...], prefix: bool) -> list[Span]:
    """Where the tokens stand in a row; of a last one that is a prefix, only what the user typed."""
    texts, last = tokens.texts, len(wanted) - 1
    found: list[Span] = []
    for index in _indexes(texts, wanted[0], prefix and not last):
        if last and (index + last >= len(texts) or texts[index + 1 : index + last] != list(wanted[1:-1])):
            continue
        end = texts[index + last]
        if end != wanted[-1] and not (prefix and end.startswith(wanted[-1])):
            continue
        stop = tokens.ends[index + last]
        if prefix:
            stop = min(stop, tokens.starts[index + last] + len(wanted[-1]))
        found.append((tokens.starts[index], stop))
    return found


def _indexes(texts: list[str], wanted: str, prefix: bool) -> list[int]:
    if prefix:
        return [index for index, text in enumerate(texts) if text.startswith(wanted)]
    found: list[int] = []
    index = -1
    for _ in range(texts.count(wanted)):
        index = texts.index(wanted, index + 1)
        found.append(index)
    return found
