"""Other tools' JSON: lines, whole files, and the odd values in them. Reads regular files only, within limits."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import orjson
from attrs import frozen

from kore_ls.errors import ImportInvalid
from kore_ls.model.limits import IMPORT_FILE_BYTES, deeper_than
from kore_ls.sessions.importers.thread import Notes
from kore_ls.storage.regular_file import open_regular

Record = dict[str, Any]

LINE_BYTES = 64 << 20
WHOLE_FILE_BYTES = 256 << 20
"""A file that is one JSON value has to be gone through as a whole, whatever is wanted of it."""
SECONDS_BELOW = 10**11
"""A time below this counts seconds: as milliseconds it would lie before March 1973."""
_LATEST = 1 << 45
_DEEPEST = 200
_JSON_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{},"]', re.DOTALL)


@frozen
class Line:
    """A record of a file of JSON lines: where it begins, which line it is (from 1), and what it says."""

    offset: int
    number: int
    record: Record


def lines(path: Path, notes: Notes | None = None) -> Iterator[Line]:
    """The records of a file of JSON lines. Others are passed over and noted, also what is longer than 64 MiB."""
    with open_regular(path, most=IMPORT_FILE_BYTES) as file:
        offset, number = 0, 0
        while raw := file.readline(LINE_BYTES):
            number += 1
            begin, offset = offset, offset + len(raw)
            while len(raw) == LINE_BYTES and not raw.endswith(b"\n"):
                raw = file.readline(LINE_BYTES)
                offset += len(raw)
                if len(raw) < LINE_BYTES or raw.endswith(b"\n"):
                    raw = b"\xff"
            if not raw.strip():
                continue
            record = parsed(raw)
            if isinstance(record, dict):
                yield Line(begin, number, record)
            elif notes is not None:
                notes.skip(path, f"line {number}", "is no JSON object")


def lines_at(path: Path, offsets: Iterator[int]) -> Iterator[tuple[int, Record]]:
    """The records that begin at these offsets; what is no record any more is passed over."""
    with open_regular(path, most=IMPORT_FILE_BYTES) as file:
        for offset in offsets:
            if record := record_at(file, offset):
                yield offset, record


def record_at(file: BinaryIO, offset: int) -> Record:
    """The record that begins at this offset; empty for what is no record any more."""
    file.seek(offset)
    record = parsed(file.readline(LINE_BYTES))
    return record if isinstance(record, dict) else {}


def whole(path: Path, notes: Notes | None = None) -> Any:
    """The value of a JSON file, as far as it is sound; None for a file that is none. Damage is noted.

    Raises ImportInvalid if it can't be read.
    """
    with open_regular(path, most=WHOLE_FILE_BYTES) as file:
        raw = file.read(os.fstat(file.fileno()).st_size)  # room is made for as much as is asked for
    value = parsed(raw)
    if value is None:
        value = _before_damage(raw.decode("utf-8", "replace"))
        if notes is not None:
            notes.skip(path, "the file", "is no JSON" if value is None else "is damaged, and read up to there")
    return value


def _before_damage(said: str) -> Any:
    """The value without what is cut off or broken in it: of its outer lists and objects, the parts that are whole."""
    try:
        return orjson.loads(said)
    except orjson.JSONDecodeError as error:
        end = error.pos
    open_now: list[str] = []
    cut, closing = 0, ""
    for token in _JSON_TOKEN.finditer(said, 0, end):
        match token[0]:
            case "[" | "{" as mark:
                open_now.append("]" if mark == "[" else "}")
            case "]" | "}":
                if not open_now:
                    break
                open_now.pop()
            case '"':  # it is never closed
                break
        deepest = 1 if open_now[:1] == ["]"] else 2
        if token[0] in ("]", "}", ",") and 0 < len(open_now) <= deepest:
            cut = token.start() if token[0] == "," else token.end()
            closing = "".join(reversed(open_now))
    return parsed(said[:cut] + closing) if cut else None


def whole_object(path: Path, notes: Notes | None = None) -> Record:
    """The object in a JSON file; empty, and a note, for one that holds none or can't be read."""
    try:
        value = whole(path, notes)
    except ImportInvalid:
        if notes is not None:
            notes.skip(path, "the file", "can't be read")
        return {}
    return value if isinstance(value, dict) else {}


def parsed(raw: bytes | str) -> Any:
    """A JSON value, or None for what is none, or is nested so deep that nothing can be made of it."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        try:  # reads the escapes of lone surrogates, which orjson refuses; the import mends them
            value = json.loads(raw, parse_constant=lambda _: None)
        except (ValueError, RecursionError):
            return None
    opened = raw.count(b"[") + raw.count(b"{") if isinstance(raw, bytes) else raw.count("[") + raw.count("{")
    return None if opened > _DEEPEST and deeper_than(value, _DEEPEST) else value


def inner(record: Mapping[str, Any], key: str) -> Record:
    """The object under a key; empty where there is none."""
    value = record.get(key)
    return value if isinstance(value, dict) else {}


def items(record: Mapping[str, Any], key: str) -> list[Any]:
    """The array under a key; empty where there is none."""
    value = record.get(key)
    return value if isinstance(value, list) else []


def objects(record: Mapping[str, Any], key: str) -> list[Record]:
    """The objects in the array under a key."""
    return [each for each in items(record, key) if isinstance(each, dict)]


def text(record: Mapping[str, Any], key: str) -> str:
    """The string under a key; empty where there is none."""
    value = record.get(key)
    return value if isinstance(value, str) else ""


def json_object(value: object) -> Record:
    """Arguments as tools write them: an object, or one in a string; anything else under `input`."""
    if isinstance(value, str):
        found = parsed(value)
        return found if isinstance(found, dict) else {"input": value} if value else {}
    if isinstance(value, dict):
        return value
    return {} if value is None else {"input": value}


def instant(value: object) -> int | None:
    """Unix milliseconds of a time in seconds, in milliseconds (also as a string) or in ISO 8601."""
    if isinstance(value, str):
        if value.isdigit() and len(value) < 16:
            return instant(int(value))
        try:
            moment = datetime.fromisoformat(value.strip())
            return max(0, int(moment.astimezone().timestamp() * 1000))
        except (ValueError, OverflowError, OSError):
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _LATEST:
        return None
    return int(value * 1000) if value < SECONDS_BELOW else int(value)
