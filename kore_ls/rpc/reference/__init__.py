"""The generated reference: one method table in; `PROTOCOL.md`, TypeScript types and Lua annotations out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from kore_ls.errors import KoreError, error_tree
from kore_ls.model.ids import SessionId, TurnId
from kore_ls.model.limits import JsonObject
from kore_ls.rpc.methods import Method, MethodTable
from kore_ls.rpc.reference.contract import Asked, Call, Contract, ErrorKind
from kore_ls.rpc.reference.lua import lua
from kore_ls.rpc.reference.markdown import markdown
from kore_ls.rpc.reference.shapes import Shapes, one_line
from kore_ls.rpc.reference.typescript import typescript

MARKDOWN_PATH = "kore_ls/PROTOCOL.md"
TYPESCRIPT_PATH = "editors/vscode/src/protocol.ts"
LUA_PATH = "editors/nvim/lua/kore/protocol.lua"

_UNEXPECTED = ErrorKind(
    kind=KoreError.kind,
    code=KoreError.code,
    doc="An unexpected failure; `reference` finds it in the server's log.",
)


@frozen(kw_only=True)
class EventBase:
    """What every `kore/event` notification carries around its `data`."""

    folder: str
    """The URI of the workspace folder."""
    seq: int
    """Counts what was sent on this connection, from 1."""
    timestamp: int
    """Unix milliseconds."""
    session_id: SessionId | None = None
    turn_id: TurnId | None = None


@frozen(kw_only=True)
class ErrorData:
    """The `data` of an error reply, beside its `kind`."""

    params: JsonObject | None = None
    """Facts about the error, for clients that word it in their user's language."""
    problems: tuple[str, ...] | None = None
    """With `invalidParams`: each place and what is wrong there."""
    reference: str | None = None
    """With `internal`: finds the failure in the server's log."""


def generate(
    table: MethodTable, events: Mapping[str, type], version: int, asked: Sequence[Asked] = ()
) -> dict[str, str]:
    """The contents of every generated file, by its path relative to the repository.

    `events` gives the attrs class of each event type's data, `asked` what the server asks of clients. Equal arguments
    give equal texts. TypeError names an annotation without a form in JSON, ValueError a name that two types share.
    """
    contract = evolve(read(table, events, version), asked=tuple(asked))
    return {MARKDOWN_PATH: markdown(contract), TYPESCRIPT_PATH: typescript(contract), LUA_PATH: lua(contract)}


def write(root: Path, files: Mapping[str, str]) -> list[str]:
    """Write those of `files` that differ from what is below `root`; the paths written. OSError."""
    changed = stale(root, files)
    for path in changed:
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(files[path], encoding="utf-8", newline="\n")
    return changed


def stale(root: Path, files: Mapping[str, str]) -> list[str]:
    """The paths below `root` that are missing or say something else than `files`. OSError."""
    return [path for path, text in files.items() if _bytes_of(root / path) != text.encode()]


def _bytes_of(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def read(table: MethodTable, events: Mapping[str, type], version: int) -> Contract:
    """The contract that these declarations make."""
    sent: list[Any] = [each.result for each in table.values()] + list(events.values()) + [EventBase, ErrorData]
    shapes = Shapes(received=[each.params for each in table.values()], sent=sent)
    for annotation in sent:
        shapes.of(annotation, received=False)
    calls = tuple(_call(each, shapes) for each in table.values())
    return Contract(
        version=version,
        calls=calls,
        events={name: cls.__name__ for name, cls in events.items()},
        errors=(*(_error(each) for each in error_tree()), _UNEXPECTED),
        types=shapes.types,
        envelope=EventBase.__name__,
        failure=ErrorData.__name__,
    )


def _call(method: Method, shapes: Shapes) -> Call:
    return Call(
        name=method.name,
        namespace=method.namespace,
        doc=method.doc,
        params=shapes.of_object(method.params, received=True).name,
        result=shapes.of(method.result, received=False),
        errors=tuple(_error(each) for each in method.raises),
        command=method.command,
        confirm=method.confirm,
    )


def _error(cls: type[KoreError]) -> ErrorKind:
    return ErrorKind(kind=cls.kind, code=cls.code, doc=one_line(cls.__doc__ or ""))
