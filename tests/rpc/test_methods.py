"""The declaration of methods, and the table they make."""

from __future__ import annotations

import sys
import types
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from attrs import fields, frozen, has

import kore_ls.api
from kore_ls.api import TABLE as REAL
from kore_ls.errors import SessionNotFound
from kore_ls.rpc.methods import MethodTable, NoParams, method


@frozen(kw_only=True)
class Params:
    session_id: str
    name: str | None = None


@method("kore/a/first", raises=(SessionNotFound,))
async def first(workspace: Any, params: Params) -> int:
    """Do the first thing.

    More about it.
    """
    return 1


@method("kore/a/second", command=False)
async def second(workspace: Any, params: NoParams) -> None:
    """Do the second thing."""


@method("kore/b/third", confirm="Sure?")
async def third(workspace: Any, params: NoParams) -> None:
    """Do the third thing."""


def module(**values: Any) -> types.ModuleType:
    made = types.ModuleType("made")
    vars(made).update(values)
    return made


def test_a_declaration_tells_everything_about_a_method() -> None:
    declared = MethodTable.of(module(first=first))["kore/a/first"]
    assert (declared.params, declared.result, declared.handler) == (Params, int, first)
    assert declared.doc == "Do the first thing.\n\nMore about it."
    assert declared.raises == (SessionNotFound,)
    assert (declared.command, declared.confirm) == ("kore.a.first", None)
    assert (declared.namespace, declared.required) == ("a", ("session_id",))


def test_a_table_keeps_the_order_of_declaration() -> None:
    table = MethodTable.of(module(third=third, unrelated=7), module(first=first, second=second))
    assert list(table) == ["kore/b/third", "kore/a/first", "kore/a/second"]
    assert len(table) == 3


def test_a_method_is_a_command_unless_it_says_otherwise() -> None:
    table = MethodTable.of(module(first=first, second=second, third=third))
    assert list(table.commands) == ["kore.a.first", "kore.b.third"]
    assert table[table.commands["kore.b.third"]].confirm == "Sure?"


def test_a_handler_is_still_a_function() -> None:
    assert first.__name__ == "first"


async def test_a_declared_handler_can_be_called() -> None:
    assert await first(None, Params(session_id="s")) == 1


def test_two_methods_of_one_name_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="kore/a/first"):
        MethodTable.of(module(first=first), module(again=first))


def test_a_late_table_imports_a_module_when_one_of_its_methods_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "late_methods.py").write_bytes(Path(__file__).read_bytes())
    table = MethodTable.late({"late_methods": ["kore/a/first", "kore/a/second"]}, no_commands=["kore/a/second"])
    assert (list(table), dict(table.commands)) == (["kore/a/first", "kore/a/second"], {"kore.a.first": "kore/a/first"})
    assert "late_methods" not in sys.modules
    assert table["kore/a/second"].name == "kore/a/second"
    assert "late_methods" in sys.modules


def test_the_server_s_table_names_every_method_where_it_is_declared() -> None:
    modules = [import_module(f"kore_ls.api.{each.stem}") for each in Path(kore_ls.api.__path__[0]).glob("[a-z]*.py")]
    declared = MethodTable.of(*modules)
    assert {name: declared[name] for name in declared} == {name: REAL[name] for name in REAL}
    assert dict(REAL.commands) == {name.replace("/", "."): name for name in REAL if REAL[name].command}
    assert [name for name in REAL if REAL[name].command] == list(REAL.commands.values())


@pytest.mark.parametrize("name", REAL)
def test_every_method_is_named_described_and_takes_an_object(name: str) -> None:
    declared = REAL[name]
    assert name.startswith("kore/")
    assert declared.namespace
    assert declared.doc
    assert has(declared.params)


@pytest.mark.parametrize("name", [name for name in REAL if "session_id" in REAL[name].required])
def test_every_method_about_one_session_also_takes_a_folder(name: str) -> None:
    assert "folder" in {each.name for each in fields(REAL[name].params)}


def test_what_carries_choices_of_events_is_no_command() -> None:
    assert not [command for command in REAL.commands if command.startswith("kore.event.")]


def test_what_destroys_asks_first() -> None:
    assert REAL["kore/session/delete"].confirm
    assert REAL["kore/store/adopt"].confirm
