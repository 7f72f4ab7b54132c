"""The one module that uses pygls' insides: its built-in handling of documents and folders, without its serve loop.

Messages come as decoded params from the connection and leave through it; pygls' own reading, replying and bookkeeping
of requests are not used.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol

from kore_ls.errors import InvalidParams
from kore_ls.rpc.codec import problems
from kore_ls.rpc.connection import Connection
from kore_ls.rpc.faults import METHOD_NOT_FOUND, ResponseError


class KoreProtocol(LanguageServerProtocol):
    """Typed LSP on top of a connection, which is set right after construction."""

    connection: Connection

    def __init__(self, server: LanguageServer, converter: Any) -> None:
        super().__init__(server, converter)
        self._requests: set[asyncio.Task[Any]] = set()

    # From the client

    def request(self, method: str, params: Any) -> Any:
        """The JSON result of a request, or a coroutine for it. Raises InvalidParams, ResponseError."""
        known = types.METHOD_TO_TYPES.get(method)
        handler = self._registered(method)
        if handler is None or (known is not None and known[1] is None):
            raise ResponseError(METHOD_NOT_FOUND, "no such method")
        with _translated():
            outcome = run(handler, self._typed(method, params))
        return self._later(outcome) if inspect.isawaitable(outcome) else self._plain(outcome)

    def notification(self, method: str, params: Any) -> None:
        """Handle a notification; what is not registered is ignored. Raises InvalidParams."""
        handler = self._registered(method)
        if handler is not None:
            outcome = run(handler, self._typed(method, params))
            if inspect.isawaitable(outcome):
                self._keep(_awaited(outcome))

    def _registered(self, method: str) -> Callable[..., Any] | None:
        return self.fm.builtin_features.get(method) or self.fm.features.get(method)

    def _typed(self, method: str, params: Any) -> Any:
        known: tuple[Any, ...] | None = types.METHOD_TO_TYPES.get(method)
        if known is None:
            return params
        if known[2] is None:
            return None
        try:
            return self._converter.structure(params, known[2])
        except Exception as error:
            raise InvalidParams(problems(error, "params")) from None

    def _plain(self, value: Any) -> Any:
        return self._converter.unstructure(value)

    async def _later(self, outcome: Awaitable[Any]) -> Any:
        with _translated():
            return self._plain(await outcome)

    # To the client

    def notify(self, method: str, params: Any | None = None) -> None:
        """Send a notification with lsprotocol or plain params."""
        self.connection.notify(method, self._plain(params))

    def send_request(
        self,
        method: str,
        params: Any | None = None,
        callback: Callable[[Any], None] | None = None,
        msg_id: str | int | None = None,
    ) -> Future[Any]:
        """Ask the client; the future's result is typed as lsprotocol types it. Ids are given by the connection."""
        future: Future[Any] = Future()
        if callback is not None:
            future.add_done_callback(lambda done: callback(done.result()))
        task = self._keep(self.send_request_async(method, params))
        task.add_done_callback(lambda done: _copy_outcome(done, future))
        return future

    async def send_request_async(self, method: str, params: Any | None = None, msg_id: str | int | None = None) -> Any:
        """Ask the client and await its typed result; cancelling the wait tells the client. Raises ResponseError."""
        result = await self.connection.request(method, self._plain(params), timeout=None)
        response = self.get_result_type(method)
        if response is None:
            return result
        message = {"id": 0, "jsonrpc": "2.0", "result": result}
        return self._converter.structure(message, response).result

    def _keep(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)
        return task


def run(handler: Callable[..., Any], *args: Any) -> Any:
    """Call a handler in pygls' forms: plain, `async`, or a generator that yields further calls.

    What needs no waiting is done before this returns, so that documents change in the order of the messages. The
    result, or an awaitable for it.
    """
    if not inspect.isgeneratorfunction(handler):
        return handler(*args)
    return _advance(handler(*args), None)


def _advance(steps: Generator[Any, Any, Any], value: Any) -> Any:
    while True:
        try:
            handler, args, _ = steps.send(value)
        except StopIteration as end:
            return end.value
        value = run(handler, *(args or ()))
        if inspect.isawaitable(value):
            return _resume(steps, value)


async def _resume(steps: Generator[Any, Any, Any], pending: Awaitable[Any]) -> Any:
    outcome = _advance(steps, await pending)
    return await outcome if inspect.isawaitable(outcome) else outcome


async def _awaited(outcome: Awaitable[Any]) -> Any:
    return await outcome


@contextmanager
def _translated() -> Iterator[None]:
    """What a handler says in pygls' terms, in ours."""
    try:
        yield
    except JsonRpcException as error:
        raise ResponseError(error.code, error.message, error.data) from None


def _copy_outcome(done: asyncio.Task[Any], future: Future[Any]) -> None:
    if done.cancelled():
        future.cancel()
    elif (error := done.exception()) is not None:
        future.set_exception(error)
    else:
        future.set_result(done.result())
