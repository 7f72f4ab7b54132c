"""The pygls server, loaded when a client first needs it: three quarters of a language server's start-up are its types.

Until it is there, messages for it wait in order, and the rest of the connection is served.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kore_ls.errors import KoreError
from kore_ls.rpc.connection import Connection
from kore_ls.rpc.faults import log_failure

if TYPE_CHECKING:
    from kore_ls.lsp.server import KoreServer

logger = logging.getLogger(__name__)


class LateServer:
    """Stands for the `KoreServer` of one connection, whose client said `hello` in its `initialize`.

    If loading fails, what waited fails with it, and the next message tries again.
    """

    def __init__(self, connection: Connection, version: str, hello: Any) -> None:
        self._connection = connection
        self._version = version
        self._hello = hello
        self._server: KoreServer | None = None
        self._loading: asyncio.Task[None] | None = None
        self._waiting: list[Callable[[KoreServer], None]] = []
        self._requests: set[asyncio.Future[Any]] = set()

    def request(self, method: str, params: Any) -> Any:
        """The JSON result of a request, or a coroutine for it."""
        if self._server is not None:
            return self._server.protocol.request(method, params)
        outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._requests.add(outcome)
        outcome.add_done_callback(self._requests.discard)
        self._wait(lambda server: _settle(outcome, server, method, params))
        return _outcome(outcome)

    def notification(self, method: str, params: Any) -> None:
        """Take a notification."""
        if self._server is not None:
            self._server.protocol.notification(method, params)
        else:
            self._wait(lambda server: _note(server, method, params))

    @property
    def loaded(self) -> KoreServer | None:
        """The server, if it is there; without it no document was opened, but `settle` first."""
        return self._server

    async def settle(self) -> None:
        """Wait until what waits for the server has reached it."""
        if self._loading is not None and self._server is None:
            await asyncio.wait((self._loading,))

    async def close(self) -> None:
        """Load no more."""
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.wait((self._loading,))

    def _wait(self, then: Callable[[KoreServer], None]) -> None:
        self._waiting.append(then)
        if self._loading is None:
            self._loading = asyncio.get_running_loop().create_task(self._load())

    async def _load(self) -> None:
        try:
            module = await asyncio.to_thread(importlib.import_module, "kore_ls.lsp.server")
            server = module.greeted_server(self._connection, self._version, self._hello)
        except Exception as error:
            log_failure(logger, "loading the language server", error)
            for request in tuple(self._requests):
                request.set_exception(error)
            self._waiting.clear()
            self._loading = None
            return
        for then in self._waiting:
            then(server)
        self._waiting.clear()
        self._server = server


def _settle(outcome: asyncio.Future[Any], server: KoreServer, method: str, params: Any) -> None:
    if outcome.done():  # it was cancelled meanwhile
        return
    try:
        outcome.set_result(server.protocol.request(method, params))
    except Exception as error:
        outcome.set_exception(error)


def _note(server: KoreServer, method: str, params: Any) -> None:
    try:
        server.protocol.notification(method, params)
    except KoreError as error:
        logger.warning("a notification failed: %s", error.kind)
    except Exception as error:
        log_failure(logger, "a notification", error)


async def _outcome(outcome: asyncio.Future[Any]) -> Any:
    result = await outcome
    return await result if inspect.iscoroutine(result) else result
