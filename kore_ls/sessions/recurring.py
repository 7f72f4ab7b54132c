"""Work that is done now and then while a folder is open: soon after the start, then at a steady pace. Knows no work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class Recurring:
    """Calls `work`, which sees to its own failures, after `first` seconds and then every `pace` seconds."""

    def __init__(self, name: str, work: Callable[[], Awaitable[object]], *, first: float, pace: float) -> None:
        self._name = name
        self._work = work
        self._first, self._pace = first, pace
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Do it from now on."""
        if self._task is None:
            self._task = asyncio.create_task(self._regularly(), name=self._name)

    @property
    def running(self) -> bool:
        """Whether it was started, and not stopped."""
        return self._task is not None and not self._task.done()

    async def stop(self) -> None:
        """Do it no more; what is being done is cancelled."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _regularly(self) -> None:
        seconds = self._first
        while True:
            await asyncio.sleep(seconds)
            seconds = self._pace
            await self._work()
