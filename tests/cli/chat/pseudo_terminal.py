"""A program in a terminal of its own: keys go in, what it draws comes out. Waits for texts, never for time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

LIMIT = 60.0
PASTE = "\x1b[200~{}\x1b[201~"
CTRL_C, CTRL_D, ENTER, ALT_ENTER, TAB = "\x03", "\x04", "\r", "\x1b\r", "\t"

_SEQUENCE = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07]*\x07|[@-Z\\-_=>])|\r")


class PseudoTerminal:
    """`drawn` is all output as it came; `expect` looks at it without its control sequences, from where it stopped."""

    def __init__(self, popen: subprocess.Popen[bytes], descriptor: int) -> None:
        self.popen = popen
        self._descriptor = descriptor
        self._bytes = b""
        self._seen = 0

    @property
    def drawn(self) -> str:
        """All output, control sequences included."""
        return self._bytes.decode("utf-8", "replace")

    @property
    def text(self) -> str:
        """All output without control sequences."""
        return _SEQUENCE.sub("", self.drawn)

    def press(self, keys: str) -> None:
        """Send keys."""
        os.write(self._descriptor, keys.encode())

    def expect(self, wanted: str) -> None:
        """Wait until `wanted` is drawn after what was waited for before."""
        limit = time.monotonic() + LIMIT
        while (place := self.text.find(wanted, self._seen)) < 0:
            assert self._more(limit), f"never drawn: {wanted!r}; but {self.text[self._seen :]!r}"
        self._seen = place + len(wanted)

    def _more(self, limit: float) -> bool:
        ready, _, _ = select.select([self._descriptor], [], [], max(0.0, limit - time.monotonic()))
        if not ready:
            return False
        try:
            data = os.read(self._descriptor, 1 << 16)
        except OSError:  # what Linux says when the program has left its terminal
            return False
        self._bytes += data
        return bool(data)

    def exit_code(self) -> int:
        """Wait for the program's end."""
        limit = time.monotonic() + LIMIT
        while self._more(limit):
            pass
        return self.popen.wait(LIMIT)


@contextlib.contextmanager
def terminal(
    command: Sequence[str], *, cwd: Path, columns: int = 100, lines: int = 40, **environment: str
) -> Iterator[PseudoTerminal]:
    """A program running in a terminal of this size; ended when the block is left."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    # without an answer to where its cursor is, prompt_toolkit would warn of a poor terminal
    env = {**os.environ, "TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1", **environment}

    def take_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    popen = subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=cwd,
        env=env,
        start_new_session=True,
        preexec_fn=take_terminal,
    )
    os.close(theirs)
    try:
        yield PseudoTerminal(popen, ours)
    finally:
        popen.kill()
        popen.wait(LIMIT)
        os.close(ours)
