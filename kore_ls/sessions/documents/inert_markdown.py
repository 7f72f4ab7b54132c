"""Markdown that others wrote, made inert: no renderer finds a link, an image, HTML or a heading in it. Pure.

Emphasis, lists, quotes, tables and code stay. Every line stays one line; an open code block is closed by one more.
"""

from __future__ import annotations

import re

_FENCE = re.compile(r"(`{3,}|~{3,})[ \t]*([^`]*)$")
_LANGUAGE = re.compile(r"[A-Za-z0-9_+#.-]{1,20}(?=\s|$)")
_DRAWN = frozenset({"mermaid", "math", "geojson", "topojson", "stl", "dot", "graphviz", "plantuml"})
"""Code blocks that renderers run or draw; they are shown as text."""
_ADDRESS = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://|www\.|mailto:)[^\s`|()\[\]<>]*")
_ACTIVE = re.compile(r"[\[\]<$@]")
_HEADING = re.compile(r"(\s*)(#{1,6}(?:\s|$)|=+\s*$|-+\s*$)")
_RUN = re.compile(r"`+")
_TILDES = re.compile(r"~{3,}")


def inert(text: str) -> list[str]:
    """The lines of `text`, to be put below a heading of ours."""
    lines = text.split("\n")
    out: list[str] = []
    index = 0
    while index < len(lines):
        opened = _FENCE.match(lines[index])
        if opened is None:
            out.append(_line(lines[index]))
            index += 1
            continue
        end = _closed_at(lines, index + 1, opened[1])
        out += _code(opened, lines[index + 1 : end])
        index = end + 1
    return out


def _closed_at(lines: list[str], start: int, fence: str) -> int:
    closing = re.compile(rf" {{0,3}}{re.escape(fence[0])}{{{len(fence)},}}[ \t]*$")
    return next((at for at in range(start, len(lines)) if closing.match(lines[at])), len(lines))


def _code(opened: re.Match[str], lines: list[str]) -> list[str]:
    """A code block with a fence longer than any in it, so that all renderers end it at the same line."""
    mark = opened[1][0]
    longest = max((len(run) for line in lines for run in re.findall(rf"{re.escape(mark)}+", line)), default=0)
    fence = mark * max(len(opened[1]), longest + 1)
    language = _LANGUAGE.match(opened[2])
    named = language[0] if language is not None and language[0].lower() not in _DRAWN else ""
    return [fence + named, *lines, fence]


def _line(line: str) -> str:
    heading = _HEADING.match(line)
    if heading is not None:
        return f"{heading[1]}\\{_spans(line[len(heading[1]) :])}"
    return _spans(line)


def _spans(text: str) -> str:
    """A line's text: code spans as they are, where one could not end elsewhere; all else without what acts."""
    out: list[str] = []
    at = 0
    while (run := _RUN.search(text, at)) is not None:
        out.append(_plain(text[at : run.start()], after=at > 0, before=True))
        end = next((found for found in _RUN.finditer(text, run.end()) if found[0] == run[0]), None)
        code = text[run.end() : end.start()] if end is not None else "|"
        if end is None or "|" in code:  # a table would cut the span in two
            out.append("\\`" * len(run[0]))
            at = run.end()
        else:
            out.append(run[0] + code + end[0])
            at = end.end()
    out.append(_plain(text[at:], after=at > 0, before=False))
    return "".join(out)


def _plain(text: str, *, after: bool, before: bool) -> str:
    """Text between backquotes, if there are any `after` which or `before` which it stands; addresses become code."""
    out: list[str] = []
    at = 0
    for found in _ADDRESS.finditer(text):
        touches = (after and found.start() == 0) or (before and found.end() == len(text))
        out.append(_passive(text[at : found.start()]))
        out.append(_broken(found[0]) if touches else f"`{found[0]}`")
        at = found.end()
    return "".join([*out, _passive(text[at:])])


def _broken(address: str) -> str:
    return re.sub(r"(?<=:)/|(?<=www)\.|(?<=mailto):", lambda match: f"\\{match[0]}", _passive(address))


def _passive(text: str) -> str:
    escaped = _ACTIVE.sub(lambda match: f"\\{match[0]}", text.replace("\\", "\\\\"))
    return _TILDES.sub(lambda match: "\\~" * len(match[0]), escaped)
