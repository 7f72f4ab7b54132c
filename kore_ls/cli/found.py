"""Search hits as text: sessions, and of each the stretches that match, with the words marked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kore_ls.cli.caller import Json
from kore_ls.cli.safe_text import line
from kore_ls.cli.session_table import local_time

if TYPE_CHECKING:
    from rich.text import Text

_MARK = "bold yellow"


def hit_text(hit: Json, label: str) -> Text:
    """One session: its name and `label`, then a line for each message that matches."""
    from rich.text import Text

    session = hit["session"]
    text = Text().append_text(marked(session["name"], hit.get("nameRanges", ()), "bold"))
    text.append(f"  {label} · {session['messageCount']} messages · {local_time(session['updatedAt'])}\n", "dim")
    for match in hit["matches"]:
        text.append_text(Text(f"  #{match['seq']} {match['role']} ", "dim"))
        text.append_text(marked(match["snippet"], match["ranges"])).append("\n")
    return text


def marked(text: str, ranges: Sequence[Sequence[int]], style: str = "") -> Text:
    """Foreign text made safe, with the ranges (UTF-16 units) marked."""
    from rich.text import Text

    units = text.encode("utf-16-le")
    shown = Text(style=style)
    at = 0
    for start, end in ranges:
        shown.append(line(_cut(units, at, start)))
        shown.append(line(_cut(units, start, end)), _MARK)
        at = end
    return shown.append(line(_cut(units, at, len(units) // 2)))


def _cut(units: bytes, start: int, end: int) -> str:
    return units[start * 2 : end * 2].decode("utf-16-le", "replace")
