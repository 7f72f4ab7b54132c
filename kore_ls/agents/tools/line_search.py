"""Searches files line by line where there is no ripgrep. Run as a script in a process that can be killed.

Takes JSON `{pattern, at, above}`: the working directory's path (null: the input is searched) and the directories above
it that count; prints `path NUL line:text`; leaves out what `.gitignore` files name and what is no text.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

_FILE_BYTES = 4 << 20
_LINE_CHARS = 300
_PER_FILE = 100
Ignored = list[tuple[str, re.Pattern[str], bool, bool]]
"""Directory of the `.gitignore`, pattern, whether for directories only, whether it takes back."""


def files(at: str, above: Ignored) -> Iterator[str]:
    """All files below the working directory, whose path is `at`, in order; no symlink is followed."""
    pending: list[tuple[str, Ignored]] = [(".", above)]
    while pending:
        directory, ignored = pending.pop()
        rules = ignored + rules_of(directory, str(Path(at, directory)))
        try:
            entries = sorted(os.scandir(directory), key=lambda each: each.name)
        except OSError:
            continue
        below = []
        for entry in entries:
            is_directory = entry.is_dir(follow_symlinks=False)
            if entry.name in (".git", ".kore") or is_ignored(rules, str(Path(at, entry.path)), is_directory):
                continue
            if is_directory:
                below.append((entry.path, rules))
            elif entry.is_file(follow_symlinks=False):
                yield entry.path
        pending.extend(reversed(below))


def rules_of(directory: str, called: str) -> Ignored:
    """The rules of a directory's `.gitignore`, about paths below what it is called."""
    path = Path(directory, ".gitignore")
    try:
        if path.is_symlink() or path.stat().st_size > 1 << 20:
            return []
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    found: Ignored = []
    for line in lines:
        rule = line.rstrip()
        if not rule or rule.startswith("#"):
            continue
        back = rule.startswith("!")
        rule = rule[back:]
        only = rule.endswith("/")
        rule = rule.rstrip("/")
        prefix = "" if "/" in rule else "(?:.*/)?"
        found.append((called, re.compile(prefix + translated(rule.lstrip("/"))), only, back))
    return found


def translated(rule: str) -> str:
    """A pattern of a `.gitignore` as a regular expression."""
    means = {"**/": "(?:.*/)?", "/**": "/.*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(means.get(each) or re.escape(each) for each in re.findall(r"\*\*/|/\*\*|\*\*|\*|\?|[^*?/]+|/", rule))


def is_ignored(rules: Ignored, path: str, is_directory: bool) -> bool:
    """Whether the last rule that fits a path says so."""
    for directory, pattern, only, back in reversed(rules):
        if (is_directory or not only) and pattern.fullmatch(os.path.relpath(path, directory)):
            return not back
    return False


def searched(name: str, content: bytes, pattern: re.Pattern[str]) -> None:
    """Print the lines of a text that match; at most 100."""
    if b"\0" in content[:8192]:
        return
    shown = 0
    for number, line in enumerate(content.decode("utf-8", "replace").split("\n"), 1):
        if shown < _PER_FILE and pattern.search(line):
            shown += 1
            sys.stdout.buffer.write(os.fsencode(name) + f"\0{number}:{line[:_LINE_CHARS]}\n".encode())


def main() -> None:
    """Search the input, or all files of a directory."""
    wanted = json.loads(sys.argv[1])
    pattern = re.compile(wanted["pattern"])
    if wanted["at"] is None:
        searched("-", sys.stdin.buffer.read(), pattern)
        return
    above = [rule for directory in wanted["above"] for rule in rules_of(directory, directory)]
    for path in files(wanted["at"], above):
        try:
            if Path(path).lstat().st_size <= _FILE_BYTES:
                searched(path, Path(path).read_bytes(), pattern)
        except OSError:
            continue


if __name__ == "__main__":
    main()
