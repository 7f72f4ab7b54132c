"""What a search looks at: messages that match, newest first, in stretches of the history of bounded cost.

`ORDER BY rank` would walk every match of a common word (seconds at a million messages); this walks only as many as a
page needs. Synchronous, run inside a hop.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import islice
from typing import Any

from attrs import define, evolve, field, frozen

from kore_ls.model.ids import SessionId
from kore_ls.model.search import SearchPosition, SearchQuery
from kore_ls.storage.codec import codec_of
from kore_ls.storage.message_reading import BY_SESSION, Found, MessageReader, is_named
from kore_ls.storage.query import ParsedQuery
from kore_ls.storage.sealing import named_texts
from kore_ls.storage.search_filters import conditions, on_messages, prepare
from kore_ls.storage.unindexed import Unindexed

NamedRow = tuple[int, SessionId, int]
"""Number, id and last change of a session."""

CANDIDATES = 400
NAMES = 200
MATCHES_IN_SESSION = 200
READ_ROWS = 2_000
"""Messages of a session so small that they are read rather than looked for in the index."""
TRIED_ROWS = 1_000
"""How many messages are read, at most, to see whether a word that may go on is a common one."""
ENOUGH = 50
"""With so many matches it is."""

_LOOK_EVERY = 64
_TRY_S = 0.003
_READ_S = 1.05
"""How long messages of an encrypted store are read that are not indexed yet."""
_SPARSE = 40


@frozen(kw_only=True)
class Stretch:
    """A part of the history as far as it was looked through; `found` is newest first.

    `end`: there is nothing older. `late`: it would have reached further if there had been time. `scanned`: the
    messages were read one by one.
    """

    below: int
    down_to: int
    found: Sequence[Found]
    end: bool
    late: bool = False
    scanned: bool = False


@frozen(kw_only=True)
class NamedSessions:
    """Sessions (id, last change in Unix milliseconds) whose name, description or tags match, newest first."""

    below: int
    down_to: int
    sessions: Sequence[tuple[SessionId, int]]


class Stopped(Exception):
    """Nobody wants the answer any more."""


@frozen(kw_only=True)
class Deadline:
    """When a page should be done, by `timer` in seconds (None: whenever); `stopped` tells that nobody waits for it."""

    timer: Callable[[], float]
    at: float | None
    stopped: Callable[[], bool]

    def passed(self) -> bool:
        """Whether time is up. Raises Stopped."""
        if self.stopped():
            raise Stopped
        return self.at is not None and self.timer() > self.at


@define
class Candidates:
    """The candidates of one query. All methods raise Stopped."""

    db: sqlite3.Connection
    query: SearchQuery
    parsed: ParsedQuery
    deadline: Deadline
    _lowest: int = field(init=False)
    _newest: int = field(init=False)
    _floor: int = field(init=False)
    _unindexed: Unindexed = field(init=False)

    def __attrs_post_init__(self) -> None:
        prepare(self.db)
        self._lowest, self._newest = self._bounds()
        self._floor = self._lowest
        self._unindexed = Unindexed.of(self.db)

    def _bounds(self) -> tuple[int, int]:
        """The row ids of the oldest and the newest message in question; of nothing 1 and 0."""
        owner = self.query.session_id
        if owner is None:
            ends = "(SELECT min(id) FROM messages), (SELECT max(id) FROM messages)"
            low, high = self.db.execute(f"SELECT {ends}").fetchone()
        else:
            first = "SELECT id FROM messages WHERE session_id = ? ORDER BY seq LIMIT 1"
            last = "SELECT id FROM messages WHERE session_id = ? ORDER BY seq DESC LIMIT 1"
            low, high = self.db.execute(f"SELECT ({first}), ({last})", (owner, owner)).fetchone()
        return low or 1, high or 0

    @property
    def _most(self) -> int:
        return CANDIDATES if self.query.session_id is None else MATCHES_IN_SESSION

    def next(self, after: SearchPosition | None) -> Stretch:
        """The stretch that follows, or the first one."""
        below = self._newest + 1 if after is None else min(after.down_to, self._newest + 1)
        if below <= self._lowest:
            return Stretch(below=below, down_to=below, found=(), end=True)
        if self._is_to_be_read():
            return self._read(below)
        if not self._unindexed:
            return self._from_index(below, after)
        found: list[Found] = []
        part = Stretch(below=below, down_to=below, found=(), end=False, scanned=True)
        scanned = True
        while not part.end and not part.late and len(found) < self._most:
            top, hole = part.down_to, self._unindexed.at(part.down_to - 1)
            self._floor = max(self._lowest, self._unindexed.border(top))
            part = self._read(top, unindexed=True) if hole else self._from_index(top, after)
            found += part.found
            scanned = scanned and part.scanned
            if part.down_to > self._floor:
                break
        self._floor = self._lowest
        return evolve(part, below=below, found=found, scanned=scanned)

    def _from_index(self, below: int, after: SearchPosition | None) -> Stretch:
        if not self.parsed.open:
            return self._walk(below)
        tried = after is not None and not after.scanned and after.below > after.down_to
        return (None if tried else self._try_reading(below)) or self._ask_once(below)

    def again(self, position: SearchPosition) -> Stretch:
        """An earlier stretch once more, for the rest of what was found in it."""
        below, down_to = position.below, max(position.down_to, self._lowest)
        if position.scanned:
            found, _ = self._reader().read(below, down_to, lambda *_: self.deadline.passed() and False)
        elif self._unindexed:
            found = self._again_mixed(below, down_to)
        else:
            found = self._ask(down_to, below, self._most)
        end = down_to <= self._lowest
        return Stretch(below=below, down_to=down_to, found=found, end=end, scanned=position.scanned)

    def _again_mixed(self, below: int, down_to: int) -> list[Found]:
        found: list[Found] = []
        while below > down_to:
            floor = max(down_to, self._unindexed.border(below))
            if self._unindexed.at(below - 1):
                found += self._reader(indexed=False).read(below, floor, lambda *_: self.deadline.passed() and False)[0]
            else:
                found += self._ask(floor, below, 2 * self._most)
            below = floor
        return found

    def _is_to_be_read(self) -> bool:
        """Whether to read the messages is surely quicker than the index."""
        if self.query.session_id is not None:
            row = self.db.execute("SELECT last_seq FROM sessions WHERE id = ?", (self.query.session_id,)).fetchone()
            count = 0 if row is None else row[0]
            return count <= READ_ROWS and (bool(self.parsed.open) or self._newest - self._lowest > _SPARSE * count)
        # What a word that may go on leaves out, the index would have to gather first; a page is soon full without.
        return bool(self.parsed.open.excluded) and not self.parsed.open.wanted and self.deadline.at is not None

    def _reader(self, *, indexed: bool = True) -> MessageReader:
        return MessageReader(self.db, self.query, self.parsed, indexed=indexed and not self._unindexed)

    def _read(self, below: int, *, unindexed: bool = False) -> Stretch:
        """Read messages one by one, for a while longer where there is no other way."""
        limit = None if not unindexed or self.deadline.at is None else self.deadline.timer() + _READ_S

        def enough(count: int, _: int) -> bool:
            late = self.deadline.passed()
            if limit is not None:
                late = self.deadline.timer() > limit
            return late or count >= self._most

        found, at = self._reader(indexed=not unindexed).read(below, self._floor, enough)
        late = at > self._floor and len(found) < self._most
        return Stretch(below=below, down_to=at, found=found, end=at <= self._lowest, late=late, scanned=True)

    def _try_reading(self, below: int) -> Stretch | None:
        """For a word that may go on, and is a common one; None if it is so rare that the index is the better way."""
        start = self.deadline.timer()

        def enough(count: int, read: int) -> bool:
            self.deadline.passed()
            tired = self.deadline.at is not None and self.deadline.timer() - start > _TRY_S
            return count >= self._most or read >= TRIED_ROWS or tired

        found, at = self._reader().read(below, self._floor, enough)
        if at > self._floor and len(found) < ENOUGH:
            return None
        return Stretch(below=below, down_to=at, found=found, end=at <= self._lowest, scanned=True)

    def _walk(self, below: int) -> Stretch:
        """Take from the index, newest first, what matches, until there is enough of it or time is up."""
        found, at, late = [], self._floor, False
        with closing(self._matching(self._floor, below)) as rows:
            for number, (row_id, session_id) in enumerate(rows, start=1):
                if session_id is not None:
                    found.append((row_id, SessionId(session_id)))
                late = number % _LOOK_EVERY == 0 and self.deadline.passed()
                if late or len(found) == self._most:
                    at = row_id
                    break
        return Stretch(below=below, down_to=at, found=found, end=at <= self._lowest, late=late)

    def _ask_once(self, below: int) -> Stretch:
        """Ask the index in one go: what a word that may go on costs does not depend on the window."""
        found = self._ask(self._floor, below, self._most)
        at = found[-1][0] if len(found) == self._most else self._floor
        return Stretch(below=below, down_to=at, found=found, end=at <= self._lowest)

    def _ask(self, down_to: int, below: int, limit: int) -> list[Found]:
        self.deadline.passed()
        with closing(self._matching(down_to, below)) as rows:
            passing = ((row_id, SessionId(session_id)) for row_id, session_id in rows if session_id is not None)
            return list(islice(passing, limit))

    def _matching(self, down_to: int, below: int) -> sqlite3.Cursor:
        """The messages in which the words are, newest first: row id, and session, None where a filter says no.

        Row by row, as FTS5 looks for the next match whatever range it is given: a window costs as much as what lies
        behind it.
        """
        where, values = conditions(self.query)
        own = "1"
        if self.query.session_id is not None:  # by far cheaper than to look each row up to see whose it is
            own = f"+f.rowid IN (SELECT id FROM messages {BY_SESSION} WHERE session_id = ? AND id >= ? AND id < ?)"
            values = [self.query.session_id, down_to, below, *values]
        return self.db.execute(
            f"SELECT f.rowid, CASE WHEN {own} THEN (SELECT m.session_id FROM messages m "
            f"CROSS JOIN sessions s ON s.id = m.session_id WHERE m.id = f.rowid AND {where}) END "
            "FROM messages_fts f WHERE f.messages_fts MATCH ? AND f.rowid >= ? AND f.rowid < ? ORDER BY f.rowid DESC",
            (*values, self.parsed.expression, down_to, below),
        )

    def named(self, after: SearchPosition | None) -> NamedSessions:
        """Sessions that match by name; filters on messages leave them out."""
        self.deadline.passed()
        again = after is not None and after.names_down_to < after.names_below
        if after is None:
            below = self.db.execute("SELECT coalesce(max(num), 0) + 1 FROM sessions").fetchone()[0]
        else:
            below = after.names_below if again else after.names_down_to
        down_to = after.names_down_to if after is not None and again else 0
        if below <= 0 or on_messages(self.query):
            return NamedSessions(below=0, down_to=0, sessions=())
        where, values = conditions(self.query)
        if codec_of(self.db) is not None:
            rows = self._read_names(down_to, below, where, values)
        else:
            rows = self._ask_names(down_to, below, where, values)
        if len(rows) == NAMES:
            down_to = rows[-1][0]
        return NamedSessions(below=below, down_to=down_to, sessions=tuple((row[1], row[2]) for row in rows))

    def _ask_names(self, down_to: int, below: int, where: str, values: list[Any]) -> list[NamedRow]:
        return self.db.execute(
            "SELECT s.num, s.id, s.updated_at FROM sessions_fts f CROSS JOIN sessions s ON s.num = f.rowid "
            f"WHERE f.sessions_fts MATCH ? AND f.rowid >= ? AND f.rowid < ? AND {where} ORDER BY f.rowid DESC LIMIT ?",
            (self.parsed.expression, down_to, below, *values, NAMES),
        ).fetchall()

    def _read_names(self, down_to: int, below: int, where: str, values: list[Any]) -> list[NamedRow]:
        found: list[NamedRow] = []
        rows = self.db.execute(
            f"SELECT s.num, s.id, s.updated_at, {named_texts(self.db)} FROM sessions s "
            f"WHERE s.num >= ? AND s.num < ? AND {where} ORDER BY s.num DESC",
            (down_to, below, *values),
        )
        with closing(rows):
            for number, session_id, updated_at, *texts in rows:
                if self.deadline.stopped():
                    raise Stopped
                if is_named(self.parsed, *texts):
                    found.append((number, session_id, updated_at))
                    if len(found) == NAMES:
                        break
        return found
