"""Searching by reading messages one by one, newest first: where that is quicker than to ask the index.

It is so for a word that may go on ("th", or one Chinese character), for which FTS5 first gathers all messages with any
such word, as long as such words are common; and for a session of few messages in a large store.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any

from kore_ls.model.ids import SessionId
from kore_ls.model.search import SearchQuery
from kore_ls.storage.query import ParsedQuery, Term
from kore_ls.storage.rows import from_json
from kore_ls.storage.sealing import SearchedMessages, searched_messages, text_of
from kore_ls.storage.search_filters import VISIBLE, conditions
from kore_ls.storage.sieve import Sieve
from kore_ls.storage.term_places import SearchedText

BY_SESSION = "INDEXED BY idx_messages_session_id"
CHUNK = 100

Found = tuple[int, SessionId]
"""A message's row id, and its session."""


class MessageReader:
    """Reads for one query; without the index's help where what is read is not `indexed`."""

    def __init__(
        self, db: sqlite3.Connection, query: SearchQuery, parsed: ParsedQuery, *, indexed: bool = True
    ) -> None:
        self._db = db
        self._query = query
        self._rest: ParsedQuery | None = None
        self._to_check = parsed
        if indexed and query.session_id is None and parsed.closed.wanted:  # what the index is good at, it does
            self._rest, self._to_check = parsed.closed, parsed.open
        self._sieve = Sieve(self._to_check.wanted)
        self._conditions, self._values = conditions(query)
        self._unfiltered = self._conditions == VISIBLE

    def read(self, below: int, lowest: int, enough: Callable[[int, int], bool]) -> tuple[list[Found], int]:
        """From below a row down to `lowest`, or until `enough(found, read)`; what matches, and down to which row."""
        found: list[Found] = []
        at, read = below, 0
        while at > lowest:
            start, count, (rows, texts) = self._chunk(lowest, at)
            found += self._visible(
                (rows[place][-1], SessionId(text_of(rows[place][1])))
                for place in self._sieve.sift(texts)
                if self._matches(text_of(texts[place]))
            )
            read += count
            at = start
            if enough(len(found), read):
                break
        return found, at

    def _visible(self, found: Iterable[Found]) -> Iterable[Found]:
        """Those that the query's conditions let through: of most messages nobody needs to know it."""
        matching = list(found)
        if not matching or not self._unfiltered:
            return matching
        wanted = {session_id for _, session_id in matching}
        sql = f"SELECT s.id FROM sessions s WHERE s.id IN ({', '.join('?' * len(wanted))}) AND {VISIBLE}"
        visible = {row[0] for row in self._db.execute(sql, tuple(wanted))}
        return [each for each in matching if each[1] in visible]

    def _matches(self, content: str) -> bool:
        text = SearchedText(content)
        return all(map(text.holds, self._to_check.wanted)) and not any(map(text.holds, self._to_check.excluded))

    def _chunk(self, lowest: int, below: int) -> tuple[int, int, SearchedMessages]:
        """The next messages, newest first: down to which row they go, how many there are, and what is searched."""
        if self._rest is None and self._query.session_id is None:
            newest = f"SELECT id FROM messages WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT {CHUNK}"
            start, count = self._db.execute(f"SELECT min(id), count(*) FROM ({newest})", (lowest, below)).fetchone()
            where, places = "m.id >= ? AND m.id < ?", [start, below]
        else:
            places = self._next_ids(lowest, below)
            start, count = places[-1] if places else lowest, len(places)
            where = f"m.id IN ({', '.join('?' * count)})"
        if not self._unfiltered:
            where = f"{where} AND {self._conditions}"
            places = [*places, *self._values]
        found = searched_messages(self._db, where, places, filtered=not self._unfiltered)
        return lowest if count < CHUNK else start, count, found

    def _next_ids(self, lowest: int, below: int) -> list[int]:
        """The newest messages of the session, or those that the rest of the query finds."""
        if self._rest is not None:
            sql = (
                "SELECT rowid FROM messages_fts WHERE rowid >= ? AND rowid < ? AND messages_fts MATCH ? ORDER BY rowid"
            )
            values: tuple[Any, ...] = (lowest, below, self._rest.expression)
        else:
            sql = f"SELECT id FROM messages {BY_SESSION} WHERE id >= ? AND id < ? AND session_id = ? ORDER BY seq"
            values = (lowest, below, self._query.session_id)
        return [row[0] for row in self._db.execute(f"{sql} DESC LIMIT {CHUNK}", values)]


def is_named(parsed: ParsedQuery, name: str | None, description: str | None, tags: str | None) -> bool:
    """Whether a session's name, description and tags together match; a phrase must stand within one of them."""
    try:
        each = [str(tag) for tag in from_json(tags) or ()]
    except (ValueError, TypeError):
        each = []
    texts = [SearchedText(text) for text in (name, description, *each) if text]

    def holds(term: Term) -> bool:
        return any(text.holds(term) for text in texts)

    return all(map(holds, parsed.wanted)) and not any(map(holds, parsed.excluded))
