"""Requests from us to the client: their ids, their replies, their timeouts and cancellations."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from kore_ls.rpc.faults import INTERNAL_ERROR, ConnectionClosed, ResponseError

Send = Callable[[dict[str, Any]], None]

_OWN = "kore-"


class Calls:
    """Our open requests. A reply that comes late, twice or unasked is dropped without a word."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._open: dict[str, asyncio.Future[Any]] = {}
        self._count = 0
        self._closed = False

    def owns(self, id_: Any) -> bool:
        """Whether an id is of the form we give to our requests."""
        return type(id_) is str and id_.startswith(_OWN)

    async def request(self, method: str, params: Any, timeout: float | None) -> Any:
        """Ask the client and await its result (None where it has none).

        Raises ResponseError with what the client answered, TimeoutError after `timeout` seconds, ConnectionClosed. When
        the wait ends early, by timeout or cancellation, the client is told by `$/cancelRequest`.
        """
        if self._closed:
            raise ConnectionClosed
        self._count += 1
        id_ = f"{_OWN}{self._count}"
        reply = self._open[id_] = asyncio.get_running_loop().create_future()
        message = {"jsonrpc": "2.0", "id": id_, "method": method}
        try:
            self._send(message if params is None else message | {"params": params})
            async with asyncio.timeout(timeout):
                return await reply
        except (asyncio.CancelledError, TimeoutError):
            if self._open.pop(id_, None) is not None:
                self._send({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": id_}})
            raise
        finally:
            self._open.pop(id_, None)
            if reply.done() and not reply.cancelled():
                reply.exception()  # seen, even if a cancellation came between

    def replied(self, message: dict[str, Any]) -> None:
        """Take a response message; an `error` that is none of the form counts as an internal one."""
        id_ = message.get("id")
        reply = self._open.pop(id_, None) if type(id_) is str else None
        if reply is None or reply.done():
            return
        error = message.get("error")
        if error is None:
            reply.set_result(message.get("result"))
        else:
            reply.set_exception(_client_error(error))

    def close(self) -> None:
        """The client will answer nothing more."""
        self._closed = True
        for reply in self._open.values():
            if not reply.done():
                reply.set_exception(ConnectionClosed())
        self._open.clear()


def _client_error(error: Any) -> ResponseError:
    if type(error) is not dict:
        return ResponseError(INTERNAL_ERROR, "the client failed")
    code, message = error.get("code"), error.get("message")
    return ResponseError(
        code if type(code) is int else INTERNAL_ERROR,
        message if type(message) is str else "the client failed",
        error.get("data"),
    )
