"""Work that is not left half done: it goes on to its end although whoever asked for it is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Steps:
    """The steps under way. What a step stores, it also tells: no commit without its event."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self, step: Coroutine[Any, Any, T]) -> T:
        """The step's outcome, result or exception; cancelling this leaves the step alone."""
        task = asyncio.create_task(step)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # a cancelled caller looks at no failure

    async def settle(self) -> None:
        """Wait until no step is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)
