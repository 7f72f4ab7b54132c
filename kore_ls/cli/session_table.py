"""Sessions as a table: one line each, safe to show."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from kore_ls.cli.caller import Json
from kore_ls.cli.safe_text import line

if TYPE_CHECKING:
    from rich.table import Table


_NARROW = 80


def session_table(sessions: Sequence[Json], ids: Sequence[str], width: int, first: str = "id") -> Table:
    """A row for each session; `ids` is what stands in the first column, under the heading `first`.

    In less than 80 columns the times and the tags are left out.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first, no_wrap=True, style="cyan")
    table.add_column("name", min_width=12)  # may wrap, as far as the table knows: so this and the tags give way
    table.add_column("mode", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("messages", justify="right", no_wrap=True)
    if width >= _NARROW:
        table.add_column("changed", no_wrap=True)
        table.add_column("tags")
    for label, session in zip(ids, sessions, strict=True):
        cells = [
            label,
            Text(line(session["name"]), no_wrap=True, overflow="ellipsis"),
            session["mode"],
            Text(state_of(session)),
            str(session["messageCount"]),
            local_time(session["updatedAt"]),
            Text(line(", ".join(session["tags"])), no_wrap=True, overflow="ellipsis"),
        ]
        table.add_row(*cells[: len(table.columns)])
    return table


def state_of(session: Json) -> str:
    """The session's status and what else sets it apart."""
    flags = [flag for flag in ("active", "pinned", "archived", "deleted", "imported") if session.get(flag)]
    return ", ".join([session["status"], *flags])


def local_time(milliseconds: int) -> str:
    """A time on the user's clock, to the minute."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000).strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):  # an imported time may lie beyond what calendars know
        return str(milliseconds)
