"""The declaration of a method: one decorated handler gives request, workspace command, reference and client types."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any, TypeVar, get_type_hints

from attrs import fields, frozen

from kore_ls.errors import KoreError

Handler = Callable[[Any, Any], Awaitable[Any]]
H = TypeVar("H", bound=Callable[..., Awaitable[Any]])

PROTOCOL_VERSION = 1
"""The version of the kore/* contract, as `initialize` tells it."""

_MARK = "__kore_method__"


@frozen(kw_only=True)
class NoParams:
    """The params of a method that takes none."""


@frozen(kw_only=True)
class Method:
    """One method of the protocol, as everything that speaks about it sees it."""

    name: str
    params: type
    result: Any
    handler: Handler
    doc: str
    raises: tuple[type[KoreError], ...]
    command: str | None
    confirm: str | None

    @property
    def namespace(self) -> str:
        """`session` of `kore/session/rename`."""
        return self.name.split("/")[1]

    @property
    def required(self) -> tuple[str, ...]:
        """The names of the params without a default, as in Python."""
        return tuple(a.name for a in fields(self.params) if _is_required(a))


def _is_required(attribute: Any) -> bool:
    from attrs import NOTHING

    return attribute.default is NOTHING


def method(
    name: str,
    *,
    raises: Iterable[type[KoreError]] = (),
    command: bool = True,
    confirm: str | None = None,
) -> Callable[[H], H]:
    """Declare `async def handler(workspace, params: Params) -> Result` as the method `name` (`kore/a/b`).

    `command=False` keeps it from being a workspace command (secrets, answers). `confirm` is the question a command
    called without arguments asks before it destroys something.
    """

    def mark(handler: H) -> H:
        hints = get_type_hints(handler, include_extras=True)
        parameters = list(inspect.signature(handler).parameters)
        declared = Method(
            name=name,
            params=hints[parameters[1]],
            result=hints["return"],
            handler=handler,
            doc=inspect.cleandoc(handler.__doc__ or ""),
            raises=tuple(raises),
            command=_command_of(name) if command else None,
            confirm=confirm,
        )
        setattr(handler, _MARK, declared)
        return handler

    return mark


class MethodTable(Mapping[str, Method]):
    """All methods a server offers, by name, in order of declaration."""

    def __init__(self, methods: Iterable[Method]) -> None:
        self._methods: dict[str, Method | str] = {}
        for each in methods:
            self._declare(each.name, each)
        self._set_commands(each.name for each in self.values() if each.command)

    def _declare(self, name: str, where: Method | str) -> None:
        if name in self._methods:
            raise ValueError(f"declared twice: {name}")
        self._methods[name] = where

    def _set_commands(self, names: Iterable[str]) -> None:
        self.commands: Mapping[str, str] = {_command_of(name): name for name in names}
        """The names of the methods that are workspace commands, by that command."""

    @classmethod
    def of(cls, *modules: ModuleType) -> MethodTable:
        """The methods declared in these modules."""
        return cls(each for module in modules for each in _declared_in(module))

    @classmethod
    def late(cls, modules: Mapping[str, Sequence[str]], *, no_commands: Collection[str] = ()) -> MethodTable:
        """The methods of these names in modules that are imported when one of theirs is first asked for.

        `no_commands` are those that are declared with `command=False`.
        """
        table = cls(())
        for module, names in modules.items():
            for name in names:
                table._declare(name, module)
        table._set_commands(name for name in table if name not in no_commands)
        return table

    def __getitem__(self, name: str) -> Method:
        found = self._methods[name]
        if isinstance(found, str):
            self._methods.update((each.name, each) for each in _declared_in(import_module(found)))
            found = self._methods[name]
            assert isinstance(found, Method), name
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._methods)

    def __len__(self) -> int:
        return len(self._methods)


def _declared_in(module: ModuleType) -> Iterator[Method]:
    declared = (getattr(value, _MARK, None) for value in vars(module).values())
    return (each for each in declared if each is not None)


def _command_of(name: str) -> str:
    return name.replace("/", ".")
