"""Looks at the store's file a few times a second for what other processes did; asks, never writes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from kore_ls.errors import KoreError, StoreLocked, WrongKey
from kore_ls.storage.changes import StoreChange

log = logging.getLogger(__name__)

INTERVAL_S = 0.25
FAILED_INTERVAL_S = 2.0
"""Longer where the last look failed: opening a damaged file over and over is no small thing."""

Listener = Callable[[StoreChange], None]


class Watch:
    """Calls `look` as long as somebody listens, and tells every listener what it found."""

    def __init__(self, look: Callable[[], Awaitable[StoreChange | None]]) -> None:
        self._look = look
        self._listeners: list[Listener] = []
        self._task: asyncio.Task[None] | None = None

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Start calling `listener`; the result stops it."""
        self._listeners.append(listener)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="kore-watch")

        def stop() -> None:
            with contextlib.suppress(ValueError):  # stopped already
                self._listeners.remove(listener)

        return stop

    async def _run(self) -> None:
        failed: str | None = None
        while True:
            await asyncio.sleep(INTERVAL_S)
            try:
                change = await self._look()
            except KoreError as error:  # said once; whoever uses the store gets the error itself
                if failed != error.kind and not isinstance(error, StoreLocked | WrongKey):  # that is no fault
                    log.warning("can't look at the store: %s", error.kind)
                failed = error.kind
                await asyncio.sleep(FAILED_INTERVAL_S)
                continue
            failed = None
            if change is not None:
                for listener in list(self._listeners):
                    listener(change)

    async def stop(self) -> None:
        """End the watch for good."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
