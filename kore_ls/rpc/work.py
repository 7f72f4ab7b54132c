"""The requests in work: each is one task, can be cancelled, and is answered exactly once, whatever happens to it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from kore_ls.errors import KoreError
from kore_ls.rpc.envelope import Id
from kore_ls.rpc.faults import CANCELLED, ResponseError, log_failure
from kore_ls.rpc.replies import Replies

logger = logging.getLogger(__name__)

Run = Callable[..., Awaitable[Any]]

LOAD_BYTES = 256 << 20
"""Requests in work that hold more input than this stop the reading of input, until some are answered."""
REQUEST_BYTES = 1 << 10
"""What a request in work costs besides its body, roughly."""


class Work:
    """Tasks by request id. `strained` is called when the input held by them passes LOAD_BYTES, either way."""

    def __init__(self, strained: Callable[[], None]) -> None:
        self._strained = strained
        self._tasks: dict[Id, asyncio.Task[None]] = {}
        self._notes: set[asyncio.Task[None]] = set()
        self._held: asyncio.Task[None] | None = None
        self._load = 0

    def __contains__(self, id_: Id) -> bool:
        return id_ in self._tasks

    def busy(self) -> bool:
        """Whether any request is in work."""
        return bool(self._tasks)

    @property
    def too_much(self) -> bool:
        """Whether the requests in work hold more input than they should."""
        return self._load > LOAD_BYTES

    def start(self, replies: Replies, id_: Id, size: int, what: str, run: Run, *args: Any) -> asyncio.Task[None]:
        """Begin a request whose body had `size` bytes; `await run(*args)` gives its result."""
        task = asyncio.get_running_loop().create_task(self._answer(replies, id_, what, run, *args))
        self._tasks[id_] = task
        self._add(size + REQUEST_BYTES)
        task.add_done_callback(partial(self._done, replies, id_, size + REQUEST_BYTES))
        return task

    async def _answer(self, replies: Replies, id_: Id, what: str, run: Run, *args: Any) -> None:
        try:
            result = await run(*args)
        except GeneratorExit:
            raise
        except BaseException as error:  # whatever it is, the caller gets an answer
            del self._tasks[id_]
            replies.failure(id_, what, _cancelled() if _was_cancelled(error) else error)
        else:
            del self._tasks[id_]
            replies.result(id_, what, result)

    def _done(self, replies: Replies, id_: Id, weight: int, task: asyncio.Task[None]) -> None:
        if self._tasks.get(id_) is task:  # it was cancelled before its first step
            del self._tasks[id_]
            replies.failure(id_, "-", _cancelled())
        self._add(-weight)

    def _add(self, weight: int) -> None:
        before = self.too_much
        self._load += weight
        if before is not self.too_much:
            self._strained()

    def cancel(self, id_: Any) -> None:
        """Cancel the request, if it is in work."""
        if (task := self._tasks.get(id_)) is not None:
            task.cancel()

    def note(self, what: str, run: Run, *args: Any) -> None:
        """Do what a notification asks for; a failure is only logged."""
        task = asyncio.get_running_loop().create_task(self._note(what, run, *args))
        self._notes.add(task)
        task.add_done_callback(self._notes.discard)

    async def _note(self, what: str, run: Run, *args: Any) -> None:
        try:
            await run(*args)
        except KoreError as error:
            logger.warning("%s failed: %s", what, error.kind)
        except (asyncio.CancelledError, GeneratorExit):
            raise
        except BaseException as error:  # nothing that a handler raises may end the event loop
            log_failure(logger, what, error)

    def hold(self, what: str, run: Run, *args: Any) -> None:
        """Do `await run(*args)` after what was held before; what is `let_through` from now on waits for its end."""
        self._held = asyncio.get_running_loop().create_task(self._hold(self._held, what, run, *args))

    async def _hold(self, before: asyncio.Task[None] | None, what: str, run: Run, *args: Any) -> None:
        if before is not None:
            await asyncio.wait((before,))
        await self._note(what, run, *args)

    async def let_through(self) -> None:
        """Wait for what is being held."""
        if self._held is not None and not self._held.done():
            await asyncio.wait((self._held,))

    async def finish(self, besides: asyncio.Task[Any] | None, grace: float) -> None:
        """Wait `grace` seconds for everything in work, cancel what is left, and wait for that as long again."""
        working = {*self._tasks.values(), *self._notes} - {besides}
        if self._held is not None:
            working.add(self._held)
        if not working:
            return
        _, late = await asyncio.wait(working, timeout=grace)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=grace)

    async def settled(self, grace: float) -> None:
        """Wait `grace` seconds for the last requests to be answered."""
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=grace)


def _was_cancelled(error: BaseException) -> bool:
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


def _cancelled() -> ResponseError:
    return ResponseError(CANCELLED, "the request was cancelled")
