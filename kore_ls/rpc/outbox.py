"""What a connection sends: frames in order, few system calls, and an end to clients that never read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

PAUSE_BYTES = 8 << 20
"""Unsent output beyond this stops the reading of input, until most of it is gone."""
CAP_BYTES = 128 << 20
"""Unsent output beyond this ends the connection."""


class Channel(Protocol):
    """The part of an asyncio transport that a connection needs."""

    def write(self, data: bytes) -> None:
        """Send or keep for sending; never blocks, never raises."""

    def get_write_buffer_size(self) -> int:
        """Bytes kept and not yet sent."""

    def pause_reading(self) -> None:
        """Feed the connection no further input."""

    def resume_reading(self) -> None:
        """Feed the connection again."""

    def abort(self) -> None:
        """End at once; what is unsent is lost."""


class Outbox:
    """Puts bodies into frames. While `busy` says that more will follow, one turn of the event loop is one write."""

    def __init__(self, channel: Channel, busy: Callable[[], bool], *, cap: int = CAP_BYTES) -> None:
        self._channel = channel
        self._busy = busy
        self._cap = cap
        self._waiting: list[bytes] = []
        self._flushing: asyncio.Handle | None = None
        self._open = True

    def send(self, body: bytes) -> None:
        """Send one body, after all that were sent before."""
        if not self._open:
            return
        self._waiting.append(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        if not self._busy():
            self.flush()
        elif self._flushing is None:
            self._flushing = asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        """Hand everything to the channel."""
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        if not self._waiting:
            return
        data = self._waiting[0] if len(self._waiting) == 1 else b"".join(self._waiting)
        self._waiting.clear()
        self._channel.write(data)
        if self._channel.get_write_buffer_size() > self._cap:
            self.close()
            self._channel.abort()

    def close(self) -> None:
        """Send nothing more; what was not flushed is dropped."""
        self._open = False
        self._waiting.clear()
