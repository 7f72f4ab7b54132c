"""Statements about leases: which process works in which session; synchronous, run inside a hop.

A lease has an epoch that rises each time it changes hands. Every write of a turn names its epoch, so that a process
that lost its lease without noticing can write nothing more.
"""

from __future__ import annotations

import sqlite3

from attrs import frozen

from kore_ls.errors import LeaseHeld
from kore_ls.model.ids import SessionId
from kore_ls.storage.process import ProcessMark, this_process

HEARTBEAT_S = 5.0
EXPIRY_MS = 20_000
BELIEVED_MS = 60_000
"""An expiry further ahead than this was written by a clock that is wrong."""

_COLUMNS = "session_id, epoch, owner, host, boot_id, pid, started, expires_at"


@frozen(kw_only=True)
class HeldLease:
    """A lease as it is stored; `owner` is the id of the store object that holds it."""

    session_id: SessionId
    epoch: int
    owner: str
    process: ProcessMark
    expires_at: int

    def lapsed(self, now: int) -> bool:
        """Whether nobody holds it any more: its holder is proved dead, or has not been heard of for too long."""
        return not now <= self.expires_at <= now + BELIEVED_MS or self.process.is_gone()


def take_lease(db: sqlite3.Connection, session_id: SessionId, owner: str, now: int) -> int:
    """Take a lease that is free; its epoch. The caller has dealt with another holder."""
    row = db.execute("SELECT epoch FROM leases WHERE session_id = ?", (session_id,)).fetchone()
    epoch = (row[0] if row else 0) + 1
    me = this_process()
    values = (epoch, owner, me.host, me.boot_id, me.pid, me.started, now + EXPIRY_MS)
    if row is None:
        db.execute(f"INSERT INTO leases ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (session_id, *values))
    else:
        db.execute(
            "UPDATE leases SET epoch = ?, owner = ?, host = ?, boot_id = ?, pid = ?, started = ?, expires_at = ? "
            "WHERE session_id = ?",
            (*values, session_id),
        )
    return epoch


def release_lease(db: sqlite3.Connection, session_id: SessionId) -> None:
    """Nobody works in the session now; the epoch stays, as it must only rise."""
    db.execute("UPDATE leases SET owner = NULL, expires_at = NULL WHERE session_id = ?", (session_id,))


def renew_leases(db: sqlite3.Connection, owner: str, now: int) -> None:
    """The owner is alive."""
    db.execute("UPDATE leases SET expires_at = ? WHERE owner = ?", (now + EXPIRY_MS, owner))


def held_lease(db: sqlite3.Connection, session_id: SessionId) -> HeldLease | None:
    """Who holds a session's lease, alive or not."""
    row = db.execute(f"SELECT {_COLUMNS} FROM leases WHERE session_id = ?", (session_id,)).fetchone()
    return None if row is None or row[2] is None else _lease(row)


def held_leases(db: sqlite3.Connection) -> list[HeldLease]:
    """All leases that somebody holds, alive or not."""
    return [_lease(row) for row in db.execute(f"SELECT {_COLUMNS} FROM leases WHERE owner IS NOT NULL")]


def check_epoch(db: sqlite3.Connection, session_id: SessionId, owner: str, epoch: int) -> None:
    """Raise LeaseHeld unless `owner` still holds the lease that it took with this epoch."""
    row = db.execute("SELECT epoch, owner FROM leases WHERE session_id = ?", (session_id,)).fetchone()
    if row is None or tuple(row) != (epoch, owner):
        lease = held_lease(db, session_id)
        raise LeaseHeld(sessionId=session_id, holder=lease and lease.process.words)


def _lease(row: tuple[object, ...]) -> HeldLease:
    session_id, epoch, owner, host, boot_id, pid, started, expires_at = row
    process = ProcessMark(host=str(host), boot_id=str(boot_id), pid=_number(pid), started=str(started))
    return HeldLease(
        session_id=SessionId(str(session_id)),
        epoch=_number(epoch),
        owner=str(owner),
        process=process,
        expires_at=_number(expires_at),
    )


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
