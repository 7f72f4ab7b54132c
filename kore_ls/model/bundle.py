"""A whole session with its messages, on its way into a store."""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from kore_ls.model.message import Message
from kore_ls.model.session import SessionRecord


class OnConflict(Enum):
    """What an import does when a session's id is already stored."""

    ERROR = "error"
    COPY = "copy"
    SKIP = "skip"
    REPLACE = "replace"


@frozen(kw_only=True)
class SessionBundle:
    """A session and its messages in `seq` order, numbered from 1 without gaps."""

    record: SessionRecord
    messages: tuple[Message, ...]
