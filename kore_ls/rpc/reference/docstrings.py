"""What the source says of a class and of its fields: its docstring, and the string literal that follows a field."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Mapping
from functools import cache

from attrs import field, frozen

_NO_SOURCE = frozenset({"builtins", "enum", "typing"})


@frozen(kw_only=True)
class Docs:
    """The text of a class and of its members, by their Python names; texts are one paragraph per line break."""

    text: str = ""
    members: Mapping[str, str] = field(factory=dict)


@cache
def docs_of(cls: type) -> Docs:
    """The texts of `cls`, inherited members included; empty where the source has none. OSError without source."""
    text, members = "", {}
    for each in reversed(cls.__mro__):
        node = None if each.__module__ in _NO_SOURCE else _class_node(each)
        if node is not None:
            text = ast.get_docstring(node) or ""
            members.update(_member_texts(node))
    return Docs(text=text, members=members)


@cache
def _module_tree(name: str) -> ast.Module:
    return ast.parse(inspect.getsource(sys.modules[name]))


def _class_node(cls: type) -> ast.ClassDef | None:
    """By name: attrs makes slotted classes anew, so `inspect.getsource` of the class itself is not to trust."""
    node: ast.AST = _module_tree(cls.__module__)
    for name in cls.__qualname__.split("."):
        if name == "<locals>":
            continue
        inside = [n for n in getattr(node, "body", ()) if getattr(n, "name", None) == name]
        if not inside:
            return None
        node = inside[-1]
    return node if isinstance(node, ast.ClassDef) else None


def _member_texts(node: ast.ClassDef) -> dict[str, str]:
    texts = {}
    for statement, after in zip(node.body, node.body[1:], strict=False):
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                pass
            case _:
                continue
        match after:
            case ast.Expr(value=ast.Constant(value=str(text))):
                texts[name] = inspect.cleandoc(text)
    return texts
