"""Text as search tokens: CJK as overlapping pairs, words split at camelCase, `_` and punctuation. Pure.

The index holds finished tokens, so what matches depends on this module alone and not on SQLite's tables. A change in
what it yields needs a new SEGMENTER_VERSION, which rebuilds every index.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

SEGMENTER_VERSION = 1
TOKEN_CHARS = 64
"""Longer words (hashes, base64) count by their first 64 characters."""

_CJK = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f"
    "\u3131-\u318e\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff"
    "\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
_UNIT = re.compile(f"[{_CJK}]+|[^\\W_{_CJK}]+(?:[\u0300-\u036f]+[^\\W_{_CJK}]*)*")
_IS_CJK = re.compile(f"[{_CJK}]")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^A-Z]+|[A-Z]+")
_HAS_PARTS = re.compile(r"[a-z0-9][A-Z]|[A-Z][A-Z][a-z]")


def _folded_letters() -> dict[int, str | None]:
    """Letters with marks as letters without, and the marks themselves as nothing; kana and Hangul keep theirs."""
    table: dict[int, str | None] = dict.fromkeys(range(0x300, 0x370))
    for code in (*range(0xC0, 0x590), *range(0x1E00, 0x2000)):
        plain = "".join(c for c in unicodedata.normalize("NFD", chr(code)) if not unicodedata.combining(c))
        if plain and plain != chr(code):
            table[code] = plain
    return table


_FOLDED = _folded_letters()


class Token(NamedTuple):
    """A search token and where its text stands in the normalized text; `whole`: a camelCase identifier in one piece."""

    text: str
    start: int
    end: int
    whole: bool = False


def normalized(text: str) -> str:
    """The form in which full-width, half-width and compatibility characters are the same; case is kept."""
    if text.isascii() or unicodedata.is_normalized("NFKC", text):
        return text
    return unicodedata.normalize("NFKC", text)


def folded(text: str) -> str:
    """Without case and diacritics; may change the length."""
    if text.isascii():
        return text.lower()
    return text.casefold().translate(_FOLDED)


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
        elif unit.islower() and unit.isascii():
            tokens.append(unit[:TOKEN_CHARS])
        elif unit[1:].islower() or not _HAS_PARTS.search(unit):
            tokens.append(folded(unit)[:TOKEN_CHARS])
        else:
            tokens += [folded(part)[:TOKEN_CHARS] for part in _PART.findall(unit)]
            wholes.append(folded(unit)[:TOKEN_CHARS])
    return tokens, wholes


def placed_tokens(text: str) -> list[Token]:
    """The same tokens, and the identifiers in one piece, with their places; for marking matches in a shown text."""
    found: list[Token] = []
    for match in _UNIT.finditer(text):
        unit, start, end = match[0], match.start(), match.end()
        if _IS_CJK.match(unit):
            found += [Token(unit[i : i + 2], start + i, start + i + 2) for i in range(len(unit) - 1)]
            found.append(Token(unit[-1], end - 1, end))
        elif _HAS_PARTS.search(unit):
            found.append(Token(folded(unit)[:TOKEN_CHARS], start, end, True))
            for part in _PART.finditer(unit):
                found.append(Token(folded(part[0])[:TOKEN_CHARS], start + part.start(), start + part.end()))
        else:
            found.append(Token(folded(unit)[:TOKEN_CHARS], start, end))
    return found


def unit_borders(text: str, start: int, end: int) -> tuple[int, int]:
    """The stretch widened to whole words (within bounds), so that its tokens are those of the whole text."""
    while start > 0 and _inside_word(text, start):
        start -= 1
    while end < len(text) and _inside_word(text, end):
        end += 1
    return start, end


def _inside_word(text: str, at: int) -> bool:
    """Whether a word of letters goes on across this place; a run of CJK may be cut, but for the token at its end."""
    before, after = text[at - 1], text[at]
    return (before.isalnum() or after.isalnum()) and not before.isspace() and not after.isspace()


def index_text(text: str) -> tuple[str, str]:
    """What goes into the index's two columns: all tokens; the identifiers in one piece, never next to each other."""
    tokens, wholes = tokens_of(normalized(text))
    return " ".join(tokens), " \u00b7 ".join(wholes)
