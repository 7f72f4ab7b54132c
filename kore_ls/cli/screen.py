"""Where commands print: results on standard output, all else on standard error; colours only where they are wanted."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, TextIO

from kore_ls.cli.safe_text import json_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_WIDE = 400


class Screen:
    """Standard output and standard error. Whoever calls it has made foreign text safe."""

    def __init__(self) -> None:
        self._out = _console(sys.stdout)
        self._err = _console(sys.stderr)
        self.is_terminal = self._out.is_terminal

    @property
    def width(self) -> int:
        """The columns of standard output."""
        return self._out.width

    def show(self, text: str | Text = "") -> None:
        """Print a result as it is, however long its lines."""
        self._out.print(text, soft_wrap=True)

    def table(self, table: Table) -> None:
        """Print a table, as wide as the terminal allows."""
        self._out.print(table)

    def json(self, value: Any) -> None:
        """Print a result for programs."""
        self._write(json_text(value))

    def raw(self, text: str) -> None:
        """Print a piece of a result, adding nothing."""
        self._write(text)

    def _write(self, text: str) -> None:
        self._out.file.write(text)
        self._out.file.flush()

    def note(self, text: str) -> None:
        """Say something that is not the result."""
        self._err.print(text, style="dim", soft_wrap=True)

    def fail(self, text: str) -> None:
        """Say what went wrong; what follows the first line is advice."""
        from rich.text import Text

        what, _, advice = text.partition("\n")
        self._err.print(Text.assemble(("kore-ls: ", "red"), what), soft_wrap=True)
        if advice:
            self._err.print(Text(advice, "dim"), soft_wrap=True)


def _console(stream: TextIO) -> Console:
    from rich.console import Console

    plain = bool(os.environ.get("NO_COLOR")) or not stream.isatty()
    console = Console(file=stream, color_system=None if plain else "auto", highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDE  # a pipe has no width: nothing is cut or wrapped
    return console


def settle_streams() -> None:
    """Let nothing that is printed fail for want of a character in the terminal's encoding."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
