"""Messages from a pipe or a file: each line is one, as it stands."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading

from kore_ls.cli.failures import CommandFailed

_CHUNK = 1 << 16


class PipedInput:
    """Reads standard input line by line; see `Input`. It waits in a thread that does not keep the process alive."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue(maxsize=4)
        self._lines: list[bytes] = []
        self._rest = b""
        self._ended = False
        threading.Thread(target=self._fetch, daemon=True).start()

    def _fetch(self) -> None:
        descriptor = sys.stdin.fileno()
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody reads any more
            while True:
                try:
                    chunk = os.read(descriptor, _CHUNK)
                except OSError:
                    chunk = b""
                asyncio.run_coroutine_threadsafe(self._chunks.put(chunk), self._loop).result()
                if not chunk:
                    return

    async def read(self) -> str | None:
        """The next line without its end; None after the last one. Raises CommandFailed for one that is not UTF-8."""
        while not self._lines:
            if self._ended:
                return None
            await self._more()
        data = self._lines.pop()
        try:
            return data.removesuffix(b"\r").decode()
        except UnicodeDecodeError:
            raise CommandFailed("a line of the input is not UTF-8; it was left out") from None

    async def _more(self) -> None:
        pieces = [self._rest]
        while chunk := await self._chunks.get():
            pieces.append(chunk)
            if b"\n" in chunk:
                break
        else:
            self._ended = True
        *lines, rest = b"".join(pieces).split(b"\n")
        if self._ended and rest:
            lines, rest = [*lines, rest], b""
        self._lines, self._rest = lines[::-1], rest
