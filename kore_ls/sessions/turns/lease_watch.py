"""Keeps a store's leases: renews those of turns here, ends the turns of dead processes, forgets what is old."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from kore_ls.errors import KoreError
from kore_ls.storage.lease_rows import HEARTBEAT_S
from kore_ls.storage.turn_store import Recovery, TurnStore

log = logging.getLogger(__name__)

LOOK_S = 0.25
PURGE_S = 3600.0
_REST_S = 2.0


class LeaseWatch:
    """One watch. `taken_over` is told what was ended; `working` tells whether a turn runs here."""

    def __init__(
        self, turns: Callable[[], TurnStore], taken_over: Callable[[Recovery], None], working: Callable[[], bool]
    ) -> None:
        self._turns = turns
        self._taken_over = taken_over
        self._working = working
        self._watching: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, unless it has begun; needs a loop that runs."""
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch(), name="kore-leases")

    async def stop(self) -> None:
        """Watch no more."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        beat = purge = loop.time()
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                self._taken_over(await self._turns().look())
                if self._working() and loop.time() >= beat:
                    beat = loop.time() + HEARTBEAT_S
                    await self._turns().renew()
                if loop.time() >= purge and self._turns().can_purge:
                    purge = loop.time() + PURGE_S
                    await self._turns().purge()
            except KoreError as error:  # whoever uses the store gets the error itself
                log.info("the leases can't be looked at: %s", error.kind)
                await asyncio.sleep(_REST_S)
            except ValueError:  # the store was closed
                return
