"""What a command of git would change in the working tree, as questions to git itself. Pure; asks nothing.

Only commands that are given as words are read, no shell's line and no alias.
"""

from __future__ import annotations

from collections.abc import Sequence

_DIFF = ("diff", "--no-ext-diff", "--no-textconv", "--no-renames", "--name-only", "-z")
_WITH_VALUE = frozenset({"-C", "-c", "--git-dir", "--work-tree", "--namespace", "--exec-path", "--config-env"})
_NEW_BRANCH = frozenset({"-b", "-B", "-c", "-C", "--create", "--force-create", "--orphan"})
_GOES_ON = frozenset(
    {"--abort", "--continue", "--skip", "--quit", "--edit-todo", "--show-current-patch", "-p", "--patch"}
)


def questions(argv: Sequence[str]) -> list[list[str]]:
    """Commands that print the paths which `argv` would change, from the top, each ended by NUL; empty if unknown.

    One that fails says nothing.
    """
    if not argv or argv[0].rsplit("/", 1)[-1] != "git":
        return []
    at = 1
    while at < len(argv) and argv[at].startswith("-"):
        at += 2 if argv[at] in _WITH_VALUE else 1
    if at >= len(argv):
        return []
    rest = list(argv[at + 1 :])
    if _GOES_ON.intersection(rest):
        return []
    return [[*argv[:at], *_DIFF, *revisions, "--"] for revisions in _compared(argv[at], rest)]


def _compared(command: str, rest: list[str]) -> list[list[str]]:
    """The revisions between which lies what would change."""
    names = ["@{-1}" if word == "-" else word for word in rest if word == "-" or not word.startswith("-")]
    match command:
        case "checkout" | "switch" if "--" not in rest:
            if _NEW_BRANCH.intersection(rest):
                names = names[1:]
            return [["HEAD", names[0]]] if names else []
        case "reset" if {"--hard", "--merge", "--keep"}.intersection(rest):
            return [["HEAD", names[0]]] if names else []
        case "merge":
            return [[f"HEAD...{name}"] for name in names]
        case "pull":
            return [["HEAD...@{upstream}"]]
        case "rebase":
            return [["HEAD", name] for name in names[:1]]
        case "cherry-pick" | "revert":
            return [[f"{name}^", name] for name in names if ".." not in name]
        case "stash" if rest[:1] in (["pop"], ["apply"], ["branch"]):
            stash = next((name for name in names[1:] if "stash" in name or name.isdigit()), "stash@{0}")
            stash = f"stash@{{{stash}}}" if stash.isdigit() else stash
            return [[f"{stash}^1", stash]]
    return []
