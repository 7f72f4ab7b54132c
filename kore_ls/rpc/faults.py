"""Failures as the wire and the log see them: error objects, codes, references. Never shows an exception's text.

An exception's message may quote what a user or an agent wrote, so the log gets types and code places only.
"""

from __future__ import annotations

import logging
import traceback
from typing import Any

from kore_ls.errors import InvalidParams, KoreError, SessionExists

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
NOT_INITIALIZED = -32002
CANCELLED = -32800


class ResponseError(Exception):
    """A JSON-RPC error as such: received as the answer to our request, or to be sent as it stands."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.data = data


class ConnectionClosed(ConnectionError):
    """The other side is gone, or we are leaving: the request will never be answered."""


def error_object(error: KoreError | ResponseError) -> dict[str, Any]:
    """The `error` of a response: code, message, data."""
    if isinstance(error, ResponseError):
        body: dict[str, Any] = {"code": error.code, "message": error.message}
        return body if error.data is None else body | {"data": error.data}
    data: dict[str, Any] = {"kind": error.kind, "params": error.params}
    if isinstance(error, InvalidParams):
        data["problems"] = error.problems
    if isinstance(error, SessionExists) and error.params.get("deleted"):
        data["deleted"] = True
    return {"code": error.code, "message": error.message, "data": data}


def internal_error(reference: str) -> ResponseError:
    """What a caller is told of an unexpected failure; `reference` finds its place in the log."""
    return ResponseError(INTERNAL_ERROR, "internal error", {"kind": "internal", "reference": reference})


def log_failure(logger: logging.Logger, what: str, error: BaseException, reference: str = "-") -> None:
    """Log that `what` failed: the exception's types and code places, never a message or a local value."""
    logger.error("%s failed (reference %s)\n%s", what, reference, "".join(_places(error, set())).rstrip())


def _places(error: BaseException, seen: set[int]) -> list[str]:
    seen.add(id(error))
    lines = []
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in seen:
        lines += [*_places(before, seen), "then\n"]
    frames = traceback.extract_tb(error.__traceback__)
    lines += [f"{type(error).__module__}.{type(error).__qualname__}\n", *traceback.format_list(frames)]
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            lines += ["containing\n", *_places(inner, seen)] if id(inner) not in seen else []
    return lines
