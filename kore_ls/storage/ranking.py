"""The order of what a search found in one stretch: sessions by recency, by how near the words stand, by how many."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Mapping, Sequence

from attrs import define, field, frozen

from kore_ls.model.ids import SessionId
from kore_ls.storage.candidates import NamedSessions
from kore_ls.storage.message_reading import Found
from kore_ls.storage.query import ParsedQuery

_NEAR_TOKENS = 12
_NEAR_ROWS = 20_000
_HALF_SCORE_MS = 7 * 24 * 3_600_000
_MANY = 6


@frozen
class Entry:
    """One session on a page: its matches, best first, from the one at `start` on; at most a page's worth is shown."""

    found: FoundSession
    start: int


@define
class FoundSession:
    """One session's matches (row ids) in a stretch."""

    session_id: SessionId
    timestamp: int = 0
    named: bool = False
    rows: list[int] = field(factory=list)
    score: float = 0.0


def ranked_rounds(
    db: sqlite3.Connection,
    parsed: ParsedQuery,
    candidates: Sequence[Found],
    named: NamedSessions,
    size: int,
    now: int,
) -> list[list[Entry]]:
    """Each session with its `size` best matches, ranked; then those that have more with their next ones; and so on.

    The same candidates and `now` give the same order.
    """
    found: dict[SessionId, FoundSession] = {}
    for row_id, session_id in candidates:
        found.setdefault(session_id, FoundSession(session_id)).rows.append(row_id)
    nearness = _nearness(db, parsed, candidates)
    for session in found.values():
        row = db.execute("SELECT timestamp FROM messages WHERE id = ?", (session.rows[0],)).fetchone()
        session.timestamp = row[0]
    for session_id, updated_at in named.sessions:
        found.setdefault(session_id, FoundSession(session_id, updated_at)).named = True
    for session in found.values():
        session.score = _score(session, nearness, now)
        session.rows.sort(key=lambda row_id: (-nearness.get(row_id, 0), -row_id))
    ranked = sorted(found.values(), key=lambda session: -session.score)
    depth = max((len(session.rows) for session in ranked), default=0)
    rounds = [[Entry(session, 0) for session in ranked]]
    for start in range(size, depth, size):
        rounds.append([Entry(session, start) for session in ranked if len(session.rows) > start])
    return rounds


def _score(session: FoundSession, nearness: Mapping[int, int], now: int) -> float:
    """From 0 to 1, and 1 more for a match in the name."""
    recency = 1 / (1 + max(0, now - session.timestamp) / _HALF_SCORE_MS)
    near = max((nearness.get(row_id, 0) for row_id in session.rows), default=0) / 2
    many = min(1.0, math.log2(1 + len(session.rows)) / _MANY)
    return 0.5 * recency + 0.3 * near + 0.2 * many + (1.0 if session.named else 0.0)


def _nearness(db: sqlite3.Connection, parsed: ParsedQuery, candidates: Sequence[Found]) -> dict[int, int]:
    """For messages (row ids) in which all words stand in a row, 2; in which they stand near each other, 1.

    Looks at the newest ones only: the words may be common, and the candidates far apart.
    """
    if len(parsed.wanted) < 2 or not candidates:
        return {}
    near = "NEAR(" + " ".join(f'"{" ".join(term.tokens)}"' for term in parsed.wanted) + f", {_NEAR_TOKENS})"
    in_a_row = f'"{" ".join(token for term in parsed.wanted for token in term.tokens)}"'
    newest = candidates[0][0]
    # FTS5 looks for a first match beyond the range, too, so begin where there is less behind it.
    last = db.execute("SELECT max(id) FROM messages").fetchone()[0]
    order = "ASC" if newest > last // 2 else "DESC"
    nearness: dict[int, int] = {}
    for value, expression in ((1, near), (2, in_a_row)):
        rows = db.execute(
            "SELECT rowid FROM messages_fts WHERE messages_fts MATCH ? AND rowid <= ? AND rowid > ? "
            f"ORDER BY rowid {order}",
            (expression, newest, newest - _NEAR_ROWS),
        )
        nearness.update((row[0], value) for row in rows.fetchall())
    return nearness
