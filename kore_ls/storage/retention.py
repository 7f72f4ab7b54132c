"""What takes a store's room, and which sessions a user's limits would let go. Reads only; run apart from others."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping

from kore_ls.errors import StoreDamaged
from kore_ls.model.ids import SessionId
from kore_ls.model.retention import SizedSession, Space
from kore_ls.model.session import SessionStatus
from kore_ls.storage.lease_rows import held_lease
from kore_ls.storage.session_rows import load_session, read_meta

_DAY_MS = 24 * 3600 * 1000
_MESSAGES = (
    "SELECT session_id, sum(length(CAST(content AS BLOB)) + ifnull(length(CAST(thinking AS BLOB)), 0) "
    "+ ifnull(length(CAST(metadata AS BLOB)), 0)) FROM messages GROUP BY session_id"
)
_TOOL_CALLS = (
    "SELECT m.session_id, sum(ifnull(length(CAST(t.arguments AS BLOB)), 0) "
    "+ ifnull(length(CAST(t.result AS BLOB)), 0)) FROM tool_calls t "
    "CROSS JOIN messages m ON m.id = t.message_id GROUP BY m.session_id"
)
_CONTENTS = (
    "SELECT DISTINCT m.session_id, t.output, length(o.content) FROM tool_calls t "
    "CROSS JOIN messages m ON m.id = t.message_id CROSS JOIN outputs o ON o.name = t.output WHERE t.output IS NOT NULL "
    "UNION ALL SELECT DISTINCT m.session_id, a.name, length(c.content) FROM attachments a "
    "CROSS JOIN messages m ON m.id = a.message_id CROSS JOIN attached_texts c ON c.name = a.name"
)
_PARTS: Mapping[str, tuple[str, ...]] = {
    "messages": (
        *("messages", "idx_messages", "sqlite_autoindex_messages"),
        *("attach", "idx_attach", "sqlite_autoindex_attach"),
    ),
    "tool_calls": ("tool_calls", "idx_tool_calls", "outputs", "sqlite_autoindex_outputs"),
    "search": ("messages_fts", "sessions_fts"),
    "files": ("file_", "sqlite_autoindex_file_", "idx_file_"),
}
"""Tables and indexes by what they are for, by how their names begin."""


def expired(
    db: sqlite3.Connection,
    keep_days: int | None,
    keep_bytes: int | None,
    now: int,
    spared: Collection[SessionId] = (),
) -> list[SizedSession]:
    """The sessions beyond the limits, the one longest untouched first: older than so many days, and of the rest those
    that make all sessions together larger than so many bytes.

    Pinned, active, running, deleted, unreadable and `spared` sessions are never among them.
    """
    sizes: dict[str, int] = {}
    for statement in (_MESSAGES, _TOOL_CALLS):
        for session_id, size in db.execute(statement):
            sizes[session_id] = sizes.get(session_id, 0) + size
    rows = db.execute(
        "SELECT id, updated_at, pinned, status FROM sessions WHERE hidden = 0 AND deleted_at IS NULL "
        "ORDER BY updated_at, id"
    ).fetchall()
    shared = _Shared(db, {row[0] for row in rows})
    total = sum(sizes.get(row[0], 0) for row in rows) + shared.bytes
    kept = {read_meta(db, "active_session"), *spared}
    found: list[SizedSession] = []
    for id_, updated_at, pinned, status in rows:
        old = keep_days is not None and updated_at < now - keep_days * _DAY_MS
        if not old and (keep_bytes is None or total <= keep_bytes):
            continue
        session_id = SessionId(id_)
        if pinned or id_ in kept or status == SessionStatus.RUNNING.value or held_lease(db, session_id) is not None:
            continue
        size = sizes.get(id_, 0) + shared.alone(id_)
        try:
            found.append(SizedSession(record=load_session(db, session_id), bytes=size))
        except StoreDamaged:  # it stays until the store is mended
            continue
        shared.go(id_)
        total -= size
    return found


class _Shared:
    """Contents that are stored once for all sessions that have them. `bytes`: of all together."""

    def __init__(self, db: sqlite3.Connection, sessions: set[str]) -> None:
        self._held: dict[str, dict[str, int]] = {}
        self._holders: dict[str, int] = {}
        self.bytes = 0
        for session_id, name, size in db.execute(_CONTENTS):
            if session_id in sessions:
                self._held.setdefault(session_id, {})[name] = size
                self.bytes += 0 if name in self._holders else size
                self._holders[name] = self._holders.get(name, 0) + 1

    def alone(self, session_id: str) -> int:
        """The bytes of those that no other session has."""
        held = self._held.get(session_id, {})
        return sum(size for name, size in held.items() if self._holders[name] == 1)

    def go(self, session_id: str) -> None:
        """A session goes: what it shared is left to the others."""
        for name in self._held.pop(session_id, ()):
            self._holders[name] -= 1


def space(db: sqlite3.Connection) -> Space | None:
    """What takes the room; None where this SQLite can't tell. Reads the whole file."""
    page = db.execute("PRAGMA page_size").fetchone()[0]
    free = db.execute("PRAGMA freelist_count").fetchone()[0] * page
    try:
        rows = db.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name").fetchall()
    except sqlite3.OperationalError:
        return None
    sizes = dict.fromkeys((*_PARTS, "other"), 0)
    for name, size in rows:
        part = next((part for part, names in _PARTS.items() if name.startswith(names)), "other")
        sizes[part] += size
    return Space(**sizes, free=free)
