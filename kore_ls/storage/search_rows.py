"""Running a search: one page of sessions with their best messages. Synchronous, run inside a hop; can be stopped."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence

from attrs import evolve

from kore_ls.errors import StoreDamaged
from kore_ls.model.ids import MessageId, SessionId, is_id
from kore_ls.model.message import Role
from kore_ls.model.search import SearchHit, SearchMatch, SearchPage, SearchPosition, SearchQuery
from kore_ls.storage.candidates import MATCHES_IN_SESSION, Candidates, Deadline, Stopped
from kore_ls.storage.query import ParsedQuery, Term, parse_query
from kore_ls.storage.ranking import Entry, ranked_rounds
from kore_ls.storage.sealing import searched_text, text_of
from kore_ls.storage.search_index import is_index_fault
from kore_ls.storage.session_rows import load_session
from kore_ls.storage.snippet import match_spans, snippet_of, utf16_ranges

MATCHES = 5
_LOOKING = 0.7
"""How much of a page's time may go into finding; ranking and snippets take the rest."""


def search(
    db: sqlite3.Connection,
    query: SearchQuery,
    *,
    now: int,
    timer: Callable[[], float] = time.monotonic,
    stopped: Callable[[], bool] = lambda: False,
) -> SearchPage:
    """One page of hits; a query without a word has none. `now`: Unix milliseconds.

    Raises Stopped when `stopped` says so or the connection is interrupted, StoreDamaged (reason "index").
    """
    parsed = parse_query(query.text)
    if not parsed.wanted:
        return SearchPage()
    at = None if query.budget is None else timer() + query.budget * _LOOKING
    db.execute("BEGIN")  # all of a page is of the same moment
    try:
        return _page(Candidates(db, query, parsed, Deadline(timer=timer, at=at, stopped=stopped)), now, stopped)
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
            raise Stopped from error
        if is_index_fault(error) and not _answers(db, parsed):
            raise StoreDamaged("the search index is damaged", reason="index") from error
        raise
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def _answers(db: sqlite3.Connection, parsed: ParsedQuery) -> bool:
    """Whether the index itself can be asked; else it was the index that failed."""
    try:
        for table in ("messages_fts", "sessions_fts"):
            db.execute(f"SELECT count(*) FROM {table} WHERE {table} MATCH ?", (parsed.expression,)).fetchone()
    except sqlite3.DatabaseError:
        return False
    return True


def _page(candidates: Candidates, now: int, stopped: Callable[[], bool]) -> SearchPage:
    query, parsed, after = candidates.query, candidates.parsed, candidates.query.after
    begun = after is not None and after.below > after.down_to
    stretch = candidates.again(after) if after is not None and begun else candidates.next(after)
    shown = after.shown if after is not None else 0
    named = candidates.named(after)
    start = SearchPosition(
        below=stretch.below,
        down_to=stretch.down_to,
        names_below=named.below,
        names_down_to=named.down_to,
        shown=shown,
        scanned=stretch.scanned,
        now=now if after is None else after.now,
    )
    size = MATCHES if query.session_id is None else MATCHES_IN_SESSION
    rounds = ranked_rounds(candidates.db, parsed, stretch.found, named, size, start.now)
    entries, shown = _slice(rounds, shown, query.limit)
    position: SearchPosition | None = None
    if shown < sum(map(len, rounds)):
        position = evolve(start, shown=shown)
    elif not stretch.end or named.down_to > 0:
        position = evolve(start, below=stretch.down_to, names_below=named.down_to, shown=0)
    hits: list[SearchHit] = []
    damaged: list[SessionId] = []
    for entry in entries:
        try:
            hits.append(_hit(candidates.db, parsed, entry, size, stopped))
        except StoreDamaged:  # of one session, which must not hide what else was found
            damaged.append(entry.found.session_id)
    return SearchPage(
        hits=tuple(hits), truncated=stretch.late, position=position, start=start, damaged=tuple(filter(is_id, damaged))
    )


def _slice(rounds: Sequence[Sequence[Entry]], shown: int, limit: int) -> tuple[Sequence[Entry], int]:
    """The next entries and how many are shown then; a page never holds the same session twice."""
    skipped = 0
    for entries in rounds:
        if shown < skipped + len(entries):
            page = entries[shown - skipped : shown - skipped + limit]
            return page, shown + len(page)
        skipped += len(entries)
    return (), shown


def _hit(
    db: sqlite3.Connection, parsed: ParsedQuery, entry: Entry, size: int, stopped: Callable[[], bool]
) -> SearchHit:
    if stopped():
        raise Stopped
    found = entry.found
    record = load_session(db, found.session_id)
    names = match_spans(record.name, parsed.wanted) if found.named and not entry.start else []
    return SearchHit(
        session=record,
        score=round(found.score, 4),
        matches=tuple(_match(db, row_id, parsed.wanted) for row_id in found.rows[entry.start : entry.start + size]),
        name_ranges=utf16_ranges(record.name, names) or None,
    )


def _match(db: sqlite3.Connection, row_id: int, terms: Sequence[Term]) -> SearchMatch:
    uid, seq, role, timestamp, content = db.execute(
        f"SELECT m.uid, m.seq, m.role, m.timestamp, {searched_text(db)} FROM messages m WHERE m.id = ?", (row_id,)
    ).fetchone()
    snippet, ranges = snippet_of(text_of(content), terms)
    return SearchMatch(
        message_id=MessageId(uid), seq=seq, role=Role(role), timestamp=timestamp, snippet=snippet, ranges=ranges
    )
