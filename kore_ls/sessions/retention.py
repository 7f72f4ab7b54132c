"""Lets go of sessions beyond limits that a user sets, and gives the room back."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from kore_ls.errors import LeaseHeld, SessionNotFound
from kore_ls.model.retention import SizedSession
from kore_ls.sessions.manager import SessionManager


async def retain(
    manager: SessionManager, *, keep_days: int | None, keep_bytes: int | None, dry_run: bool
) -> Sequence[SizedSession]:
    """Remove for good what is beyond the limits; those that went, or (asked only) would go, longest untouched first.

    Pinned and active sessions stay, and such as somebody works in. Without a limit none goes, but free room does.
    """
    limited = keep_days is not None or keep_bytes is not None
    beyond = await manager.storage.expired(keep_days, keep_bytes) if limited else []
    if dry_run:
        return beyond
    removed = []
    for each in beyond:
        with contextlib.suppress(SessionNotFound, LeaseHeld):  # somebody was faster, or has begun to work in it
            await manager.delete_session(each.record.id, permanent=True)
            removed.append(each)
    await manager.storage.purge.settle()
    await manager.storage.purge.compact()
    return removed
