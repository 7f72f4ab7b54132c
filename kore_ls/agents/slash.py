"""Slash commands as tool calls: `/read NAME:3-9` is `read_file` with a path and lines. Pure; no shell anywhere."""

from __future__ import annotations

import io
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from attrs import field, frozen

SLASHES = ("/", "／")
_RANGE = re.compile(r"(?s:(.+)):(\d{1,9})(?:-(\d{1,9}))?", re.ASCII)
_PLACE = re.compile(r"(?s:(.+)):(\d{1,9}):(\d{1,9})", re.ASCII)
_NAME = re.compile(r"\s*[/／]\s?([A-Za-z_-]*)")
_SEARCH, _BETWEEN, _REPLACE = "<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE"


class BadCommand(Exception):
    """A slash command that can't be understood; `usage` is how it goes, None for an unknown one."""

    def __init__(self, usage: str | None) -> None:
        super().__init__(usage)
        self.usage = usage


@frozen(kw_only=True)
class ToolWanted:
    """A command that is a tool call."""

    tool: str
    arguments: Mapping[str, Any] = field(factory=dict)


@frozen(kw_only=True)
class ModeWanted:
    """`/mode`: the word after it, empty to ask which one it is."""

    mode: str


@frozen(kw_only=True)
class HelpWanted:
    """`/help`."""


Wanted: TypeAlias = ToolWanted | ModeWanted | HelpWanted

USAGES = {
    "help": "/help",
    "read": "/read PATH[:FROM-TO]",
    "ls": "/ls [PATH]",
    "grep": "/grep PATTERN [PATH]",
    "symbols": "/symbols PATH",
    "diff": "/diff [PATH]",
    "write": "/write PATH TEXT",
    "edit": f"/edit PATH ⏎ {_SEARCH} ⏎ … ⏎ {_BETWEEN} ⏎ … ⏎ {_REPLACE}",
    "move": "/move FROM TO",
    "delete": "/delete PATH",
    "run": "/run [--network] [--unsandboxed] ARGV...",
    "todo": "/todo [TEXT | done NUMBER]",
    "search": "/search QUERY",
    "mode": "/mode [build | plan | general]",
    "definition": "/definition PATH:LINE:COL",
    "references": "/references PATH:LINE:COL",
    "hover": "/hover PATH:LINE:COL",
    "rename": "/rename PATH:LINE:COL NAME",
    "diagnostics": "/diagnostics [PATH]",
}
"""How each command goes, in the order of the help."""


def is_command(prompt: str) -> bool:
    """Whether a prompt is a slash command."""
    return prompt.lstrip().startswith(SLASHES)


def parsed(prompt: str) -> Wanted:
    """What a slash command wants. Raises BadCommand."""
    start = _NAME.match(prompt)
    name = start[1].casefold() if start is not None else ""
    if start is None or name not in USAGES:
        raise BadCommand(None)
    rest = prompt[start.end() :]
    if rest and not rest[0].isspace():
        raise BadCommand(None)
    try:
        return _READERS[name](rest)
    except (ValueError, LookupError) as error:
        raise BadCommand(USAGES[name]) from error


def words_of(text: str) -> list[str]:
    """Words as a shell would have them, but nothing is expanded. Raises ValueError for a quote that does not end."""
    return list(_lexer(io.StringIO(text)))


def _lexer(text: io.StringIO) -> shlex.shlex:
    lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.whitespace += "\u3000"
    lexer.commenters = ""
    return lexer


def _between(words: Sequence[str], least: int, most: int) -> Sequence[str]:
    if not least <= len(words) <= most or not all(words):
        raise ValueError
    return words


def _one(tool: str, argument: str, *, optional: bool = False) -> Callable[[str], Wanted]:
    def read(rest: str) -> Wanted:
        words = _between(words_of(rest), 0 if optional else 1, 1)
        return ToolWanted(tool=tool, arguments={argument: words[0]} if words else {})

    return read


def _read(rest: str) -> Wanted:
    (path,) = _between(words_of(rest), 1, 1)
    lines = _RANGE.fullmatch(path)
    if lines is None:
        return ToolWanted(tool="read_file", arguments={"path": path})
    first = int(lines[2])
    last = int(lines[3]) if lines[3] else first
    return ToolWanted(tool="read_file", arguments={"path": lines[1], "first": first, "last": last})


def _grep(rest: str) -> Wanted:
    words = _between(words_of(rest), 1, 2)
    return ToolWanted(tool="grep", arguments=dict(zip(("pattern", "path"), words, strict=False)))


def _first_word(text: str) -> tuple[str, str]:
    """The first word, and what follows the one sign of white space after it, as typed."""
    stream = io.StringIO(text.lstrip())
    word = _lexer(stream).get_token()
    if not word:
        raise ValueError
    return word, stream.read()


def _write(rest: str) -> Wanted:
    path, text = _first_word(rest)
    return ToolWanted(tool="write_file", arguments={"path": path, "content": text})


def _edit(rest: str) -> Wanted:
    head, _, body = rest.partition("\n")
    (path,) = _between(words_of(head), 1, 1)
    blocks: list[dict[str, str]] = []
    part: list[str] | None = None
    search = ""
    state = _REPLACE
    for line in body.split("\n"):
        mark = line.rstrip("\r ")
        if state == _REPLACE and mark == _SEARCH:
            state, part = _SEARCH, []
        elif state == _SEARCH and mark == _BETWEEN and part is not None:
            search, state, part = "\n".join(part), _BETWEEN, []
        elif state == _BETWEEN and mark == _REPLACE and part is not None:
            blocks.append({"search": search, "replace": "\n".join(part)})
            state, part = _REPLACE, None
        elif part is not None:
            part.append(line)
        elif mark:
            raise ValueError
    if state != _REPLACE or not blocks:
        raise ValueError
    return ToolWanted(tool="edit_file", arguments={"path": path, "edits": blocks, "lines": True})


def _move(rest: str) -> Wanted:
    source, target = _between(words_of(rest), 2, 2)
    return ToolWanted(tool="move", arguments={"source": source, "target": target})


def _run(rest: str) -> Wanted:
    words = words_of(rest)
    flags: dict[str, Any] = {}
    while words and words[0] in ("--network", "--unsandboxed"):
        flags[words.pop(0)[2:]] = True
    if not words or not words[0]:
        raise ValueError
    return ToolWanted(tool="run_command", arguments={"argv": words, **flags})


def _todo(rest: str) -> Wanted:
    done = re.fullmatch(r"\s*done\s+(\d{1,4})\s*", rest, re.ASCII)
    if done is not None:
        return ToolWanted(tool="todo", arguments={"done": int(done[1])})
    return ToolWanted(tool="todo", arguments={"text": rest.strip()} if rest.strip() else {})


def _search(rest: str) -> Wanted:
    if not rest.strip():
        raise ValueError
    return ToolWanted(tool="search_sessions", arguments={"query": rest.strip()})


def _mode(rest: str) -> Wanted:
    words = _between(words_of(rest), 0, 1)
    return ModeWanted(mode=words[0].casefold() if words else "")


def _at_place(tool: str) -> Callable[[str], Wanted]:
    def read(rest: str) -> Wanted:
        (word,) = _between(words_of(rest), 1, 1)
        return ToolWanted(tool=tool, arguments=_place(word))

    return read


def _place(word: str) -> dict[str, Any]:
    place = _PLACE.fullmatch(word)
    if place is None:
        raise ValueError
    return {"path": place[1], "line": int(place[2]), "column": int(place[3])}


def _rename(rest: str) -> Wanted:
    word, name = _between(words_of(rest), 2, 2)
    return ToolWanted(tool="rename", arguments=_place(word) | {"new_name": name})


_READERS: dict[str, Callable[[str], Wanted]] = {
    "help": lambda rest: HelpWanted(),
    "read": _read,
    "ls": _one("list_dir", "path", optional=True),
    "grep": _grep,
    "symbols": _one("symbols", "path"),
    "diff": _one("diff", "path", optional=True),
    "write": _write,
    "edit": _edit,
    "move": _move,
    "delete": _one("delete", "path"),
    "run": _run,
    "todo": _todo,
    "search": _search,
    "mode": _mode,
    "definition": _at_place("definition"),
    "references": _at_place("references"),
    "hover": _at_place("hover"),
    "rename": _rename,
    "diagnostics": _one("diagnostics", "path", optional=True),
}
