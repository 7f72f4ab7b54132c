"""A server as a real process, seen from the other side of the wire: raw bytes or messages, replies, exit codes.

Everything waits for the event it names, with a time limit; every process is ended when its `with` block is left.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

Message = dict[str, Any]

LIMIT = 60.0
"""Seconds; long, because it only matters where a test fails."""
ABSENT: Any = object()
ROOT = Path(__file__).resolve().parents[2]
WIRE_SERVER = (sys.executable, "-m", "tests.e2e.wire_server")


def frame(message: object) -> bytes:
    """A message as it goes over the wire; bytes are taken as its body."""
    body = message if isinstance(message, bytes) else json.dumps(message, ensure_ascii=False).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


class Wire:
    """One client's view: what was received, in order, and what can be sent."""

    def __init__(self, receive: Callable[[], bytes], send: Callable[[bytes], object]) -> None:
        self._receive = receive
        self._send = send
        self._count = 0
        self._changed = threading.Condition()
        self.received: list[Message] = []
        self.ended = False

    def read(self) -> None:
        """Start to receive, in a thread."""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        buffer = bytearray()
        with contextlib.suppress(OSError, ValueError):
            while data := self._receive():
                buffer += data
                while (message := _take(buffer)) is not None:
                    with self._changed:
                        self.received.append(message)
                        self._changed.notify_all()
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._send(data)

    def send(self, *messages: object) -> None:
        """Send messages in one write; bytes count as the body of one."""
        self._send(b"".join(map(frame, messages)))

    def call(self, method: str, params: Any = ABSENT, id_: Any = None) -> Message:
        """A request message; ids count up from 1."""
        self._count += 1
        message = {"jsonrpc": "2.0", "id": self._count if id_ is None else id_, "method": method}
        return message if params is ABSENT else message | {"params": params}

    def note(self, method: str, params: Any = ABSENT) -> Message:
        """A notification message."""
        message = {"jsonrpc": "2.0", "method": method}
        return message if params is ABSENT else message | {"params": params}

    def request(self, method: str, params: Any = ABSENT) -> Message:
        """Send a request and wait for its reply, result or error."""
        message = self.call(method, params)
        self.send(message)
        return self.reply(message["id"])

    def notify(self, method: str, params: Any = ABSENT) -> None:
        """Send a notification."""
        self.send(self.note(method, params))

    def answer(self, request: Message, result: Any = None) -> None:
        """Answer a request of the server."""
        self.send({"jsonrpc": "2.0", "id": request["id"], "result": result})

    def initialize(self, **params: Any) -> Message:
        """Say hello, `initialized` included; the reply to `initialize`."""
        reply = self.request("initialize", {"processId": os.getpid(), "rootUri": None, "capabilities": {}} | params)
        self.notify("initialized", {})
        return reply

    def reply(self, id_: Any) -> Message:
        """Wait for the reply with this id."""
        return self.wait(lambda message: "method" not in message and message.get("id") == id_)

    def event(self, method: str) -> Message:
        """Wait for a notification or a request of the server with this method."""
        return self.wait(lambda message: message.get("method") == method)

    def wait(self, wanted: Callable[[Message], bool]) -> Message:
        """The first message received that is wanted, now or in time; it is taken from `received`."""
        limit = time.monotonic() + LIMIT
        with self._changed:
            while True:
                for index, message in enumerate(self.received):
                    if wanted(message):
                        return self.received.pop(index)
                assert not self.ended, f"the stream ended; received: {self.received}"
                assert self._changed.wait(limit - time.monotonic()), f"nothing came; received: {self.received}"

    def end(self) -> list[Message]:
        """Wait for the end of the stream; what was received and not taken."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.ended, LIMIT), "the stream did not end"
            return self.received


def _take(buffer: bytearray) -> Message | None:
    head, separator, _ = bytes(buffer[:200]).partition(b"\r\n\r\n")
    if not separator:
        return None
    assert head.startswith(b"Content-Length: "), f"not a header: {head!r}"
    start = len(head) + len(separator)
    end = start + int(head.removeprefix(b"Content-Length: "))
    if len(buffer) < end:
        return None
    message: Message = json.loads(bytes(buffer[start:end]))
    del buffer[:end]
    return message


class Process(Wire):
    """A server process with its standard streams; `log` is what it wrote to standard error."""

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        assert popen.stdin is not None and popen.stdout is not None and popen.stderr is not None
        self.popen = popen
        self.pid = popen.pid
        self._input = popen.stdin
        output = popen.stdout.fileno()
        super().__init__(lambda: os.read(output, 1 << 18), self._write)
        self._lines: list[str] = []
        self._logged = threading.Condition()
        self._logger = threading.Thread(target=self._log, args=(popen.stderr,), daemon=True)
        self._logger.start()

    def _write(self, data: bytes) -> None:
        self._input.write(data)
        self._input.flush()

    def _log(self, stream: IO[bytes]) -> None:
        for line in stream:
            with self._logged:
                self._lines.append(line.decode("utf-8", "replace").rstrip())
                self._logged.notify_all()

    def logged(self, part: str) -> str:
        """Wait for a line on standard error that contains `part`; the first one."""

        def found() -> str | None:
            return next((line for line in self._lines if part in line), None)

        with self._logged:
            assert self._logged.wait_for(found, LIMIT), f"never logged: {part!r}; but {self._lines}"
            return found() or ""

    def log(self) -> list[str]:
        """All of standard error, once the process has ended."""
        self._logger.join(LIMIT)
        return self._lines

    def stuff(self, data: bytes, most: int) -> tuple[int, bytes]:
        """Send `data` again and again, until the server takes no more for a while or it was sent `most` times.

        How often it was sent whole, and the rest of the one that was not.
        """
        descriptor, sent, rest = self._input.fileno(), 0, b""
        os.set_blocking(descriptor, False)
        while sent < most and select.select([], [descriptor], [], 1)[1]:
            rest = rest or data
            rest = rest[os.write(descriptor, rest) :]
            sent += not rest
        os.set_blocking(descriptor, True)
        return sent, rest

    def close_input(self) -> None:
        """End the server's input."""
        self._input.close()

    def exit_code(self) -> int:
        """Wait for the end of the process."""
        return self.popen.wait(LIMIT)

    def stop(self) -> None:
        """End the process if it still runs, and close everything."""
        self.popen.kill()
        self.popen.wait(LIMIT)
        self._logger.join(LIMIT)
        for stream in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]


@contextlib.contextmanager
def process(
    command: Sequence[str] = (*WIRE_SERVER, "--stdio"), *, env: Mapping[str, str] | None = None, reading: bool = True
) -> Iterator[Process]:
    """A server process that talks over its standard streams; `reading=False` never reads what it says."""
    popen = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    server = Process(popen)
    if reading:
        server.read()
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def tcp_client(address: tuple[str, int], *, reading: bool = True) -> Iterator[Wire]:
    """A client of a TCP server."""
    with socket.create_connection(address, LIMIT) as connection:
        connection.settimeout(None)
        wire = Wire(lambda: connection.recv(1 << 18), connection.sendall)
        if reading:
            wire.read()
        try:
            yield wire
        finally:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
