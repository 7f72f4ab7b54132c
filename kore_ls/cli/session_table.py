"""Sessions as a table: one line each, safe to show."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from kore_ls.cli.caller import Json
from kore_ls.cli.safe_text import line

if TYPE_CHECKING:
    from rich.table import Table


def session_table(sessions: Sequence[Json], ids: Sequence[str], first: str = "id") -> Table:
    """A row for each session; `ids` is what stands in the first column, under the heading `first`."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first, no_wrap=True, style="cyan")
    table.add_column("name", overflow="ellipsis", no_wrap=True, min_width=12, ratio=None)
    table.add_column("mode", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("messages", justify="right", no_wrap=True)
    table.add_column("changed", no_wrap=True)
    table.add_column("tags", overflow="ellipsis", no_wrap=True)
    for label, session in zip(ids, sessions, strict=True):
        table.add_row(
            label,
            Text(line(session["name"])),
            session["mode"],
            Text(state_of(session)),
            str(session["messageCount"]),
            local_time(session["updatedAt"]),
            Text(line(", ".join(session["tags"]))),
        )
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
