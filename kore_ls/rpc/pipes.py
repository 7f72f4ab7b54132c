"""Standard input and output as a channel: asyncio pipes where the system has them, threads where it has not."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Protocol

from kore_ls.rpc.outbox import PAUSE_BYTES

_CHUNK = 1 << 18


class Sink(Protocol):
    """Who takes the input, as `Connection` does."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""

    def pause_writing(self) -> None:
        """Much output is unsent."""

    def resume_writing(self) -> None:
        """Most of it is sent."""


class Output(Protocol):
    """The writing half of a channel."""

    def write(self, data: bytes) -> None:
        """Send or keep."""

    def get_write_buffer_size(self) -> int:
        """Bytes kept."""

    def close(self) -> None:
        """Send what is kept, then end."""

    def abort(self) -> None:
        """End at once."""


class Input(Protocol):
    """The reading half of a channel."""

    def pause_reading(self) -> None:
        """Read nothing until resumed."""

    def resume_reading(self) -> None:
        """Read again."""

    def close(self) -> None:
        """Read no more."""


class PipeChannel:
    """Two descriptors as one channel. `ended` hears of the end of the input and of an output that is closed."""

    def __init__(self, ended: Callable[[str], None]) -> None:
        self._ended = ended
        self._input: Input | None = None
        self._output: Output | None = None
        self._sink: Sink | None = None
        self.flushed = asyncio.Event()

    async def open_output(self, descriptor: int, *, threads: bool) -> None:
        """Write to this descriptor from now on."""
        if threads:
            self._output = ThreadOutput(descriptor, self)
            return
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_write_pipe(lambda: _OutputProtocol(self), os.fdopen(descriptor, "wb", 0))
        transport.set_write_buffer_limits(high=PAUSE_BYTES)
        self._output = transport

    async def open_input(self, descriptor: int, sink: Sink, *, threads: bool) -> None:
        """Feed what comes from this descriptor to the sink."""
        self._sink = sink
        if threads:
            self._input = ThreadInput(descriptor, sink, self._ended)
            return
        loop = asyncio.get_running_loop()
        pipe = os.fdopen(descriptor, "rb", 0)
        self._input, _ = await loop.connect_read_pipe(lambda: _InputProtocol(sink, self._ended), pipe)

    def write(self, data: bytes) -> None:
        """See `Channel`."""
        if self._output is not None and not self.flushed.is_set():
            self._output.write(data)

    def get_write_buffer_size(self) -> int:
        """See `Channel`."""
        return self._output.get_write_buffer_size() if self._output is not None else 0

    def pause_reading(self) -> None:
        """See `Channel`."""
        if self._input is not None:
            self._input.pause_reading()

    def resume_reading(self) -> None:
        """See `Channel`."""
        if self._input is not None:
            self._input.resume_reading()

    def abort(self) -> None:
        """See `Channel`."""
        if self._input is not None:
            self._input.close()
        if self._output is not None:
            self._output.abort()
        self._ended("aborted")

    async def close(self) -> None:
        """Read no more; return when everything is sent or the reader is gone."""
        if self._input is not None:
            self._input.close()
        if self._output is not None:
            self._output.close()
            await self.flushed.wait()

    def pause_writing(self) -> None:
        """The output is full."""
        if self._sink is not None:
            self._sink.pause_writing()

    def resume_writing(self) -> None:
        """The output has room again."""
        if self._sink is not None:
            self._sink.resume_writing()

    def output_closed(self) -> None:
        """Everything is sent, or can't be."""
        self.flushed.set()
        self._ended("output closed")


class _OutputProtocol(asyncio.BaseProtocol):
    def __init__(self, channel: PipeChannel) -> None:
        self._channel = channel

    def pause_writing(self) -> None:
        self._channel.pause_writing()

    def resume_writing(self) -> None:
        self._channel.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._channel.output_closed()


class _InputProtocol(asyncio.Protocol):
    def __init__(self, sink: Sink, ended: Callable[[str], None]) -> None:
        self._sink = sink
        self._ended = ended

    def data_received(self, data: bytes) -> None:
        self._sink.feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended("end of input")


class ThreadInput:
    """Reads a descriptor in a thread: regular files, terminals, Windows. One chunk at a time is on its way."""

    def __init__(self, descriptor: int, sink: Sink, ended: Callable[[str], None]) -> None:
        self._descriptor = descriptor
        self._sink = sink
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._taken = threading.Event()
        self._paused = self._closed = False
        threading.Thread(target=self._read, name="kore-ls input", daemon=True).start()

    def _read(self) -> None:
        try:
            while not self._closed and (data := os.read(self._descriptor, _CHUNK)):
                self._taken.clear()
                self._loop.call_soon_threadsafe(self._take, data)
                self._taken.wait()
            self._loop.call_soon_threadsafe(self._ended, "end of input")
        except OSError:
            self._loop.call_soon_threadsafe(self._ended, "end of input")
        except RuntimeError:
            return  # the loop is closed: nobody reads any more

    def _take(self, data: bytes) -> None:
        if not self._closed:
            self._sink.feed(data)
        if not self._paused:
            self._taken.set()

    def pause_reading(self) -> None:
        """See `Input`."""
        self._paused = True

    def resume_reading(self) -> None:
        """See `Input`."""
        self._paused = False
        self._taken.set()

    def close(self) -> None:
        """See `Input`; a read that is blocked stays so, in a daemon thread."""
        self._closed = True
        self._taken.set()


class ThreadOutput:
    """Writes a descriptor in a thread."""

    def __init__(self, descriptor: int, channel: PipeChannel) -> None:
        self._descriptor = descriptor
        self._channel = channel
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        self._unsent = 0
        self._paused = False
        threading.Thread(target=self._run, name="kore-ls output", daemon=True).start()

    def _run(self) -> None:
        try:
            while (data := self._queue.get()) is not None:
                view = memoryview(data)
                while view:
                    view = view[os.write(self._descriptor, view) :]
                self._loop.call_soon_threadsafe(self._sent, len(data))
        except (OSError, RuntimeError):
            pass  # the reader or the loop is gone
        try:
            self._loop.call_soon_threadsafe(self._channel.output_closed)
        except RuntimeError:
            return

    def _sent(self, count: int) -> None:
        self._unsent -= count
        if self._paused and self._unsent <= PAUSE_BYTES // 4:
            self._paused = False
            self._channel.resume_writing()

    def write(self, data: bytes) -> None:
        """See `Output`."""
        self._unsent += len(data)
        self._queue.put(data)
        if not self._paused and self._unsent > PAUSE_BYTES:
            self._paused = True
            self._channel.pause_writing()

    def get_write_buffer_size(self) -> int:
        """See `Output`."""
        return self._unsent

    def close(self) -> None:
        """See `Output`."""
        self._queue.put(None)

    def abort(self) -> None:
        """See `Output`; what is being written at this moment can't be taken back."""
        self._channel.output_closed()


def needs_threads(incoming: int, outgoing: int) -> tuple[bool, bool]:
    """Whether asyncio can't serve these descriptors, as (input, output): only pipes and sockets can be waited for.

    One socket that is both needs threads, too: asyncio would take input on its writing side for the end of the reader.
    """
    if sys.platform == "win32":
        return True, True
    first, second = os.fstat(incoming), os.fstat(outgoing)
    if stat.S_ISSOCK(first.st_mode) and os.path.samestat(first, second):
        return True, True
    return not _waitable(first.st_mode), not _waitable(second.st_mode)


def _waitable(mode: int) -> bool:
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
