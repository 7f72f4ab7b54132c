"""Bytes in, frames out: the `Name: value` header block and the body of the base protocol, found incrementally.

Never parses a body, never answers; what can't be framed is reported and the stream is searched for the next header.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from attrs import frozen

from kore_ls.model.limits import WIRE_BYTES

HEADER_BYTES = 8 << 10
HEAD_BYTES = 4 << 10

_USUAL = re.compile(rb"content-length:[ \t]*(\d{1,10})[ \t]*\r\n\r\n", re.IGNORECASE)
_LINE = re.compile(rb"([!#-'*+.^-`|~\w-]+):([^\0\r\n]*)", re.ASCII)
_BEGUN = re.compile(rb"[!#-'*+.^-`|~\w-]*(?:(?<!^):[^\0\r\n]*)?\r?", re.ASCII)
_LENGTH = re.compile(rb"[ \t]*(\d{1,10})[ \t]*")
_SEEK = re.compile(rb"content-length:", re.IGNORECASE)
_SEEK_BYTES = len(b"content-length:")
_BLANK = b"\r\n"


@frozen
class Oversize:
    """A body beyond the limit, which is being skipped: its announced length in bytes and its first bytes."""

    length: int
    head: bytes


@frozen
class Broken:
    """A header block that is none; reported once for each stretch of the stream that could not be framed."""


Frame: TypeAlias = bytearray | Oversize | Broken


class Framer:
    """Splits a stream into frames; holds at most one body of `limit` bytes and one header block. Copies a body once."""

    def __init__(self, limit: int = WIRE_BYTES) -> None:
        self.limit = limit
        self._buffer = bytearray()
        self._length = -1
        self._oversize = 0
        self._skip = 0
        self._lost = False

    def feed(self, data: bytes) -> list[Frame]:
        """Take the next bytes of the stream; the frames they complete, in order."""
        frames: list[Frame] = []
        self._buffer += data
        start = 0
        while (end := self._step(start, frames)) is not None:
            start = end
        if start:
            del self._buffer[:start]
        return frames

    def _step(self, start: int, frames: list[Frame]) -> int | None:
        """Consume what begins at `start`; where the next thing begins, or None for want of bytes."""
        if self._length >= 0:
            end = start + self._length
            if len(self._buffer) < end:
                return None
            frames.append(self._buffer[start:end])
            self._length = -1
            return end
        if self._oversize or self._skip:
            return self._pass_over(start, frames)
        if self._lost:
            return self._find_header(start)
        return self._read_header(start, frames)

    def _pass_over(self, start: int, frames: list[Frame]) -> int | None:
        here = len(self._buffer) - start
        if self._oversize:
            head = min(HEAD_BYTES, self._oversize)
            if here < head:
                return None
            frames.append(Oversize(self._oversize, bytes(self._buffer[start : start + head])))
            self._oversize, self._skip = 0, self._oversize - head
            return start + head
        passed = min(self._skip, here)
        self._skip -= passed
        return start + passed if passed else None

    def _read_header(self, start: int, frames: list[Frame]) -> int | None:
        usual = _USUAL.match(self._buffer, start)
        if usual is not None:
            self._expect(int(usual[1]))
            return usual.end()
        if start == len(self._buffer):
            return None
        if self._buffer[start] in _BLANK:
            return start + 1
        block = self._block(start)
        if block is None:
            return None
        length, end = block
        if length is None:
            frames.append(Broken())
            self._lost = True
            return start
        self._expect(length)
        return end

    def _find_header(self, start: int) -> int | None:
        """Search for the next header block that is whole and right, silently passing over all else."""
        found = _SEEK.search(self._buffer, start)
        if found is None:
            kept = max(start, len(self._buffer) - _SEEK_BYTES + 1)
            return kept if kept > start else None
        block = self._block(found.start())
        if block is None:
            return found.start() if found.start() > start else None
        length, end = block
        if length is None:
            return found.start() + 1
        self._lost = False
        self._expect(length)
        return end

    def _expect(self, length: int) -> None:
        if length > self.limit:
            self._oversize = length
        else:
            self._length = length

    def _block(self, start: int) -> tuple[int | None, int] | None:
        """The header block at `start`: (body length or None if broken, its end), or None while it is incomplete."""
        end = self._buffer.find(b"\r\n\r\n", start, start + HEADER_BYTES)
        if end >= 0:
            return _body_length(bytes(self._buffer[start:end])), end + 4
        begun = bytes(self._buffer[start : start + HEADER_BYTES])
        *lines, last = begun.split(b"\r\n")
        hopeful = len(begun) < HEADER_BYTES and all(map(_LINE.fullmatch, lines)) and _BEGUN.fullmatch(last)
        return None if hopeful else (None, start)


def _body_length(block: bytes) -> int | None:
    """What the lines of a header block say about the body's length; None if they are none or contradict each other."""
    lengths = set()
    for line in block.split(b"\r\n"):
        parts = _LINE.fullmatch(line)
        if parts is None:
            return None
        if parts[1].lower() == b"content-length":
            length = _LENGTH.fullmatch(parts[2])
            lengths.add(int(length[1]) if length else None)
    return lengths.pop() if len(lengths) == 1 else None
