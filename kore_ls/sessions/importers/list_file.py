"""A JSON file whose weight is one list, that of its messages: read part by part, it is never in memory as a whole.

The list is the file's value, or a member of it. A part that is broken costs itself, as long as the next can be found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from os import SEEK_END
from pathlib import Path
from typing import Any, BinaryIO, Literal

from attrs import frozen

from kore_ls.errors import ImportInvalid
from kore_ls.sessions.importers.records import LINE_BYTES, WHOLE_FILE_BYTES, Record, parsed
from kore_ls.sessions.importers.thread import Notes
from kore_ls.storage.regular_file import open_regular

TOP = ""
"""The name of a list that is the file's value."""
_CHUNK = 1 << 18
_TEXT = rb'[^"\\\n]*+(?:\\.[^"\\\n]*+)*+'
_ENDS = rb'["\n]'  # no line ends in a sound text: a quote that is missing costs a line
_NEXT_MARK = re.compile(rb'(?:[^"\[\]{},]++|"%b%b)*+([\[\]{},])?' % (_TEXT, _ENDS), re.DOTALL)
_REST_OF_TEXT = re.compile(rb"%b(%b)?" % (_TEXT, _ENDS), re.DOTALL)
_NAME = re.compile(rb'\s*("[^"]*")\s*:\s*')
_LONGEST_NAME = 1000
_DEEPEST = 10_000
_BLANK = b" \t\r\n\xef\xbb\xbf"
_COMMA, _LIST = b",["


@frozen
class Part:
    """An entry of the list (`name` is None) or another member of the object: its value, and where it stands.

    `number` counts entries from 0. Of the list itself comes an empty one, where it begins.
    """

    name: str | None
    value: Any
    number: int = -1
    offset: int = -1
    size: int = 0

    def again(self, file: BinaryIO) -> Any:
        """An entry's value, read anew; None for what is none any more."""
        return _value(_between(file, self.offset, self.offset + self.size))


def surroundings(path: Path, name: str, notes: Notes) -> Record:
    """What a file says besides the entries of its list; the list is empty there, and absent where the file has none.

    What is broken is noted; empty for a file that can't be read.
    """
    found: Record = {}
    try:
        for part in parts(path, name, notes):
            if part.name is not None:
                found[part.name] = part.value
    except ImportInvalid:
        notes.skip(path, "the file", "can't be read")
    return found


def entries(path: Path, name: str) -> Iterator[tuple[int, Record]]:
    """The objects in the list, each with its number. Raises ImportInvalid if the file can't be read."""
    for part in parts(path, name, Notes()):
        if part.name is None and isinstance(part.value, dict):
            yield part.number, part.value


def parts(path: Path, name: str, notes: Notes) -> Iterator[Part]:
    """The parts of a file, in their order; `name` is that of the list. Notes what is broken or above 64 MiB.

    Raises ImportInvalid if the file can't be read.
    """
    with open_regular(path, most=WHOLE_FILE_BYTES) as file:
        number = -1
        for span in _spans(file, name):
            raw = _between(file, span.start, min(span.end, span.start + LINE_BYTES))
            what = "entry" if span.what == "member" and raw.lstrip()[:1] == b"{" else span.what
            match what:
                case "list":
                    yield Part(name, [])
                case "damage":
                    notes.skip(path, "the file", "is damaged, and read up to there" if span.start else "is no JSON")
                case "member" if raw.strip():
                    members = _value(b"{%b}" % raw)
                    if members is None:
                        notes.skip(path, "what is said beside the list", "is broken")
                    yield from (Part(each, value) for each, value in (members or {}).items())
                case "entry" | "last" if raw.strip():
                    number += 1
                    value = _value(raw) if len(raw) == span.end - span.start else None
                    if value is not None:
                        yield Part(None, value, number, span.start, len(raw))
                    elif what == "entry":
                        notes.skip(path, f"entry {number + 1}", "is no JSON, too large or too deep")


@frozen
class _Span:
    """From where to where a part reaches; `last`: an entry, and there the file ends."""

    what: Literal["list", "entry", "last", "member", "damage"]
    start: int
    end: int


def _spans(file: BinaryIO, name: str) -> Iterator[_Span]:
    """The spans between the commas of the list, and of the object around it."""
    what: Literal["entry", "member"] = "member" if name else "entry"
    depth, level, start = 0, 1, 0
    for offset, mark in _marks(file):
        if depth > _DEEPEST:
            break
        if mark == _COMMA:
            if depth == level:
                yield _Span(what, start, offset)
                start = offset + 1
        elif mark in b"[{":
            if depth == 0:
                if _between(file, 0, min(offset, _CHUNK)).strip(_BLANK):
                    break
                if (mark == _LIST) is bool(name):
                    return
            listed = mark == _LIST and depth == (1 if name else 0) and _named(file, start, offset) == name
            depth += 1
            if listed or depth == 1:
                start = offset + 1
            if listed:
                what, level = "entry", depth
                yield _Span("list", start, start)
        else:
            if depth == level:
                yield _Span(what, start, offset)
                start = offset + 1
                if name:  # after the list comes what else the object says
                    what, level = "member", 1
            depth -= 1
            if depth <= 0:
                break
    if depth > 0 and what == "entry":
        yield _Span("last", start, file.seek(0, SEEK_END))
    if depth or not start or _between(file, start, start + _CHUNK).strip(_BLANK):
        yield _Span("damage", start, start)


def _named(file: BinaryIO, start: int, end: int) -> str:
    """The name of the member whose value begins at `end`; empty for none."""
    found = _NAME.fullmatch(_between(file, start, min(end, start + _LONGEST_NAME)))
    return str(parsed(found[1])) if found else TOP


def _marks(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """Where brackets, braces and commas stand that are in no text, and which."""
    base, within = 0, False
    while data := _between(file, base, base + _CHUNK):
        at = 0
        if within and (rest := _REST_OF_TEXT.match(data)):
            within, at = not rest[1], rest.end()
        while not within and (found := _NEXT_MARK.match(data, at)):
            at = found.end()
            if found[1]:
                yield base + at - 1, data[at - 1]
            elif at == len(data):
                break
            elif rest := _REST_OF_TEXT.match(data, at + 1):
                within, at = True, rest.end()
        base += at or len(data)


def _between(file: BinaryIO, start: int, end: int) -> bytes:
    file.seek(start)
    return file.read(end - start)


def _value(raw: bytes) -> Any:
    value = parsed(raw)
    return parsed(raw.decode("utf-8", "replace")) if value is None else value
