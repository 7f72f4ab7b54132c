"""JSON <-> values: strict (nothing is coerced), camelCase on the wire, problems named by field path."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Annotated, Any, TypeVar, cast, get_args, get_origin

import attrs
import orjson
from cattrs import Converter
from cattrs.errors import (
    AttributeValidationNote,
    ClassValidationError,
    IterableValidationError,
    IterableValidationNote,
)
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from kore_ls.errors import InvalidParams
from kore_ls.model.limits import MAX_INTEGER
from kore_ls.model.problems import MOST_PROBLEMS

T = TypeVar("T")

_WORDS = {str: "a string", bool: "a boolean", int: "an integer", float: "a number"}


class _Problem(ValueError):
    """A text that is safe to send: it never repeats the value."""


@attrs.frozen
class Checked:
    """Marks a field's type with a rule of `model.limits`: `Annotated[str, Checked(name_problem)]`."""

    rule: Callable[[Any], str | None]


def camel(name: str) -> str:
    """`session_id` as `sessionId`."""
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


class TooDeep(ValueError):
    """JSON that is nested deeper than it can be read."""


def loads(body: bytes | bytearray) -> Any:
    """Parse JSON; ValueError if it is none, TooDeep if it may be some.

    Lone surrogates pass, for the rules to name their field; NaN does not.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            return json.loads(body, parse_constant=_refuse_constant)
        except RecursionError as error:
            raise TooDeep from error
        except UnicodeDecodeError as error:
            raise ValueError("not JSON") from error


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def dumps(value: Any, default: Callable[[Any], Any] | None = None) -> bytes:
    """JSON as UTF-8 without escapes. TypeError or ValueError if `value` can't be sent."""
    try:
        return orjson.dumps(value, default=default)
    except TypeError:  # integers beyond 64 bits, lone surrogates, deep nesting: the stdlib decides
        fallback = _stdlib_default(default)
        text = json.dumps(value, default=fallback, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8", "replace")


def _stdlib_default(default: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    def fallback(value: Any) -> Any:
        if isinstance(value, Enum):
            return value.value
        if default is None:
            raise TypeError(f"can't be sent as JSON: {type(value).__name__}")
        return default(value)

    return fallback


class Codec:
    """Structures params and unstructures results; hooks are compiled once per type."""

    def __init__(self) -> None:
        self._converter = Converter(detailed_validation=True)
        c = self._converter
        for primitive in _WORDS:
            c.register_structure_hook(primitive, _strict(primitive))
        c.register_structure_hook_factory(lambda t: isinstance(t, type) and issubclass(t, Enum), _enum)
        c.register_structure_hook_factory(attrs.has, self._structure_class)
        c.register_unstructure_hook_factory(attrs.has, self._unstructure_class)
        c.register_structure_hook_factory(_is(tuple), self._structure_array)
        c.register_structure_hook_factory(_is_mapping, lambda t: _object)
        c.register_structure_hook_factory(_is(Annotated), self._structure_checked)
        c.register_unstructure_hook_factory(_is_mapping, lambda t: _as_is)

    def structure(self, value: Any, type_: type[T]) -> T:
        """`value` (params as they came: absent and `null` as None, `[]` as no params) as `type_`; InvalidParams."""
        try:
            return self._converter.structure({} if value is None or value == [] else value, type_)
        except Exception as error:
            raise InvalidParams(problems(error, "params")) from None

    def unstructure(self, value: Any) -> Any:
        """`value` as what `dumps` takes: attrs classes as camelCase dicts without absent fields."""
        return self._converter.unstructure(value)

    def _structure_class(self, cls: type) -> Callable[[Any, Any], Any]:
        attrs.resolve_types(cls, include_extras=True)
        own = attrs.fields(cls)
        names = {a.name: override(rename=camel(a.name)) for a in own}
        build = cast(Callable[[Any, Any], Any], make_dict_structure_fn(cls, self._converter, **names))  # type: ignore[arg-type]
        optional = frozenset(camel(a.name) for a in own if a.default is not attrs.NOTHING)

        def structure(value: Any, type_: Any) -> Any:
            if type(value) is not dict:
                raise _Problem("must be an object")
            if None in value.values():
                value = {k: v for k, v in value.items() if v is not None or k not in optional}
            return build(value, type_)

        return structure

    def _unstructure_class(self, cls: type) -> Callable[[Any], dict[str, Any]]:
        attrs.resolve_types(cls)
        own = attrs.fields(cls)
        names = {a.name: override(rename=camel(a.name), omit_if_default=a.default is None) for a in own}
        return make_dict_unstructure_fn(cls, self._converter, **names)  # type: ignore[arg-type]

    def _structure_array(self, type_: Any) -> Callable[[Any, Any], Any]:
        element = get_args(type_)[0]
        hook = self._converter.get_structure_hook(element)

        def structure(value: Any, _: Any) -> Any:
            if type(value) is not list:
                raise _Problem("must be an array")
            items, failures = [], []
            for index, item in enumerate(value):
                try:
                    items.append(hook(item, element))
                except Exception as error:
                    error.add_note(IterableValidationNote("", index, element))
                    failures.append(error)
                    if len(failures) == MOST_PROBLEMS:
                        break
            if failures:
                raise IterableValidationError("array", failures, type_)
            return tuple(items)

        return structure

    def _structure_checked(self, type_: Any) -> Callable[[Any, Any], Any]:
        inner, *marks = get_args(type_)
        hook = self._converter.get_structure_hook(inner)
        rules = [mark.rule for mark in marks if isinstance(mark, Checked)]

        def structure(value: Any, _: Any) -> Any:
            decoded = hook(value, inner)
            for rule in rules:
                if (problem := rule(decoded)) is not None:
                    raise _Problem(problem)
            return decoded

        return structure


def _strict(primitive: type) -> Callable[[Any, Any], Any]:
    text = f"must be {_WORDS[primitive]}"

    def structure(value: Any, _: Any) -> Any:
        given = type(value)
        if given is not primitive:
            if primitive is float and given is int:
                return float(value)
            raise _Problem(text)
        if primitive is int and not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise _Problem("is out of range")
        return value

    return structure


def _enum(cls: type[Enum]) -> Callable[[Any, Any], Any]:
    words = {member.value: member for member in cls}
    text = "must be one of " + ", ".join(words)

    def structure(value: Any, _: Any) -> Any:
        member = words.get(value) if type(value) is str else None
        if member is None:
            raise _Problem(text)
        return member

    return structure


def _is(origin: Any) -> Callable[[Any], bool]:
    return lambda type_: get_origin(type_) is origin


def _is_mapping(type_: Any) -> bool:
    return get_origin(type_) in (dict, Mapping) or type_ in (dict, Mapping)


def _object(value: Any, _: Any) -> Any:
    if type(value) is not dict:
        raise _Problem("must be an object")
    return value


def _as_is(value: Any) -> Any:
    return value


def problems(error: BaseException, path: str) -> list[str]:
    """Every leaf of cattrs' error tree as `path: what is wrong`; no text repeats a value."""
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, AttributeValidationNote):
            path += "." + camel(note.name)
        elif isinstance(note, IterableValidationNote):
            path += f"[{note.index}]"
    if isinstance(error, ClassValidationError | IterableValidationError):
        return [text for inner in error.exceptions for text in problems(inner, path)]
    if isinstance(error, KeyError):
        return [f"{path}: is required"]
    return [f"{path}: {error}" if isinstance(error, _Problem) else f"{path}: is not valid"]
