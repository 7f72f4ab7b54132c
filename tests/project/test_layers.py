"""Who may import whom, wherever in a file the import stands."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator

from tests.project.source import PACKAGE, ROOT, modules, tree

OURS = {
    "errors": set(),
    "model": set(),
    "storage": set(),
    "agents": set(),
    "rpc": set(),
    "sessions": {"storage", "agents"},
    "api": {"sessions", "rpc"},
    "lsp": {"api", "rpc", "sessions"},
    "cli": {"storage", "agents", "rpc", "sessions", "api", "lsp"},
    "__init__": {"storage", "agents", "sessions"},
    "__main__": {"storage", "agents", "rpc", "sessions", "api", "lsp", "cli"},
}
"""What each room may import, beside itself; `errors` and `model` are open to all but `errors`."""

THEIRS = {
    "pygls": {"lsp"},
    "lsprotocol": {"lsp"},
    "sqlite3": {"storage"},
    "aiosqlite": {"storage"},
    "cryptography": {"storage"},
    "typer": {"cli"},
    "rich": {"cli"},
    "prompt_toolkit": {"cli"},
    "orjson": {"rpc", "sessions"},
    "cattrs": {"rpc", "sessions"},
    "uvloop": {"rpc"},
    "pydantic_ai": {"agents/model"},
    "acp": {"agents/acp"},
}
"""The rooms of the packages that have one; all others may be imported anywhere."""


IMPORTED_AS = {"pydantic_ai_slim": "pydantic_ai", "agent_client_protocol": "acp"}
"""Packages that are imported by another name than they are installed by."""


def room_of(module: str) -> str:
    """`storage` of `storage/rows.py`, `errors` of `errors.py`."""
    return module.removesuffix(".py").split("/")[0]


def imports(module: str) -> Iterator[str]:
    """Every dotted name that a file imports, `from a import b` as `a.b`, relative ones made absolute."""
    package = ["kore_ls", *module.split("/")[:-1]]
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join(base + ([node.module] if node.module else []))
            yield from (f"{start}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("import_module", "importlib.import_module"):
            yield from (str(each.value) for each in node.args[:1] if isinstance(each, ast.Constant))


def test_every_room_has_its_rules() -> None:
    assert {room_of(module) for module in modules()} <= OURS.keys()


def may_import(module: str, name: str) -> bool:
    """Whether a file may import what `kore_ls.name` says, by the rules of its room."""
    other = name.split(".")[0]
    if not other or not ((PACKAGE / other).exists() or (PACKAGE / f"{other}.py").exists()):
        return other in ("", "__version__")  # all else is a public name, which would make a circle
    room = room_of(module)
    return other in OURS[room] | {room, "errors"} | (set() if room == "errors" else {"model"})


def is_in_its_room(module: str, package: str) -> bool:
    """Whether a file may import a third-party package."""
    return package not in THEIRS or any(module.startswith(f"{room}/") for room in THEIRS[package])


def test_a_module_imports_only_the_rooms_it_may() -> None:
    ours = [
        (module, name.removeprefix("kore_ls").lstrip("."))
        for module in modules()
        for name in imports(module)
        if name.split(".")[0] == "kore_ls"
    ]
    assert [f"{module} may not import {name}" for module, name in ours if not may_import(module, name)] == []


def test_a_third_party_package_is_used_only_in_its_room() -> None:
    packages = [(module, name.split(".")[0]) for module in modules() for name in imports(module)]
    assert [f"{module} may not import {name}" for module, name in packages if not is_in_its_room(module, name)] == []


def test_every_third_party_import_is_a_declared_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [extra for name, extra in project["optional-dependencies"].items() if name != "dev"]
    requirements = [each for group in [project["dependencies"], *extras] for each in group]
    packages = (re.split(r"[^\w-]", each)[0].replace("-", "_") for each in requirements)
    declared = {IMPORTED_AS.get(package, package) for package in packages}
    used = {name.split(".")[0] for module in modules() for name in imports(module)}

    assert used - sys.stdlib_module_names - {"kore_ls"} <= declared
