"""What a user types as a search: words, "phrases", -exclusions; and the same as an FTS5 expression. Pure.

Nothing typed is an error, and nothing typed reaches FTS5 as syntax: only tokens do, in quotes.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from attrs import field, frozen

from kore_ls.storage.segment import is_cjk, normalized, tokens_of

QUERY_CHARS = 1_000
TERMS = 32

_PIECE = re.compile(
    r"""(?P<no>-(?!-))?(?:"(?P<p1>[^"]*)(?:"|$)|“(?P<p2>[^”]*)(?:”|$)|「(?P<p3>[^」]*)(?:」|$)|『(?P<p4>[^』]*)(?:』|$)"""
    r"""|(?P<word>[^\s"“”「」『』]+)|[”」』])"""
)


@frozen
class Term:
    """One word or phrase: tokens that must stand next to each other.

    `whole` is a camelCase identifier in one piece, found in either spelling; `prefix`: the last token may go on.
    """

    tokens: tuple[str, ...]
    whole: str | None
    prefix: bool
    excluded: bool

    needle: str = field(init=False)
    """How the term begins in a lower-cased text: pairs of CJK put together again, else the first token."""

    @needle.default
    def _needle(self) -> str:
        needle = self.tokens[0]
        for token in self.tokens[1:] if is_cjk(needle[0]) else ():
            if len(needle) < 2 or len(token) != 2 or token[0] != needle[-1]:
                break
            needle += token[1]
        return needle

    _likely: re.Pattern[str] | None = field(init=False, eq=False, repr=False)

    @_likely.default
    def _phrase(self) -> re.Pattern[str] | None:
        if len(self.tokens) == 1 or self.is_run:
            return None
        return re.compile(r"[\W_]{0,20}".join(map(re.escape, self.tokens)))

    def find(self, low: str, start: int) -> int:
        """Where the term seems to stand in a lower-cased text, from `start` on; -1: nowhere. Cheap, not exact."""
        if self._likely is None:
            return low.find(self.needle, start)
        match = self._likely.search(low, start)
        return match.start() if match else -1

    @property
    def is_run(self) -> bool:
        """Whether the term is a run of CJK, or part of one, and nothing else."""
        if self.prefix:
            return len(self.tokens) == 1 and is_cjk(self.tokens[0][0])
        return is_cjk(self.needle[0]) and len(self.needle) == len(self.tokens) + 1

    @property
    def expression(self) -> str:
        """The term in FTS5's language."""
        phrase = f'"{" ".join(self.tokens)}"' + (" *" if self.prefix else "")
        if self.whole is None:
            return phrase
        return f'({phrase} OR "{self.whole}"{" *" if self.prefix else ""})'


@frozen
class ParsedQuery:
    """The terms that a message must hold, and those it must not hold."""

    wanted: tuple[Term, ...]
    excluded: tuple[Term, ...]

    @property
    def open(self) -> ParsedQuery:
        """The terms whose last token may go on."""
        return self._where(lambda term: term.prefix)

    @property
    def closed(self) -> ParsedQuery:
        """The other terms."""
        return self._where(lambda term: not term.prefix)

    def _where(self, wanted: Callable[[Term], bool]) -> ParsedQuery:
        return ParsedQuery(tuple(filter(wanted, self.wanted)), tuple(filter(wanted, self.excluded)))

    def __bool__(self) -> bool:
        """Whether there is any term."""
        return bool(self.wanted or self.excluded)

    @property
    def expression(self) -> str:
        """The query in FTS5's language; only for queries with wanted terms."""
        positive = " AND ".join(term.expression for term in self.wanted)
        return f"({positive})" + "".join(f" NOT {term.expression}" for term in self.excluded)


def parse_query(text: str) -> ParsedQuery:
    """Read a query; one without any word has no wanted terms."""
    wanted: list[Term] = []
    excluded: list[Term] = []
    pieces = list(_PIECE.finditer(text[:QUERY_CHARS].replace("\0", " ")))
    for piece in pieces:
        phrase = next((piece[name] for name in ("p1", "p2", "p3", "p4") if piece[name] is not None), None)
        last = piece is pieces[-1] and phrase is None
        term = _term(piece["word"] if phrase is None else phrase, last, piece["no"] is not None)
        if term is not None and len(wanted) + len(excluded) < TERMS:
            (excluded if term.excluded else wanted).append(term)
    return ParsedQuery(tuple(wanted), tuple(excluded))


def _term(text: str | None, last: bool, excluded: bool) -> Term | None:
    plain = normalized(text or "")
    tokens, wholes = tokens_of(plain)
    if not tokens:
        return None
    tail = tokens[-1][-1]
    whole = wholes[0] if len(wholes) == 1 and "".join(tokens) == wholes[0] else None
    if is_cjk(tail):
        # The last token says that a run of CJK ends there, which in a query it need not. In a run of one character
        # it is the start of a pair instead.
        single = len(tokens) == 1 or not (is_cjk(tokens[-2][0]) and tokens[-2][1:] == tokens[-1])
        return Term(tuple(tokens if single else tokens[:-1]), None, single, excluded)
    word = re.search(r"[0-9A-Za-z]{2,}$", plain)
    prefix = last and not excluded and word is not None
    return Term(tuple(tokens), whole, prefix, excluded)
