"""A program in a terminal of its own: keys go in, a screen comes out. Waits for what is seen, never for time."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pyte

LIMIT = 60.0
PASTE = "\x1b[200~{}\x1b[201~"
CTRL_C, CTRL_D, ENTER, ALT_ENTER, TAB, UP = "\x03", "\x04", "\r", "\x1b\r", "\t", "\x1b[A"


class PseudoTerminal:
    """`drawn` is all output as it came, `lines` what a user sees of it: the screen is high enough not to scroll."""

    def __init__(self, popen: subprocess.Popen[bytes], descriptor: int, columns: int, lines: int) -> None:
        self.popen = popen
        self.drawn = ""
        self._descriptor = descriptor
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.Stream(self._screen)

    @property
    def lines(self) -> list[str]:
        """The lines of the screen down to the last one that is not empty, without blanks at their ends."""
        shown = "\n".join(line.rstrip() for line in self._screen.display)
        return shown.rstrip("\n").split("\n")

    @property
    def text(self) -> str:
        """The lines of the screen as one text."""
        return "\n".join(self.lines)

    def press(self, keys: str) -> None:
        """Send keys."""
        os.write(self._descriptor, keys.encode())

    def wait(self, seen: Callable[[], bool]) -> None:
        """Wait until the screen is as wanted."""
        limit = time.monotonic() + LIMIT
        while not seen():
            assert self._more(limit), f"never seen; but:\n{self.text}"

    def expect(self, wanted: str) -> None:
        """Wait until `wanted` is on the screen."""
        self.wait(lambda: wanted in self.text)

    def _more(self, limit: float) -> bool:
        ready, _, _ = select.select([self._descriptor], [], [], max(0.0, limit - time.monotonic()))
        if not ready:
            return False
        try:
            data = os.read(self._descriptor, 1 << 16)
        except OSError:  # what Linux says when the program has left its terminal
            return False
        text = self._decoder.decode(data)
        self.drawn += text
        self._stream.feed(text)
        return bool(data)

    def exit_code(self) -> int:
        """Wait for the program's end."""
        limit = time.monotonic() + LIMIT
        while self._more(limit):
            pass
        return self.popen.wait(LIMIT)


@contextlib.contextmanager
def terminal(
    command: Sequence[str],
    *,
    cwd: Path,
    columns: int = 100,
    lines: int = 200,
    environment: Mapping[str, str] | None = None,
) -> Iterator[PseudoTerminal]:
    """A program running in a terminal of this size; ended when the block is left."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    # without an answer to where its cursor is, prompt_toolkit would warn of a poor terminal
    inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    env = {**inherited, "TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1", **(environment or {})}
    popen = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=cwd, env=env, start_new_session=True
    )
    os.close(theirs)
    try:
        yield PseudoTerminal(popen, ours, columns, lines)
    finally:
        popen.kill()
        popen.wait(LIMIT)
        os.close(ours)
