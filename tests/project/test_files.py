"""What every file of the package keeps to, beyond what the linter checks. Each test lists the files that do not."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.project.source import PACKAGE, modules, tree

LONGEST = 350


def prints(module: str) -> Iterator[str]:
    """The places of a file that print, as `file:line`."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            yield f"{module}:{node.lineno}"


def test_a_module_says_what_it_is() -> None:
    assert [module for module in modules() if not ast.get_docstring(tree(module))] == []


def test_a_module_is_short_enough_to_be_about_one_thing() -> None:
    lengths = {module: len((PACKAGE / module).read_text(encoding="utf-8").splitlines()) for module in modules()}
    assert {module: length for module, length in lengths.items() if length > LONGEST} == {}


def test_a_module_is_named_after_its_subject() -> None:
    vague = {"utils", "util", "helpers", "common", "misc"}
    assert [module for module in modules() if vague & set(module.removesuffix(".py").split("/"))] == []


def test_only_the_command_line_prints() -> None:
    """Standard output belongs to the protocol."""
    assert [place for module in modules() if not module.startswith("cli/") for place in prints(module)] == []
