"""Documents that are open in editors, and what becomes of an edit. Pure values."""

from __future__ import annotations

from enum import Enum

from attrs import frozen


@frozen(kw_only=True)
class Document:
    """A document that is open in an editor. `dirty`: it has changes that are not on disk."""

    text: str
    version: int
    dirty: bool


class EditResult(Enum):
    """What became of an edit. `UNAVAILABLE`: no editor can do it, so the caller writes the file itself."""

    APPLIED = "applied"
    REFUSED = "refused"
    STALE = "stale"
    UNAVAILABLE = "unavailable"
