"""Unified diffs of texts of any size, in bounded time and length. Pure."""

from __future__ import annotations

import re
from difflib import unified_diff
from itertools import takewhile

LONGEST = 100_000
_CONTEXT = 3
_MOST_LINES = 2_000
_HUNK = re.compile(r"@@ -(\d+)((?:,\d+)?) \+(\d+)((?:,\d+)?) @@")


def diff_of(before: str | None, after: str | None, name: str) -> str:
    """How `before` becomes `after`, None being "no such file"; at most `LONGEST` characters."""
    old, new = _lines(before), _lines(after)
    start = _alike(old, new)
    end = _alike(old[start:][::-1], new[start:][::-1])
    start, end = max(start - _CONTEXT, 0), max(end - _CONTEXT, 0)
    old, new = old[start : len(old) - end], new[start : len(new) - end]
    head = [
        f"--- {'/dev/null' if before is None else 'a/' + name}",
        f"+++ {'/dev/null' if after is None else 'b/' + name}",
    ]
    if len(old) + len(new) > _MOST_LINES:
        body = [f"@@ -{start + 1},{len(old)} +{start + 1},{len(new)} @@", *(f"-{each}" for each in old)]
        body += [f"+{each}" for each in new]
    else:
        body = [_shifted(line, start) for line in list(unified_diff(old, new, lineterm="", n=_CONTEXT))[2:]]
    text = "".join(f"{line}\n" for line in head + body)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}\n[... the rest of the diff is left out ...]\n"


def _lines(text: str | None) -> list[str]:
    lines = (text or "").split("\n")
    return lines[:-1] if lines[-1] == "" else [*lines[:-1], lines[-1] + "\n\\ No newline at end of file"]


def _alike(one: list[str], other: list[str]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _shifted(line: str, by: int) -> str:
    hunk = _HUNK.match(line)
    if hunk is None:
        return line
    return f"@@ -{int(hunk[1]) + by}{hunk[2]} +{int(hunk[3]) + by}{hunk[4]} @@"
