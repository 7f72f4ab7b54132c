"""Globs over paths with `/` between their segments: `*` and `?` stay within a segment, `**` does not. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

_TOKEN = re.compile(r"\*\*/|\*\*|\*|\?|[^*?]+")
_MEANS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def glob_fits(glob: str, path: str) -> bool:
    """Whether a glob fits a whole path; `**/` also fits nothing, so `**/a` fits `a`."""
    return _pattern(glob).fullmatch(path) is not None


@lru_cache(maxsize=512)
def _pattern(glob: str) -> re.Pattern[str]:
    shortened = re.sub(r"\*{3,}", "**", glob)
    return re.compile("".join(_MEANS.get(token) or re.escape(token) for token in _TOKEN.findall(shortened)), re.DOTALL)
