"""Which texts are worth looking through for a query's terms, told by their bytes: most hold none of them. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache

from kore_ls.storage.query import Term

_HAN = (range(0x3400, 0x4DC0), range(0x4E00, 0xA000))
_OTHER_HAN = (
    (0x2E80, 0x2FE0),
    (0x3036, 0x303B),
    (0x3190, 0x3400),
    (0xF900, 0xFB00),
    (0x1F200, 0x1F300),
    (0x2F800, 0x2FA20),
)
"""Where characters are whose normalized form has characters of `_HAN` in it."""
_HARMLESS_STARTS = bytes(set(range(256)) - {*range(0xC2, 0xE4), 0xEA, 0xEF, *range(0xF0, 0xF5)})
_SIGNS = {
    # U+2000 to 203F, the euro, U+2190 to 243F and U+2500 to 2BFF: dashes, quotes, arrows, mathematics, boxes, dingbats
    0xE2: re.compile(rb"\xe2(?!\x80|\x82\xac|\x86[\x90-\xbf]|[\x87-\x90\x94-\xaf])"),
    # U+3000 to 3020 and the kana, but for what marks and joins them
    0xE3: re.compile(rb"\xe3(?!\x80[\x80-\xa0]|\x81|\x82[\x80-\x98\x9d\x9e\xa0-\xbf]|\x83[\x80-\xbe])"),
    # full-width signs, but no digits and letters
    0xEF: re.compile(rb"\xef(?!\xbc[\x81-\x8f\x9a-\xa0]|\xb8\x8f)"),
    # U+1F300 to 1FAFF: emoji
    0xF0: re.compile(rb"\xf0(?!\x9f[\x8c-\xab])"),
}
"""By the byte that characters begin with: finds those that may fold. Of other starts than these all may."""
_BETWEEN = b"\xff"
"""Is in no text in UTF-8."""


class Sieve:
    """Lets texts in UTF-8 pass that may hold all of some terms: also some that don't, but each one that does."""

    def __init__(self, wanted: Sequence[Term]) -> None:
        han: dict[bytes, tuple[bytes, ...]] = {}
        words: set[bytes] = set()
        for term in wanted:
            for part in (term.needle,) if term.is_run else term.tokens:
                if all(any(ord(char) in each for each in _HAN) for char in part):
                    han[part.encode()] = tuple(look for char in part for look in _other_looks().get(char, ()))
                else:
                    words.add(part.encode())
        self._han = sorted(han.items(), key=lambda item: len(item[1]))
        self._words = sorted(words, key=len, reverse=True)

    def sift(self, texts: Sequence[bytes]) -> Sequence[int]:
        """Which of the texts pass, by their places among them: at once, where none does."""
        if not self.passes(_BETWEEN.join(texts)):
            return ()
        return [place for place, text in enumerate(texts) if self.passes(text)]

    def passes(self, text: bytes) -> bool:
        """Whether the text is worth looking through."""
        for part, looks in self._han:
            if part not in text and not any(look in text for look in looks):
                return False
        if not self._words:
            return True
        low = text.lower()  # of what has no form but one, only ASCII has letters of two cases
        return all(word in low for word in self._words) or _may_fold(text)


def _may_fold(text: bytes) -> bool:
    """Whether there may be letters, digits or CJK that are normalized to others, by the bytes that these begin with."""
    for start in set(text.translate(None, _HARMLESS_STARTS)):
        signs = _SIGNS.get(start)
        if signs is None or signs.search(text):
            return True
    return False


@cache
def _other_looks() -> dict[str, list[bytes]]:
    """Of each Chinese character the others that are normalized to it, or to something with it."""
    looks: dict[str, list[bytes]] = {}
    for start, end in _OTHER_HAN:
        for other in map(chr, range(start, end)):
            for char in unicodedata.normalize("NFKC", other):
                if char != other:
                    looks.setdefault(char, []).append(other.encode())
    return looks
