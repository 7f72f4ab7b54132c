"""Params for any method of the table, good and bad, told from its declaration."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from attrs import NOTHING, fields

from kore_ls.api import TABLE
from kore_ls.model import limits
from kore_ls.model.secret import key_problem, passphrase_problem
from kore_ls.rpc.codec import Checked, camel

Json = dict[str, Any]

LONE = "\ud800"
BAD_IDS = ("", " ", "../../x", "..", "a/b", "a b", "x" * 65, "é", "a\0", "a\n", "-" * 65, LONE, "%2e%2e", "\u0661")
BAD_NAMES = ("", " \t\n", "\u3000", "x" * 201, "a\0b", LONE, "x" + LONE)
BAD_TEXTS = (LONE, "x" + LONE + "y")
BAD_BY_RULE: Mapping[Any, tuple[Any, ...]] = {
    limits.id_problem: BAD_IDS,
    limits.name_problem: BAD_NAMES,
    limits.tag_problem: (*BAD_NAMES, "x" * 101),
    limits.tags_problem: ([f"t{n}" for n in range(65)],),
    limits.description_problem: ("x" * 4_001, LONE),
    limits.unicode_problem: BAD_TEXTS,
    key_problem: ("", "x", "hex:00", "base64:AAAA", "base64:!", "hex:" + "0" * 63),
    passphrase_problem: ("", *BAD_TEXTS),
    limits.content_problem: (*BAD_TEXTS, "x" * ((16 << 20) + 1)),
    limits.metadata_problem: ({"k": "x" * (64 << 10)}, {"k": LONE}, {LONE: 1}, {"k": [[[{"l": LONE}]]]}),
}
BAD_BY_TYPE: Mapping[Any, tuple[Any, ...]] = {
    str: (7, 1.5, True, False, [], ["x"], {}, {"x": "y"}),
    int: ("7", "", 1.5, 7.0, True, False, [], [7], {}, -1, 1 << 53, 1 << 70, -(1 << 70)),
    bool: ("true", "", 0, 1, [], {}),
    tuple: ("x", "", 7, True, {}, {"0": "x"}),
    Mapping: ("x", "", 7, True, [], [["k", "v"]]),
    Enum: ("nope", "", "BUILD", 7, True, [], {}),
}


class Field:
    """One param of a method."""

    def __init__(self, name: str, type_: Any, required: bool) -> None:
        self.name = camel(name)
        self.required = required
        self.type, self.rules = _plain(type_)

    @property
    def kind(self) -> Any:
        """The key of its type in BAD_BY_TYPE, or None where anything may stand."""
        if isinstance(self.type, type) and issubclass(self.type, Enum):
            return Enum
        origin = get_origin(self.type) or self.type
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return Mapping
        return origin if origin in BAD_BY_TYPE else None

    def bad(self) -> Iterator[Any]:
        """Values that must be refused; the problem names this field or a place in it."""
        if self.kind is not None:
            yield from BAD_BY_TYPE[self.kind]
        for rule in self.rules:
            yield from BAD_BY_RULE.get(rule, ())
        if self.kind is tuple:
            inner = Field(self.name, get_args(self.type)[0], required=True)
            for value in inner.bad():
                yield [value]
            yield [None]

    def good(self, session_id: str) -> Any:
        """A value that may stand here."""
        if self.name == "sessionId":
            return session_id
        if self.kind is Enum:
            return next(iter(self.type)).value
        for rule in self.rules:
            if words := getattr(rule, "words", None):
                return words[0]
        samples: dict[Any, Any] = {str: "x", int: 1, bool: False, Mapping: {}, tuple: []}
        return samples.get(self.kind, {})


def _plain(type_: Any) -> tuple[Any, list[Any]]:
    """A type without None and marks, and its rules."""
    rules: list[Any] = []
    while True:
        origin = get_origin(type_)
        if origin is Annotated:
            type_, *marks = get_args(type_)
            rules += [mark.rule for mark in marks if isinstance(mark, Checked)]
        elif origin in (Union, types.UnionType):
            type_ = next(each for each in get_args(type_) if each is not type(None))
        elif hasattr(type_, "__supertype__"):
            type_ = type_.__supertype__
        else:
            return type_, rules


@cache
def fields_of(method: str) -> tuple[Field, ...]:
    """The params of a method."""
    params = TABLE[method].params
    hints = get_type_hints(params, include_extras=True)
    return tuple(Field(a.name, hints[a.name], a.default is NOTHING) for a in fields(params))


def good_params(method: str, session_id: str) -> Json:
    """The least that a method takes."""
    return {field.name: field.good(session_id) for field in fields_of(method) if field.required}


def bad_params(method: str, session_id: str) -> Iterator[tuple[str, Json]]:
    """Params in which one field is bad, with that field's name."""
    good = good_params(method, session_id)
    for field in fields_of(method):
        for value in field.bad():
            yield field.name, good | {field.name: value}
        if field.required:
            yield field.name, {key: value for key, value in good.items() if key != field.name}
            yield field.name, good | {field.name: None}
