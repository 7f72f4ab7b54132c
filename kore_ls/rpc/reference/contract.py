"""The protocol as data: what the writers of the reference and of the client types read; knows no Python annotations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from attrs import frozen


@frozen(kw_only=True)
class Scalar:
    """A JSON value without parts: `string integer number boolean null`, or `any` for whatever comes."""

    word: str


@frozen(kw_only=True)
class Ref:
    """A type that is defined elsewhere in the contract, by its name."""

    name: str


@frozen(kw_only=True)
class Words:
    """One of a few fixed strings."""

    words: tuple[str, ...]


@frozen(kw_only=True)
class ArrayOf:
    """An array of any length."""

    item: Shape


@frozen(kw_only=True)
class TupleOf:
    """An array with one shape per place."""

    items: tuple[Shape, ...]


@frozen(kw_only=True)
class MapOf:
    """An object whose keys are data."""

    value: Shape


@frozen(kw_only=True)
class Either:
    """One of several shapes, `null` last."""

    options: tuple[Shape, ...]


Shape: TypeAlias = Scalar | Ref | Words | ArrayOf | TupleOf | MapOf | Either


@frozen(kw_only=True)
class Field:
    """A key of an object, as on the wire. `default` is JSON; None says that absence itself has the meaning."""

    name: str
    shape: Shape
    required: bool
    default: str | None
    constraint: str
    doc: str


@frozen(kw_only=True)
class Object:
    """An object with fixed keys, in order of declaration."""

    name: str
    doc: str
    fields: tuple[Field, ...]


@frozen(kw_only=True)
class Enumeration:
    """A named set of strings, each with its meaning."""

    name: str
    doc: str
    words: tuple[tuple[str, str], ...]


@frozen(kw_only=True)
class Alias:
    """A name for a simpler shape, such as an identifier."""

    name: str
    shape: Shape


@frozen(kw_only=True)
class ErrorKind:
    """One kind of error: the word that clients switch on and its JSON-RPC code."""

    kind: str
    code: int
    doc: str


@frozen(kw_only=True)
class Call:
    """One request of the protocol; `params` names an object of the contract."""

    name: str
    namespace: str
    doc: str
    params: str
    result: Shape
    errors: tuple[ErrorKind, ...]
    command: str | None
    confirm: str | None


@frozen(kw_only=True)
class Asked:
    """A request that the server sends; `params` and `result` in words, as Markdown."""

    name: str
    params: str
    result: str
    doc: str


@frozen(kw_only=True)
class Contract:
    """Everything that crosses the wire, named types in order of their names.

    `events` gives the object that is each type's data, `envelope` the object around it, `failure` an error's data.
    """

    version: int
    calls: tuple[Call, ...]
    events: Mapping[str, str]
    errors: tuple[ErrorKind, ...]
    types: tuple[Object | Enumeration | Alias, ...]
    envelope: str
    failure: str
    asked: tuple[Asked, ...] = ()

    def object(self, name: str) -> Object:
        """The object of this name; KeyError."""
        for each in self.types:
            if isinstance(each, Object) and each.name == name:
                return each
        raise KeyError(name)

    @property
    def params_only(self) -> frozenset[str]:
        """The objects that are some request's params and nothing else."""
        named = {call.params for call in self.calls}
        used = {ref for each in self.types for ref in _refs_of_type(each)}
        used |= {ref for call in self.calls for ref in refs_of(call.result)} | set(self.events.values())
        return frozenset(named - used)


def refs_of(shape: Shape) -> Iterator[str]:
    """The names that a shape mentions."""
    match shape:
        case Ref():
            yield shape.name
        case ArrayOf():
            yield from refs_of(shape.item)
        case MapOf():
            yield from refs_of(shape.value)
        case TupleOf(items=parts) | Either(options=parts):
            for part in parts:
                yield from refs_of(part)


def _refs_of_type(each: Object | Enumeration | Alias) -> Iterator[str]:
    if isinstance(each, Object):
        for own in each.fields:
            yield from refs_of(own.shape)
