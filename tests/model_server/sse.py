"""Server-sent events as bytes, and marks for where a reply holds and where it may be cut."""

from __future__ import annotations

import json
from typing import Any


class Mark(bytes):
    """No bytes to send, but a place in a stream; told from others by its identity."""


FIRST = Mark()
LAST = Mark()


def event(data: Any, name: str | None = None) -> bytes:
    """One event."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {text}\n\n".encode()
