"""A server process and the least client that can talk to it: bytes made before the clock starts, replies read whole."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

ROOT = Path(__file__).resolve().parents[2]
KORE = (sys.executable, "-m", "kore_ls", "--stdio")
BARE_PYGLS = (sys.executable, str(Path(__file__).with_name("bare_pygls.py")))
_CHUNK = 1 << 20


def request(id_: int, method: str, params: object) -> bytes:
    """A request as it goes over the wire."""
    return _frame({"jsonrpc": "2.0", "id": id_, "method": method, "params": params})


def notification(method: str, params: object) -> bytes:
    """A notification as it goes over the wire."""
    return _frame({"jsonrpc": "2.0", "method": method, "params": params})


def _frame(message: Mapping[str, object]) -> bytes:
    body = json.dumps(message, ensure_ascii=False).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


class Client:
    """A server that was just started. `state` is where it keeps what belongs to its user."""

    def __init__(self, command: Sequence[str], state: Path) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "XDG_STATE_HOME": str(state)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._input, self._output = self._process.stdin.fileno(), self._process.stdout.fileno()
        self._buffer = bytearray()
        self._ids = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.exchange(request(self.new_id(), "shutdown", None))
            self.send(notification("exit", None))
        else:
            self._process.kill()
        self._process.wait(30)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def new_id(self) -> int:
        """An id that was not used yet."""
        self._ids += 1
        return self._ids

    def send(self, data: bytes) -> None:
        """Write all of it; for what fits into a pipe."""
        while data:
            data = data[os.write(self._input, data) :]

    def exchange(self, data: bytes) -> bytes:
        """Send one request and wait for the next message; its body."""
        self.send(data)
        while (body := self._take()) is None:
            self._receive()
        return body

    def ask(self, method: str, params: object) -> Any:
        """The reply to a request, result or error; what is sent without being asked for is passed over."""
        id_ = self.new_id()
        message = json.loads(self.exchange(request(id_, method, params)))
        while message.get("id") != id_:
            while (body := self._take()) is None:
                self._receive()
            message = json.loads(body)
        return message

    def call(self, method: str, params: object) -> Any:
        """The result of a request."""
        reply = self.ask(method, params)
        assert "error" not in reply, reply
        return reply["result"]

    def initialize(self, folder: Path | None = None) -> None:
        """Say hello, without `initialized`."""
        uri = None if folder is None else folder.as_uri()
        self.call("initialize", {"processId": os.getpid(), "rootUri": uri, "capabilities": {}})

    def pipeline(self, requests: Sequence[bytes]) -> list[bytes]:
        """Send all without waiting; the bodies of as many replies."""
        unsent = memoryview(b"".join(requests))
        replies: list[bytes] = []
        os.set_blocking(self._input, False)
        with selectors.DefaultSelector() as selector:
            selector.register(self._output, selectors.EVENT_READ)
            selector.register(self._input, selectors.EVENT_WRITE)
            while len(replies) < len(requests):
                for key, _ in selector.select():
                    if key.fd == self._output:
                        self._receive()
                    else:
                        unsent = unsent[os.write(self._input, unsent) :]
                        if not unsent:
                            selector.unregister(self._input)
                while (body := self._take()) is not None:
                    replies.append(body)
        os.set_blocking(self._input, True)
        return replies

    def resident_megabytes(self) -> float:
        """How much memory the server has in use, in units of a million bytes."""
        return float(psutil.Process(self._process.pid).memory_info().rss) / 1e6

    def _receive(self) -> None:
        data = os.read(self._output, _CHUNK)
        if not data:
            raise EOFError("the server has ended")
        self._buffer += data

    def _take(self) -> bytes | None:
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0:
            return None
        lengths = (line for line in self._buffer[:head].split(b"\r\n") if line.lower().startswith(b"content-length:"))
        end = head + 4 + int(next(lengths).partition(b":")[2])
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[head + 4 : end])
        del self._buffer[:end]
        return body
