"""What all serve loops share: the one reason to end, signals, time limits, and the closing of everything."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

from attrs import frozen

from kore_ls.rpc.connection import Connection
from kore_ls.rpc.faults import log_failure
from kore_ls.rpc.outbox import Channel

logger = logging.getLogger(__name__)

Close = Callable[[], Awaitable[None]]


@frozen(kw_only=True)
class Patience:
    """How long, in seconds, is waited for what may never come."""

    greeting: float = 5.0
    """For a TCP client's `initialize` with the token."""
    connection: float = 5.0
    """For a connection to finish its requests and release what it holds."""
    application: float = 5.0
    """For the application to save and close everything."""
    output: float = 2.0
    """For a client to take the last replies."""
    process: float = 15.0
    """For the process to end after all that; then it is ended by force."""


class ConnectionFactory(Protocol):
    """Makes the connection for a channel; the arguments are those of `Connection`."""

    def __call__(
        self,
        channel: Channel,
        *,
        ended: Callable[[str], None],
        greeted: Callable[[Any], None],
        admit: Callable[[Any], bool] | None = None,
        resync: bool = True,
    ) -> Connection:
        """A new connection."""


class Ending:
    """Takes the first reason to end; the serve loop waits for it."""

    def __init__(self) -> None:
        self._reason: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def __call__(self, reason: str) -> None:
        """End for this reason; the first one counts."""
        if not self._reason.done():
            self._reason.set_result(reason)

    async def reason(self) -> str:
        """Wait for the end."""
        return await asyncio.shield(self._reason)


def end_on_signals(ended: Callable[[str], None]) -> None:
    """End orderly on SIGTERM, SIGINT and SIGHUP (unless it is ignored, as under nohup)."""
    loop = asyncio.get_running_loop()
    for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is None or signal.getsignal(number) is signal.SIG_IGN:
            continue
        if sys.platform == "win32":
            signal.signal(number, lambda *_, name=name: loop.call_soon_threadsafe(ended, name))
        else:
            loop.add_signal_handler(number, ended, name)


async def within(seconds: float, what: str, work: Awaitable[object]) -> None:
    """Await `work`, for `seconds` at most; a failure is logged, never raised."""
    try:
        async with asyncio.timeout(seconds):
            await work
    except TimeoutError:
        logger.error("%s took too long", what)
    except Exception as error:
        log_failure(logger, what, error)


def run(main: Coroutine[Any, Any, int]) -> int:
    """Run a serve loop as the work of this process; its exit code."""
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        runner.get_loop().set_exception_handler(_log_loop_failure)
        return runner.run(main)


def _new_loop() -> asyncio.AbstractEventLoop:
    """uvloop where it can be installed: a request that hops into a store's thread and back costs a third less."""
    try:
        from uvloop import new_event_loop
    except ImportError:  # Windows, PyPy
        return asyncio.new_event_loop()
    return new_event_loop()


def end_process_after(seconds: float) -> None:
    """End this process by force, with exit code 1, if it still runs after so many seconds."""

    def force() -> None:
        with contextlib.suppress(OSError):
            os.write(2, b"kore-ls: did not end in time\n")
        os._exit(1)

    timer = threading.Timer(seconds, force)
    timer.daemon = True
    timer.start()


def _log_loop_failure(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    if error is None:
        logger.error("the event loop: %s", context.get("message"))
    else:
        log_failure(logger, "something in the event loop", error)
