"""From Python annotations to the shapes of the wire; refuses what has no form there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NewType, Union, get_args, get_origin, get_type_hints

import attrs

from kore_ls.rpc.codec import Checked, Codec, camel
from kore_ls.rpc.reference.contract import (
    Alias,
    ArrayOf,
    Either,
    Enumeration,
    Field,
    MapOf,
    Object,
    Ref,
    Scalar,
    Shape,
    TupleOf,
    Words,
)
from kore_ls.rpc.reference.docstrings import docs_of

NULL = Scalar(word="null")
ANY = Scalar(word="any")

_SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean", object: "any"}


class Shapes:
    """Reads annotations and gathers every named type on its way.

    A class may be sent and received: a field with a default may then be left out of what a client sends, but is
    always in what it gets. Such a class has two definitions, the received one called `...Input`.
    """

    def __init__(self, *, received: Iterable[Any], sent: Iterable[Any]) -> None:
        both = _classes(received) & _classes(sent)
        self._two_faced = {cls for cls in both if any(_depends_on_way(each) for each in _classes([cls]))}
        self._types: dict[str, Object | Enumeration | Alias] = {}
        self._origins: dict[str, object] = {}

    @property
    def types(self) -> tuple[Object | Enumeration | Alias, ...]:
        """All named types met so far, by name."""
        return tuple(self._types[name] for name in sorted(self._types))

    def of(self, annotation: Any, *, received: bool) -> Shape:
        """The shape of `annotation`; TypeError if JSON has none, ValueError if two types have one name."""
        if annotation is Any:
            return ANY
        if annotation is None or annotation is NoneType:
            return NULL
        if isinstance(annotation, NewType):
            return self._alias(annotation, received)
        if isinstance(annotation, type) and get_origin(annotation) is None:
            return self._of_class(annotation, received)
        return self._of_form(annotation, received)

    def _of_class(self, cls: type, received: bool) -> Shape:
        if cls in _SCALARS:
            return Scalar(word=_SCALARS[cls])
        if issubclass(cls, Enum):
            return self._enumeration(cls)
        if attrs.has(cls):
            return self.of_object(cls, received=received)
        if issubclass(cls, Mapping):
            return MapOf(value=ANY)
        raise TypeError(f"has no form on the wire: {cls.__qualname__}")

    def _of_form(self, annotation: Any, received: bool) -> Shape:
        origin, args = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            for rule in _rules(args[1:]):
                if (words := getattr(rule, "words", None)) is not None:
                    return Words(words=words)
            return self.of(args[0], received=received)
        if origin is Literal:
            return Words(words=args)
        inner = [self.of(each, received=received) for each in args if each is not Ellipsis]
        if origin in (Union, UnionType):
            return _either(inner)
        if origin is tuple and Ellipsis not in args:
            return TupleOf(items=tuple(inner))
        if origin in (tuple, list, Sequence):
            return ArrayOf(item=inner[0])
        if origin in (dict, Mapping) and args[0] is str:
            return MapOf(value=inner[1])
        raise TypeError(f"has no form on the wire: {annotation}")

    def _alias(self, new_type: NewType, received: bool) -> Ref:
        name = new_type.__name__
        if self._claim(name, new_type):
            self._types[name] = Alias(name=name, shape=self.of(new_type.__supertype__, received=received))
        return Ref(name=name)

    def _enumeration(self, cls: type[Enum]) -> Ref:
        if self._claim(cls.__name__, cls):
            docs = docs_of(cls)
            words = tuple((member.value, one_line(docs.members.get(member.name, ""))) for member in cls)
            self._types[cls.__name__] = Enumeration(name=cls.__name__, doc=docs.text, words=words)
        return Ref(name=cls.__name__)

    def of_object(self, cls: type, *, received: bool) -> Ref:
        """The definition of an attrs class; TypeError, ValueError as `of`."""
        name = cls.__name__ + ("Input" if received and cls in self._two_faced else "")
        if self._claim(name, cls):
            hints = get_type_hints(cls, include_extras=True)
            docs = docs_of(cls)
            fields = tuple(
                self._field(each, hints[each.name], docs.members.get(each.name, ""), received)
                for each in attrs.fields(cls)
            )
            self._types[name] = Object(name=name, doc=docs.text, fields=fields)
        return Ref(name=name)

    def _field(self, attribute: attrs.Attribute[Any], hint: Any, doc: str, received: bool) -> Field:
        required = attribute.default is attrs.NOTHING if received else attribute.default is not None
        shape = self.of(hint, received=received)
        return Field(
            name=camel(attribute.name),
            shape=shape if required else _without_null(shape),
            required=required,
            default=_default(attribute) if received else None,
            constraint=_constraint(hint) if received else "",
            doc=one_line(doc),
        )

    def _claim(self, name: str, origin: object) -> bool:
        """Whether the name is new; it then belongs to `origin`, also while that is still being read."""
        if name not in self._origins:
            self._origins[name] = origin
            return True
        if self._origins[name] is not origin:
            raise ValueError(f"two types are called {name}")
        return False


def one_line(text: str) -> str:
    """`text` with its line breaks and runs of blanks as single blanks."""
    return " ".join(text.split())


def _classes(annotations: Iterable[Any]) -> set[type]:
    """The attrs classes that these annotations reach."""
    found: set[type] = set()
    ahead = list(annotations)
    while ahead:
        each = ahead.pop()
        if isinstance(each, type) and attrs.has(each):
            if each not in found:
                found.add(each)
                ahead += get_type_hints(each, include_extras=True).values()
        else:
            ahead += get_args(each)
    return found


def _depends_on_way(cls: type) -> bool:
    return any(each.default is not attrs.NOTHING and each.default is not None for each in attrs.fields(cls))


def _either(options: Sequence[Shape]) -> Shape:
    ordered = [each for each in options if each != NULL] + [NULL] * (NULL in options)
    return Either(options=tuple(ordered)) if len(ordered) > 1 else ordered[0]


def _without_null(shape: Shape) -> Shape:
    return _either([each for each in shape.options if each != NULL]) if isinstance(shape, Either) else shape


def _default(attribute: attrs.Attribute[Any]) -> str | None:
    value: Any = attribute.default
    if isinstance(value, attrs.Factory):  # type: ignore[arg-type]  # the stubs call the class a function
        value = None if value.takes_self else value.factory()
    if value is attrs.NOTHING or value is None:
        return None
    return json.dumps(Codec().unstructure(value), ensure_ascii=False)


def _rules(marks: Iterable[Any]) -> list[Any]:
    return [mark.rule for mark in marks if isinstance(mark, Checked)]


def _constraint(annotation: Any) -> str:
    """What the rules on an annotation and on its parts say, `each ...` for the items of an array."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        own = [_rule_text(rule) for rule in _rules(args[1:]) if not hasattr(rule, "words")]
        return "; ".join(text for text in [*own, _constraint(args[0])] if text)
    parts = [text for text in map(_constraint, args) if text]
    if origin in (tuple, list, Sequence):
        parts = ["each " + text for text in parts]
    return "; ".join(parts)


def _rule_text(rule: Any) -> str:
    doc = one_line((rule.__doc__ or "").split("\n\n")[0]).rstrip(".")
    text = doc.partition(": ")[2] or doc
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]
