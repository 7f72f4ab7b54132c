"""The outside of a JSON-RPC message: ids, and what can be told of a message too big to be read."""

from __future__ import annotations

import json
import re
from typing import Any, TypeAlias

from attrs import frozen

Id: TypeAlias = int | str

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+', re.DOTALL)


def is_id(value: Any) -> bool:
    """Whether `value` can be a request's id: an integer, or a string that can be sent back."""
    if type(value) is int:
        return True
    if type(value) is not str:
        return False
    return value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value)


@frozen(kw_only=True)
class Glimpse:
    """What the first bytes of a message show: its id, if it is there, and whether it is a reply."""

    id: Id | None
    reply: bool


def glimpse(head: bytes) -> Glimpse:
    """Look for the envelope's `id`, `result` and `error` in the first bytes of a message; never raises."""
    id_: Id | None = None
    reply, depth, previous, key = False, 0, "", ""
    for token in _TOKEN.findall(head.decode("utf-8", "replace")):
        if token in "{[":
            depth += 1
        elif token in "}]":
            depth -= 1
        elif depth == 1:
            if token == ":":
                key = previous
                reply = reply or key in ('"result"', '"error"')
            elif previous == ":" and key == '"id"':
                id_ = _id(token)
        previous = token
    return Glimpse(id=id_, reply=reply)


def _id(token: str) -> Id | None:
    try:
        value = json.loads(token)
    except ValueError:
        return None
    return value if is_id(value) else None
