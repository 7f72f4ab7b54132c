"""Lets go of sessions beyond limits that a user sets, and gives the room back."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from functools import partial

from kore_ls.errors import KoreError, LeaseHeld, SessionNotFound
from kore_ls.model.retention import SizedSession
from kore_ls.sessions.backups import FolderBackups
from kore_ls.sessions.clients import FolderClients
from kore_ls.sessions.manager import SessionManager
from kore_ls.sessions.recurring import Recurring

log = logging.getLogger(__name__)

_FIRST_SECONDS = 300.0
_THEN_SECONDS = 86_400.0


async def retain(
    manager: SessionManager,
    clients: FolderClients,
    *,
    keep_days: int | None,
    keep_bytes: int | None,
    dry_run: bool,
    compact: bool = True,
) -> Sequence[SizedSession]:
    """Remove for good what is beyond the limits; those that went, or (asked only) would go, longest untouched first.

    Pinned sessions stay, those that are active in one of the `clients`, and such as somebody works in. Without a
    limit none goes, but free room does: all of it with `compact`, which may take long, else what is quick.
    """
    limited = keep_days is not None or keep_bytes is not None
    beyond = await manager.storage.expired(keep_days, keep_bytes, clients.active()) if limited else []
    if dry_run:
        return beyond
    removed = []
    for each in beyond:
        with contextlib.suppress(SessionNotFound, LeaseHeld):  # somebody was faster, or has begun to work in it
            await manager.delete_session(each.record.id, permanent=True)
            removed.append(each)
    await manager.storage.purge.settle()
    if compact:
        await manager.storage.purge.compact()
    return removed


class FolderRetention:
    """The limits that a user set for a folder's store, seen to once a day by one of the processes that have it open."""

    def __init__(
        self,
        manager: SessionManager,
        clients: FolderClients,
        backups: FolderBackups,
        keep_days: int | None,
        keep_bytes: int | None,
    ) -> None:
        self._manager = manager
        self._clients = clients
        self._backups = backups
        self._days, self._bytes = keep_days, keep_bytes
        self.recurring = Recurring("kore-retention", self.daily, first=_FIRST_SECONDS, pace=_THEN_SECONDS)

    def start(self) -> None:
        """See to the limits from now on, if there are any."""
        if self._days is not None or self._bytes is not None:
            self.recurring.start()

    async def stop(self) -> None:
        """Remove nothing more."""
        await self.recurring.stop()

    async def daily(self) -> Sequence[SizedSession]:
        """The sessions that went for good: at most once a day, none without a copy; failures are logged."""
        retained = partial(retain, self._manager, self._clients, keep_days=self._days, keep_bytes=self._bytes)
        try:
            # Looked at first, as the note of the day is a change of the store, after which it would be copied.
            if not await retained(dry_run=True):
                return []
            if not await self._manager.storage.purge.claim_day():
                return []
            if await self._backups.before("purge") is None:  # why is logged there
                return []
            gone = await retained(dry_run=False, compact=False)
        except (KoreError, OSError) as error:
            log.warning("the limits of what is kept wait (%s)", getattr(error, "kind", type(error).__name__))
            return []
        log.info("%d sessions beyond the limits of what is kept went for good", len(gone))
        return gone
