"""Reads the fields of one object that nobody vouches for. What is wrong is named by its place, never by its value."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from enum import Enum
from typing import Any, TypeVar

from attrs import frozen

from kore_ls.errors import ImportInvalid
from kore_ls.model.limits import (
    CONTENT_BYTES,
    IMPORT_DEPTH,
    MAX_INTEGER,
    Rule,
    id_problem,
    metadata_problem,
    unicode_problem,
)

E = TypeVar("E", bound=Enum)

REPLACEMENT = "\ufffd"
SECONDS_BELOW = 10**11
"""A loose time below this counts seconds: as milliseconds it would lie before March 1973."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_FREE_FORM = frozenset({"metadata", "arguments", "result"})
_NAMED = _FREE_FORM | {"messages", "tool_calls", "sessions", "usage"}


def fault(place: str, problem: str) -> ImportInvalid:
    """The error for a place (`messages[3].role`) and what is wrong there."""
    return ImportInvalid(f"{place}: {problem}", place=place)


@frozen(slots=True)
class Fields:
    """One object of a document. An absent field and a null one are the same: None.

    `loose` is for documents that other programs wrote: times may count seconds, ids may be numbers, and zero or an
    empty text means absent. Every method raises ImportInvalid for a value of the wrong form.
    """

    value: dict[str, Any]
    place: str
    loose: bool = False

    def place_of(self, key: str) -> str:
        """Where a field of this object is in the document."""
        return f"{self.place}.{key}" if self.place else key

    def fault(self, key: str, problem: str) -> ImportInvalid:
        """The error for a field of this object."""
        return fault(self.place_of(key), problem)

    def text(self, key: str, rule: Rule = unicode_problem) -> str | None:
        """A string that keeps the rule; lone surrogates become U+FFFD."""
        value = self.value.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self.fault(key, "must be a string")
        value = _mended(value)
        if (problem := rule(value)) is not None:
            raise self.fault(key, problem)
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """An array of strings; lone surrogates become U+FFFD, absent is empty."""
        values = self.items(key)
        for index, value in enumerate(values):
            if not isinstance(value, str):
                raise self.fault(f"{key}[{index}]", "must be a string")
        return tuple(_mended(value) for value in values)

    def id(self, key: str) -> str | None:
        """An identifier."""
        value = self.value.get(key)
        if self.loose and isinstance(value, int | str) and not isinstance(value, bool):
            value = str(value) if value else None
        if value is None:
            return None
        if not isinstance(value, str):
            raise self.fault(key, "must be a string")
        if (problem := id_problem(value)) is not None:
            raise self.fault(key, problem)
        return value

    def word(self, key: str, words: type[E]) -> E | None:
        """One of an enum's words."""
        value = self.value.get(key)
        if value is None:
            return None
        try:
            return words(value)
        except ValueError:
            known = ", ".join(str(word.value) for word in words)
            raise self.fault(key, f"must be one of {known}") from None

    def flag(self, key: str) -> bool:
        """A boolean; absent is False."""
        value = self.value.get(key)
        if value is not None and not isinstance(value, bool):
            raise self.fault(key, "must be a boolean")
        return bool(value)

    def count(self, key: str) -> int | None:
        """An integer from 0."""
        value = self.value.get(key)
        if value is None:
            return None
        if isinstance(value, float) and self.loose and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.fault(key, "must be an integer")
        if not 0 <= value <= MAX_INTEGER:
            raise self.fault(key, f"must be from 0 to {MAX_INTEGER}")
        return value

    def amount(self, key: str) -> float | None:
        """A finite number from 0."""
        value = self.value.get(key)
        if value is None:
            return None
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.fault(key, "must be a number")
        if not 0 <= value <= MAX_INTEGER:
            raise self.fault(key, f"must be from 0 to {MAX_INTEGER}")
        return float(value)

    def time(self, key: str) -> int | None:
        """Unix milliseconds."""
        if not self.loose:
            return self.count(key)
        value = self.value.get(key)
        if isinstance(value, int | float) and value <= 0:
            return None  # how a program without optional values writes "no time"
        value = self.count(key)
        return value * 1000 if value is not None and value < SECONDS_BELOW else value

    def items(self, key: str) -> list[Any]:
        """An array; absent is empty."""
        value = self.value.get(key)
        if value is None:
            return []
        if not isinstance(value, list | tuple):
            raise self.fault(key, "must be an array")
        return list(value)

    def metadata(self, key: str = "metadata") -> dict[str, Any]:
        """A JSON object within the limit for metadata; absent is empty."""
        value = self._object(key)
        if (problem := metadata_problem(value)) is not None:
            raise self.fault(key, problem)
        return value

    def object(self, key: str) -> dict[str, Any]:
        """A JSON object of at most 16 MiB; absent is empty."""
        self._check_size(key, value := self._object(key))
        return value

    def json(self, key: str) -> Any:
        """Any JSON value of at most 16 MiB; lone surrogates become U+FFFD."""
        self._check_size(key, value := self._json(key))
        return value

    def _object(self, key: str) -> dict[str, Any]:
        value = self.value.get(key)
        if value is not None and not isinstance(value, dict):
            raise self.fault(key, "must be an object")
        return self._json(key) if value else {}

    def _json(self, key: str) -> Any:
        try:
            return _json(self.value.get(key), IMPORT_DEPTH)
        except _NotJson as error:
            raise self.fault(key, str(error)) from None

    def _check_size(self, key: str, value: Any) -> None:
        if not value or not isinstance(value, str | list | dict):
            return
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        if len(text) * 4 > CONTENT_BYTES and len(text.encode()) > CONTENT_BYTES:
            raise self.fault(key, f"must have at most {CONTENT_BYTES} bytes as JSON")


class _NotJson(Exception):
    """Says what is wrong with a value without repeating it."""


def _json(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _mended(value)
    if isinstance(value, int | float):
        return _number(value)
    if depth == 0:
        raise _NotJson(f"is nested deeper than {IMPORT_DEPTH}")
    if isinstance(value, list | tuple):
        return [_json(item, depth - 1) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {_mended(key): _json(item, depth - 1) for key, item in value.items()}
    raise _NotJson("must be JSON")


def _number(value: float) -> float:
    if isinstance(value, int) and -(1 << 63) <= value < 1 << 64:
        return value
    try:
        number = float(value)  # what most readers of JSON make of a longer integer
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _NotJson("must hold finite numbers only")
    return number


def _mended(text: str) -> str:
    return text if unicode_problem(text) is None else _SURROGATE.sub(REPLACEMENT, text)


def check_depth(document: Any) -> None:
    """Raise ImportInvalid if anything in the document, known or not, is nested deeper than 64."""
    if not _deeper_than(document, IMPORT_DEPTH):
        return
    place, name, left = "", None, IMPORT_DEPTH
    while left > 1 and name not in _FREE_FORM:
        left, last = left - 1, name
        name, document = next((name, inner) for name, inner in _inner(document) if _deeper_than(inner, left))
        if isinstance(name, int) and not isinstance(last, int):
            place += f"[{name}]"
        elif name in _NAMED:
            place += f".{name}" if place else name
        else:
            break
    raise fault(place or "document", f"is nested deeper than {IMPORT_DEPTH}")


def _deeper_than(value: Any, depth: int) -> bool:
    level = [value]
    for _ in range(depth):
        found: dict[int, Any] = {}  # by identity: a value that holds itself twice must not double with each level
        for holder in level:
            members = holder.values() if isinstance(holder, dict) else holder if isinstance(holder, list) else ()
            found.update((id(inner), inner) for inner in members if isinstance(inner, dict | list))
        level = list(found.values())
        if not level:
            return False
    return True


def _inner(value: Any) -> Iterable[tuple[Any, Any]]:
    return value.items() if isinstance(value, dict) else enumerate(value)
