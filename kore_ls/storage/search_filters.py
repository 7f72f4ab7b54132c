"""What a search leaves out, as conditions on messages `m` and sessions `s`."""

from __future__ import annotations

import sqlite3
from typing import Any

from kore_ls.errors import StoreDamaged
from kore_ls.model.search import SearchQuery
from kore_ls.storage.codec import codec_of
from kore_ls.storage.rows import from_json, to_json

VISIBLE = "s.hidden = 0 AND s.deleted_at IS NULL"
"""The condition on sessions `s` that every search has."""


def conditions(query: SearchQuery) -> tuple[str, list[Any]]:
    """The conditions in SQL and their values; on `m` only where the query has filters on messages."""
    where, values = [VISIBLE], list[Any]()
    for column, words in (
        ("m.role", [role.value for role in query.roles]),
        ("s.agent_mode", [mode.value for mode in query.modes]),
        ("s.status", [status.value for status in query.statuses]),
    ):
        if words:
            where.append(f"{column} IN ({', '.join('?' * len(words))})")
            values += words
    singles: dict[str, Any] = {
        "s.id = ?": query.session_id,
        "s.archived = ?": query.archived,
        "m.timestamp >= ?": query.since,
        "m.timestamp <= ?": query.until,
        "has_tags(CAST(s.id AS BLOB), CAST(s.tags AS BLOB), typeof(s.tags), ?)": to_json(query.tags),
    }
    for condition, value in singles.items():
        if value is not None:
            where.append(condition)
            values.append(value)
    return " AND ".join(where), values


def on_messages(query: SearchQuery) -> bool:
    """Whether the query has filters on messages, so that a match in a session's name can't pass them."""
    return bool(query.roles) or query.since is not None or query.until is not None


def prepare(db: sqlite3.Connection) -> None:
    """Teach a connection the function that the conditions use."""
    codec = codec_of(db)

    def has_tags(session_id: bytes, stored: bytes | None, kind: str, wanted: str) -> bool:
        # As bytes, since a text that is none could not be passed on, and would end the whole search.
        try:
            if codec is not None and kind == "text":
                return False
            name = session_id.decode()
            tags = stored.decode() if codec is None and stored is not None else None
            if codec is not None:
                tags = codec.open(codec.place("sessions", name, name), "tags", stored)
            return set(from_json(wanted)) <= set(from_json(tags) or ())
        except (ValueError, TypeError, StoreDamaged):
            return False

    db.create_function("has_tags", 4, has_tags, deterministic=True)
