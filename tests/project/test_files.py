"""What every file of the package keeps to, beyond what the linter checks."""

from __future__ import annotations

import ast

import pytest

from tests.project.source import PACKAGE, modules, tree

LONGEST = 350


@pytest.mark.parametrize("module", modules())
def test_a_module_says_what_it_is(module: str) -> None:
    assert ast.get_docstring(tree(module))


@pytest.mark.parametrize("module", modules())
def test_a_module_is_short_enough_to_be_about_one_thing(module: str) -> None:
    assert len((PACKAGE / module).read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("module", modules())
def test_a_module_is_named_after_its_subject(module: str) -> None:
    assert not {"utils", "util", "helpers", "common", "misc"} & set(module.removesuffix(".py").split("/"))


@pytest.mark.parametrize("module", [each for each in modules() if not each.startswith("cli/")])
def test_only_the_command_line_prints(module: str) -> None:
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print", f"line {node.lineno}: stdout belongs to the protocol"
