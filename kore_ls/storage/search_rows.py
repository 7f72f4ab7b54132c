"""Running a search: candidates newest first, in stretches of bounded cost, grouped by session and ranked.

`ORDER BY rank` would walk every match of a common word (seconds at a million messages); this walks only as many as a
page needs. Synchronous, run inside a hop; an interrupt ends it.
"""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Sequence
from typing import Any

from attrs import evolve, field, frozen, mutable

from kore_ls.errors import SessionNotFound
from kore_ls.model.ids import MessageId, SessionId
from kore_ls.model.message import Role
from kore_ls.model.search import SearchHit, SearchMatch, SearchPage, SearchPosition, SearchQuery
from kore_ls.storage.query import ParsedQuery, Term, parse_query
from kore_ls.storage.rows import SESSION_COLUMNS, session_of
from kore_ls.storage.session_rows import load_session
from kore_ls.storage.snippet import match_spans, snippet_of, utf16_ranges

CANDIDATES = 1_000
NAMES = 200
MATCHES = 5
MATCHES_IN_SESSION = 200
_STRETCHES = (10_000, 50_000, 200_000)
_NEAR = 12


@frozen
class _Candidate:
    """A message that matches: its row id and session; how near the words stand (2: one phrase, 1: near)."""

    row_id: int
    session_id: SessionId
    nearness: int = 0


@mutable
class _Found:
    """One session's matches in a stretch, newest first."""

    session_id: SessionId
    newest: int
    named: bool = False
    candidates: list[_Candidate] = field(factory=list)

    def score(self, total: int) -> float:
        """From 0 to 1, and 1 more for a match in the name: how recent, how near the words stand, how many."""
        if not self.candidates:
            return 1.0
        recency = 1 - self.newest / total
        nearness = max(each.nearness for each in self.candidates) / 2
        many = min(1.0, math.log2(1 + len(self.candidates)) / 6)
        return 0.5 * recency + 0.3 * nearness + 0.2 * many + (1.0 if self.named else 0.0)


@frozen
class _Stretch:
    """A part of the history, as far as it was looked through."""

    below: int
    down_to: int
    candidates: list[_Candidate]
    exhausted: bool
    late: bool


def search(db: sqlite3.Connection, query: SearchQuery) -> SearchPage:
    """One page of hits; a query without a word has none."""
    parsed = parse_query(query.text)
    if not parsed.wanted:
        return SearchPage()
    deadline = None if query.budget is None else time.monotonic() + query.budget
    if query.after is not None and query.after.shown:
        stretch = _again(db, query, parsed, query.after)
    else:
        stretch = _next_stretch(db, query, parsed, deadline)
    first = query.after is None or (query.after.first and query.after.shown > 0)
    rounds = _rounds(db, query, parsed, stretch, first)
    shown = query.after.shown if query.after is not None else 0
    start = SearchPosition(below=stretch.below, down_to=stretch.down_to, shown=shown, first=first)
    page, shown = _slice(rounds, shown, query.limit)
    hits = [hit for entry in page if (hit := _hit(db, query, parsed, *entry)) is not None]
    position: SearchPosition | None = None
    if shown < sum(map(len, rounds)):
        position = evolve(start, shown=shown)
    elif not stretch.exhausted:
        position = SearchPosition(below=stretch.down_to, down_to=stretch.down_to, shown=0, first=False)
    return SearchPage(hits=tuple(hits), truncated=stretch.late, position=position, start=start)


def _filters(query: SearchQuery) -> tuple[str, list[Any]]:
    """Conditions on m (messages) and s (sessions), and their values."""
    where = ["s.hidden = 0", "s.deleted_at IS NULL"]
    values: list[Any] = []
    for column, words in (
        ("m.role", [role.value for role in query.roles]),
        ("s.agent_mode", [mode.value for mode in query.modes]),
        ("s.status", [status.value for status in query.statuses]),
    ):
        if words:
            where.append(f"{column} IN ({', '.join('?' * len(words))})")
            values += words
    for condition, value in (
        ("m.session_id = ?", query.session_id),
        ("s.archived = ?", query.archived),
        ("m.timestamp >= ?", query.since),
        ("m.timestamp <= ?", query.until),
    ):
        if value is not None:
            where.append(condition)
            values.append(value)
    return " AND ".join(where), values


def _candidates(
    db: sqlite3.Connection, query: SearchQuery, expression: str, down_to: int, below: int, limit: int
) -> list[_Candidate]:
    where, values = _filters(query)
    rows = db.execute(
        "SELECT f.rowid, m.session_id FROM messages_fts f CROSS JOIN messages m ON m.id = f.rowid "
        "CROSS JOIN sessions s ON s.id = m.session_id "
        f"WHERE f.messages_fts MATCH ? AND f.rowid >= ? AND f.rowid < ? AND {where} ORDER BY f.rowid DESC LIMIT ?",
        (expression, down_to, below, *values, limit),
    )
    return [_Candidate(row_id, session_id) for row_id, session_id in rows.fetchall()]


def _bounds(db: sqlite3.Connection, query: SearchQuery) -> tuple[int, int]:
    """The row ids between which all messages in question lie: (first, after the last)."""
    if query.session_id is None:
        low, high = db.execute("SELECT min(id), max(id) FROM messages").fetchone()
    else:
        ends = "(SELECT id FROM messages WHERE session_id = ? ORDER BY seq {} LIMIT 1)"
        low, high = db.execute(
            f"SELECT {ends.format('ASC')}, {ends.format('DESC')}", (query.session_id, query.session_id)
        ).fetchone()
    return (low or 0), (high or 0) + 1


def _most(query: SearchQuery) -> int:
    return CANDIDATES if query.session_id is None else MATCHES_IN_SESSION


def _next_stretch(db: sqlite3.Connection, query: SearchQuery, parsed: ParsedQuery, deadline: float | None) -> _Stretch:
    lowest, below = _bounds(db, query)
    if query.after is not None:
        below = min(below, query.after.below)
    found: list[_Candidate] = []
    most, at, step = _most(query), below, 0
    while at > lowest and len(found) < most:
        if deadline is not None and step and time.monotonic() > deadline:
            return _Stretch(below, at, found, exhausted=False, late=True)
        down_to = max(lowest, at - _STRETCHES[min(step, len(_STRETCHES) - 1)])
        found += _candidates(db, query, parsed.expression, down_to, at, most - len(found))
        at = down_to if len(found) < most else found[-1].row_id
        step += 1
    return _Stretch(below, at, found, exhausted=at <= lowest, late=False)


def _again(db: sqlite3.Connection, query: SearchQuery, parsed: ParsedQuery, position: SearchPosition) -> _Stretch:
    """The stretch of an earlier page, for the rest of what was found in it."""
    lowest, _ = _bounds(db, query)
    found = _candidates(db, query, parsed.expression, position.down_to, position.below, _most(query))
    return _Stretch(position.below, position.down_to, found, exhausted=position.down_to <= lowest, late=False)


def _rounds(
    db: sqlite3.Connection, query: SearchQuery, parsed: ParsedQuery, stretch: _Stretch, first: bool
) -> list[list[tuple[_Found, int]]]:
    """What to show of a stretch: each session with its best matches, ranked; then each with its next ones; ..."""
    found: dict[SessionId, _Found] = {}
    for index, candidate in enumerate(_with_nearness(db, parsed, stretch)):
        session = found.setdefault(candidate.session_id, _Found(candidate.session_id, index))
        session.candidates.append(candidate)
    if first:
        for session_id in _named(db, query, parsed):
            found.setdefault(session_id, _Found(session_id, 0)).named = True
    if query.tags:
        found = {key: value for key, value in found.items() if _tagged(db, key, query.tags)}
    for session in found.values():
        session.candidates.sort(key=lambda each: (-each.nearness, -each.row_id))
    total = max(len(stretch.candidates), 1)
    ranked = sorted(found.values(), key=lambda each: each.score(total), reverse=True)
    size = MATCHES if query.session_id is None else MATCHES_IN_SESSION
    depth = max((len(each.candidates) for each in ranked), default=0)
    rounds = [[(each, 0) for each in ranked]]
    rounds += [[(each, start) for each in ranked if len(each.candidates) > start] for start in range(size, depth, size)]
    return rounds


def _with_nearness(db: sqlite3.Connection, parsed: ParsedQuery, stretch: _Stretch) -> list[_Candidate]:
    if len(parsed.wanted) < 2 or not stretch.candidates:
        return stretch.candidates
    tokens = [token for term in parsed.wanted for token in term.tokens]
    phrase = f'"{" ".join(tokens)}"'
    near = "NEAR(" + " ".join(f'"{" ".join(term.tokens)}"' for term in parsed.wanted) + f", {_NEAR})"
    rows = {
        expression: {
            row[0]
            for row in db.execute(
                "SELECT rowid FROM messages_fts WHERE messages_fts MATCH ? AND rowid BETWEEN ? AND ? LIMIT ?",
                (expression, stretch.candidates[-1].row_id, stretch.candidates[0].row_id, 5 * CANDIDATES),
            )
        }
        for expression in (phrase, near)
    }
    return [
        evolve(each, nearness=2 if each.row_id in rows[phrase] else 1 if each.row_id in rows[near] else 0)
        for each in stretch.candidates
    ]


def _named(db: sqlite3.Connection, query: SearchQuery, parsed: ParsedQuery) -> list[SessionId]:
    """Sessions whose name, description or tags match, newest first; filters on messages leave them out."""
    if query.roles or query.since is not None or query.until is not None:
        return []
    where, values = _filters(evolve(query, session_id=None))
    own = " AND s.id = ?" if query.session_id is not None else ""
    rows = db.execute(
        "SELECT s.id FROM sessions_fts f CROSS JOIN sessions s ON s.num = f.rowid "
        f"WHERE f.sessions_fts MATCH ? AND {where}{own} ORDER BY f.rowid DESC LIMIT ?",
        (parsed.expression, *values, *([query.session_id] if own else []), NAMES),
    )
    return [row[0] for row in rows.fetchall()]


def _tagged(db: sqlite3.Connection, session_id: SessionId, tags: Sequence[str]) -> bool:
    row = db.execute(f"SELECT {SESSION_COLUMNS} FROM sessions WHERE id = ?", (session_id,)).fetchone()
    return row is not None and set(tags) <= set(session_of(row).tags)


def _slice(rounds: list[list[tuple[_Found, int]]], shown: int, limit: int) -> tuple[list[tuple[_Found, int]], int]:
    """The next entries and how many are shown then; a page never holds the same session twice."""
    skipped = 0
    for entries in rounds:
        if shown < skipped + len(entries):
            page = entries[shown - skipped : shown - skipped + limit]
            return page, shown + len(page)
        skipped += len(entries)
    return [], shown


def _hit(
    db: sqlite3.Connection, query: SearchQuery, parsed: ParsedQuery, found: _Found, start: int
) -> SearchHit | None:
    try:
        record = load_session(db, found.session_id)
    except SessionNotFound:
        return None
    size = MATCHES if query.session_id is None else MATCHES_IN_SESSION
    names = match_spans(record.name, parsed.wanted) if found.named and not start else []
    chosen = found.candidates[start : start + size]
    return SearchHit(
        session=record,
        score=round(found.score(max(found.newest + 1, CANDIDATES)), 4),
        matches=tuple(_match(db, each.row_id, parsed.wanted) for each in chosen),
        name_ranges=utf16_ranges(record.name, names) or None,
    )


def _match(db: sqlite3.Connection, row_id: int, terms: Sequence[Term]) -> SearchMatch:
    uid, seq, role, timestamp, content = db.execute(
        "SELECT uid, seq, role, timestamp, content FROM messages WHERE id = ?", (row_id,)
    ).fetchone()
    snippet, ranges = snippet_of(content, terms)
    return SearchMatch(
        message_id=MessageId(uid), seq=seq, role=Role(role), timestamp=timestamp, snippet=snippet, ranges=ranges
    )
