"""The outline and the folds of a session's transcript, from its text in the editor. Pure; reads no other Markdown."""

from __future__ import annotations

import re
from typing import Any

from attrs import frozen

from kore_ls.model.display import shortened

NAME_CHARS = 60

_HEADING = re.compile(r"## (\d+) · (user|assistant|system|tool) · (.*)$")
_FENCE = re.compile(r"(`{3,}|~{3,})[A-Za-z0-9_+#.-]*$")
_EVENT, _STRING = 24, 15


@frozen(kw_only=True)
class _Message:
    seq: str
    role: str
    time: str
    first: int
    end: int
    words: str


def symbols(text: str) -> list[dict[str, Any]]:
    """One DocumentSymbol per turn (a user's message and what follows), with one for each message of it."""
    found: list[dict[str, Any]] = []
    for turn in _turns(text):
        head = turn[0]
        children = [_symbol(each, each.role, each.end, _STRING) for each in turn]
        found.append(_symbol(head, head.words or head.role, turn[-1].end, _EVENT) | {"children": children})
    return found


def flat_symbols(text: str, uri: str) -> list[dict[str, Any]]:
    """The turns as SymbolInformation, for clients that know no other."""
    keys = ("name", "kind")
    return [
        {key: each[key] for key in keys} | {"location": {"uri": uri, "range": each["range"]}} for each in symbols(text)
    ]


def folds(text: str) -> list[dict[str, Any]]:
    """A fold for each turn and each message that has more than a line."""
    ranges = []
    for turn in _turns(text):
        if len(turn) > 1:
            ranges.append((turn[0].first, turn[-1].end))
        ranges += [(each.first, each.end) for each in turn]
    return [{"startLine": first, "endLine": end - 1} for first, end in ranges if end - 1 > first]


def _symbol(message: _Message, name: str, end: int, kind: int) -> dict[str, Any]:
    first = {"line": message.first, "character": 0}
    return {
        "name": shortened(f"{message.seq} · {name}", NAME_CHARS),
        "detail": message.time,
        "kind": kind,
        "range": {"start": first, "end": {"line": end, "character": 0}},
        "selectionRange": {"start": first, "end": first},
    }


def _turns(text: str) -> list[list[_Message]]:
    turns: list[list[_Message]] = []
    for message in _messages(text.split("\n")):
        if message.role == "user" or not turns:
            turns.append([])
        turns[-1].append(message)
    return turns


def _messages(lines: list[str]) -> list[_Message]:
    heads = _headings(lines)
    ends = [*(number for number, _ in heads), len(lines) - 1][1:]
    return [
        _Message(
            seq=found[1],
            role=found[2],
            time=found[3],
            first=number,
            end=end,
            words=next((line.strip() for line in lines[number + 1 : end] if line.strip()), ""),
        )
        for (number, found), end in zip(heads, ends, strict=True)
    ]


def _headings(lines: list[str]) -> list[tuple[int, re.Match[str]]]:
    """The headings that are ours: those outside of code."""
    heads: list[tuple[int, re.Match[str]]] = []
    fence = ""
    for number, line in enumerate(lines):
        if fence:
            fence = "" if line == fence else fence
        elif opened := _FENCE.match(line):
            fence = opened[1]
        elif found := _HEADING.match(line):
            heads.append((number, found))
    return heads
