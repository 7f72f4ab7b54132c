"""Text as search tokens: CJK as overlapping pairs, words split at camelCase, `_` and punctuation. Pure.

The index holds finished tokens, so what matches depends on this module alone and not on SQLite's tables. A change in
what it yields needs a new SEGMENTER_VERSION, which rebuilds every index.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from attrs import Factory, frozen

SEGMENTER_VERSION = 2
TOKEN_CHARS = 64
"""Longer words (hashes, base64) count by their first 64 characters."""

CJK = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f"
    "\u3131-\u318e\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff"
    "\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
_UNIT = re.compile(f"[{CJK}]+|[^\\W_{CJK}]+(?:[\u0300-\u036f]+[^\\W_{CJK}]*)*")
_WIDE_SIGNS = tuple((sign, unicodedata.normalize("NFKC", sign)) for sign in "，：；！？（）")
_IS_CJK = re.compile(f"[{CJK}]")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^A-Z]+|[A-Z]+")
_HAS_PARTS = re.compile(r"[a-z0-9][A-Z]|[A-Z][A-Z][a-z]")
_VERSION = re.compile(r"[vV][0-9]+")
"""Of `v1.2.3`; in two tokens, so that `1.2.3` finds it."""


@cache
def _folded_letters() -> dict[int, str | None]:
    """Letters with marks as letters without, and the marks themselves as nothing; kana and Hangul keep theirs."""
    table: dict[int, str | None] = dict.fromkeys(range(0x300, 0x370))
    for code in (*range(0xC0, 0x590), *range(0x1E00, 0x2000)):
        plain = "".join(c for c in unicodedata.normalize("NFD", chr(code)) if not unicodedata.combining(c))
        if plain and plain != chr(code):
            table[code] = plain
    return table


@frozen
class PlacedTokens:
    """Tokens of a normalized text in order, and where in it each stands: from `starts[i]` to `ends[i]`."""

    texts: list[str] = Factory(list)
    starts: list[int] = Factory(list)
    ends: list[int] = Factory(list)

    def add(self, text: str, start: int, end: int) -> None:
        """One token more."""
        self.texts.append(text)
        self.starts.append(start)
        self.ends.append(end)


def normalized(text: str) -> str:
    """The form in which full-width, half-width and compatibility characters are the same; case is kept."""
    if text.isascii():
        return text
    plain = text
    for wide, narrow in _WIDE_SIGNS:  # in most Chinese text the only ones, and by far cheaper so
        plain = plain.replace(wide, narrow)
    return plain if unicodedata.is_normalized("NFKC", plain) else unicodedata.normalize("NFKC", text)


def folded(text: str) -> str:
    """Without case and diacritics; may change the length."""
    if text.isascii():
        return text.lower()
    return text.casefold().translate(_folded_letters())


def is_cjk(char: str) -> bool:
    """Whether the character is indexed in pairs."""
    return _IS_CJK.match(char) is not None


def tokens_of(text: str) -> tuple[list[str], list[str]]:
    """The tokens of a normalized text in order, and its camelCase identifiers, each in one piece."""
    tokens: list[str] = []
    wholes: list[str] = []
    for unit in _UNIT.findall(text):
        if unit[0] > "\u2e7f" and _IS_CJK.match(unit):
            tokens += map(str.__add__, unit, unit[1:])
            tokens.append(unit[-1])
        elif unit[0] in "vV" and _VERSION.fullmatch(unit):
            tokens += ("v", unit[1:TOKEN_CHARS])
        elif unit.islower() and unit.isascii():
            tokens.append(unit[:TOKEN_CHARS])
        elif unit[1:].islower() or not _HAS_PARTS.search(unit):
            tokens.append(folded(unit)[:TOKEN_CHARS])
        else:
            tokens += filter(None, (folded(part)[:TOKEN_CHARS] for part in _PART.findall(unit)))  # marks are no token
            wholes.append(folded(unit)[:TOKEN_CHARS])
    return tokens, wholes


def placed_tokens(text: str) -> tuple[PlacedTokens, PlacedTokens]:
    """What `tokens_of` yields, with places; for marking matches in a shown text."""
    tokens, wholes = PlacedTokens(), PlacedTokens()
    for match in _UNIT.finditer(text):
        unit, (start, end) = match[0], match.span()
        if unit[0] > "\u2e7f" and _IS_CJK.match(unit):
            tokens.texts.extend(map(str.__add__, unit, unit[1:]))
            tokens.texts.append(unit[-1])
            tokens.starts.extend(range(start, end))
            tokens.ends.extend(range(start + 2, end + 1))
            tokens.ends.append(end)
        elif unit.islower() and unit.isascii() and not (unit[0] == "v" and _VERSION.fullmatch(unit)):
            tokens.add(unit[:TOKEN_CHARS], start, end)
        else:
            for into, found in zip((tokens, wholes), word_tokens(unit, start), strict=True):
                into.texts.extend(found.texts)
                into.starts.extend(found.starts)
                into.ends.extend(found.ends)
    return tokens, wholes


def word_tokens(word: str, at: int) -> tuple[PlacedTokens, PlacedTokens]:
    """The tokens of one word of letters and digits, which starts at `at`; and it in one piece, if that is another."""
    tokens, wholes = PlacedTokens(), PlacedTokens()
    if _VERSION.fullmatch(word):
        tokens.add("v", at, at + 1)
        tokens.add(word[1:TOKEN_CHARS], at + 1, at + len(word))
    elif _HAS_PARTS.search(word):
        for part in _PART.finditer(word):
            if token := folded(part[0])[:TOKEN_CHARS]:
                tokens.add(token, at + part.start(), at + part.end())
        wholes.add(folded(word)[:TOKEN_CHARS], at, at + len(word))
    else:
        tokens.add(folded(word)[:TOKEN_CHARS], at, at + len(word))
    return tokens, wholes


def unit_borders(text: str, start: int, end: int) -> tuple[int, int]:
    """The stretch widened (by no more than a token's length) so that it cuts no word; a run of CJK it may cut."""
    for _ in range(TOKEN_CHARS):
        if start <= 0 or not _inside_word(text, start):
            break
        start -= 1
    for _ in range(TOKEN_CHARS):
        if end >= len(text) or not _inside_word(text, end):
            break
        end += 1
    return start, end


def _inside_word(text: str, at: int) -> bool:
    before, after = text[at - 1], text[at]
    if unicodedata.combining(after):
        return True
    return before.isalnum() and after.isalnum() and not is_cjk(before) and not is_cjk(after)


def index_text(text: str) -> tuple[str, str]:
    """What goes into the index's two columns: all tokens; the identifiers in one piece, never next to each other."""
    tokens, wholes = tokens_of(normalized(text))
    return " ".join(tokens), " \u00b7 ".join(wholes)
