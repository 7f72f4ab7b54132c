"""Identifiers and time: their types, their form, and where new ones come from."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import NewType

SessionId = NewType("SessionId", str)
MessageId = NewType("MessageId", str)
TurnId = NewType("TurnId", str)

Clock = Callable[[], int]
"""Gives the current time in Unix milliseconds."""
IdSource = Callable[[], str]
"""Gives a new identifier."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


def is_id(value: str) -> bool:
    """Whether `value` has the form of an identifier; nothing else ever becomes part of a query or a file name."""
    return _ID.fullmatch(value) is not None


def new_id() -> str:
    """A new UUIDv7: ids made later sort later, also within one millisecond of one process."""
    import uuid_utils  # costs 20 ms, and reading a history needs no new id

    return str(uuid_utils.uuid7())


def now_ms() -> int:
    """The current Unix time in milliseconds."""
    return time.time_ns() // 1_000_000
