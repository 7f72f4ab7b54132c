"""How much each measurement does."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class Scale:
    """The counts of one run; the defaults give steady medians on two cores in about a minute."""

    rounds: int = 20
    """How often what is compared takes turns."""
    calls: int = 100
    """Requests, or commits, in a row within a round."""
    pipelined: int = 1_000
    """Requests sent without waiting, in each round."""
    starts: int = 12
    """Processes of each kind."""
    sessions: int = 100_000
    """Sessions in the store that is listed."""
    history: int = 10_000
    """Messages of the session that is paged, exported and imported."""
    beside: int = 0
    """Messages that other sessions of the same store hold."""
    pages: int = 100
    """Pages read of each kind."""
    transfers: int = 5
    """Exports and imports."""
    brought: int = 200
    """Conversations of another tool, of 50 messages each."""
    searched: tuple[int, ...] = (10_000,)
    """Messages of each store that is searched."""
    encrypted: int = 100_000
    """Messages of the encrypted store that is searched."""
    searches: int = 10
    """How often each query is asked."""


NORMAL = Scale()
QUICK = Scale(
    rounds=2,
    calls=5,
    pipelined=20,
    starts=1,
    sessions=200,
    history=200,
    pages=3,
    transfers=1,
    brought=4,
    searched=(200,),
    encrypted=200,
    searches=1,
)
"""Every row once, as fast as can be; shows nothing of speed."""
LARGE = Scale(beside=990_000, brought=10_000, searched=(10_000, 100_000, 1_000_000))
"""A million messages in the store."""
