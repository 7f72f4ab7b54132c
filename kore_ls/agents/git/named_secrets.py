"""Secrets that a command of git names: it shows them from its history, where nothing can be hidden. Pure.

What shows them without a name is not found here; `stand_ins` keeps git from showing most of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch

from kore_ls.agents.protected import Guard, guards_of

_READING = frozenset(
    {
        *(
            "show",
            "cat-file",
            "log",
            "diff",
            "grep",
            "archive",
            "blame",
            "annotate",
            "stash",
            "whatchanged",
            "range-diff",
        ),
        *("diff-tree", "diff-index", "diff-files", "format-patch", "checkout", "restore", "checkout-index", "rev-list"),
        *("fast-export", "bundle", "difftool", "merge-file", "reset", "worktree", "read-tree", "ls-tree", "rev-parse"),
    }
)
"""Commands of git that can show, or bring back under another name, what a path held in a commit."""
_WORD = re.compile(r"[^\s;|&()<>'\"`$]+")
_GIT = re.compile(r"(?:^|/)git(?:\.exe)?$", re.IGNORECASE)
_WILD = re.compile(r"[*?\[]")


def named_secrets(argv: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """The paths in a command that git would read a secret of: as `REV:PATH`, or after a command that reads paths.

    `known` are the folder's secrets, relative to it, for words with wildcards. Words of a shell's line count as well.
    """
    words = [word for each in argv for word in (_WORD.findall(each) if re.search(r"\s", each) else [each])]
    if not any(_GIT.search(word) for word in words):
        return ()
    reads = not _READING.isdisjoint(words)
    found = [path for word in words for path in _paths(word, plain=reads) if _is_secret(path, known)]
    return tuple(dict.fromkeys(found))


def _paths(word: str, *, plain: bool) -> Iterator[str]:
    if plain and ":" not in word:
        yield word.split("=", 1)[-1]
    at = word.find(":")
    while at >= 0:  # `:(top)x`, `:!x`, `:0:x`, `REV:x`
        yield re.sub(r"^(?:\([^)]*\)|[!^/])", "", word[at + 1 :])
        at = word.find(":", at + 1)


def _is_secret(path: str, known: Sequence[str]) -> bool:
    parts = tuple(each for each in path.split("/") if each not in ("", ".", ".."))
    if not parts:
        return False
    if any(Guard.SECRET in guards_of(parts[:end]) for end in range(1, len(parts) + 1)):
        return True
    wild = _WILD.search(path) is not None
    pattern = "/".join(parts)
    return wild and any(fnmatch(each, pattern) or fnmatch(each.rsplit("/", 1)[-1], pattern) for each in known)
