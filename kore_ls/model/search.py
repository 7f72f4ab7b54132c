"""A full-text search and what it finds."""

from __future__ import annotations

from attrs import frozen

from kore_ls.model.ids import MessageId, SessionId
from kore_ls.model.message import Role
from kore_ls.model.mode import AgentMode
from kore_ls.model.session import SessionRecord, SessionStatus

Range = tuple[int, int]
"""Start and end in UTF-16 units, the end not included."""


@frozen(kw_only=True)
class SearchPosition:
    """How far a search has come. It goes back in time by stretches of the history.

    Of what was found in the messages from row `below` (not included) down to `down_to` (included), and in the names of
    the sessions from number `names_below` down to `names_down_to`, `shown` entries were given out. Where both are
    empty, the next stretch begins there. `scanned`: the messages were read one by one instead of asking the index.
    `now`: the time from which age is counted, Unix milliseconds; the same on all pages, so that the order is.
    """

    below: int
    down_to: int
    names_below: int
    names_down_to: int
    shown: int
    scanned: bool
    now: int


@frozen(kw_only=True)
class SearchQuery:
    """What to look for; `text` is as the user typed it, every filter given must match.

    `budget` is how many seconds a page may take (None: any). `since` and `until` are Unix milliseconds, included.
    """

    text: str
    session_id: SessionId | None = None
    roles: tuple[Role, ...] = ()
    modes: tuple[AgentMode, ...] = ()
    statuses: tuple[SessionStatus, ...] = ()
    tags: tuple[str, ...] = ()
    archived: bool | None = None
    since: int | None = None
    until: int | None = None
    limit: int = 20
    after: SearchPosition | None = None
    budget: float | None = 0.04


@frozen(kw_only=True)
class SearchMatch:
    """One message that matches: a stretch of its text, and where in that stretch the words stand."""

    message_id: MessageId
    seq: int
    role: Role
    timestamp: int
    snippet: str
    ranges: tuple[Range, ...]


@frozen(kw_only=True)
class SearchHit:
    """One session with its best messages; `name_ranges` where its name matches."""

    session: SessionRecord
    score: float
    matches: tuple[SearchMatch, ...]
    name_ranges: tuple[Range, ...] | None = None


@frozen(kw_only=True)
class SearchPage:
    """Hits, best first; `position` is where to go on (None: that was all).

    `truncated`: time ran out, and going on finds the rest; or not all messages are indexed yet.
    """

    hits: tuple[SearchHit, ...] = ()
    truncated: bool = False
    position: SearchPosition | None = None
    start: SearchPosition | None = None
    """Where this page began, for who gives out only some of its hits."""
    damaged: tuple[SessionId, ...] = ()
    """Sessions in which something was found whose own row can't be read; they are left out."""
