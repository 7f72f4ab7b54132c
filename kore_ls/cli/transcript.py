"""A session's messages as a text to read: who, when, what. Foreign text is made safe; contents keep their lines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from kore_ls.cli.caller import Caller, Json
from kore_ls.cli.safe_text import body, line
from kore_ls.cli.session_table import local_time, state_of

if TYPE_CHECKING:
    from rich.text import Text

_PAGE = 500
_STYLES = {"user": "bold green", "assistant": "bold blue", "system": "bold magenta", "tool": "bold yellow"}


async def newest_messages(caller: Caller, session: Json, limit: int) -> AsyncIterator[Json]:
    """The newest `limit` messages of a session in order (0: all), read page by page."""
    after = max(0, session["messageCount"] - limit) if limit else 0
    while True:
        page = await caller.call("kore/message/list", sessionId=session["id"], afterSeq=after, limit=_PAGE)
        for message in page["messages"]:
            yield message
        if not page["hasMore"]:
            return
        after = page["messages"][-1]["seq"]


def message_text(message: Json, *, most_lines: int | None = None) -> Text:
    """A message with its heading, and its tool calls in a line each; a long one is cut where `most_lines` says so."""
    from rich.text import Text

    head = f"#{message['seq']} {message['role']}"
    if "state" in message:
        head += f" ({message['state']})"
    text = Text.assemble((head, _STYLES.get(message["role"], "bold")), (f"  {local_time(message['timestamp'])}", "dim"))
    for call in message.get("toolCalls", ()):
        title = line(call["title"] or call["name"])
        text.append(f"\n[{call['kind']}] {title}: {call['status']}", "yellow")
    text.append("\n" + _cut(body(message["content"]), most_lines))
    return text.append("\n")


def _cut(content: str, most_lines: int | None) -> str:
    if most_lines is None:
        return content
    start = content[: most_lines * 200]
    lines = start.split("\n")
    if len(start) == len(content) and len(lines) <= most_lines:
        return content
    return "\n".join(lines[:most_lines]) + "\n…"


def session_text(session: Json) -> Text:
    """A session's heading: its name, then id, mode, state, tags and description."""
    from rich.text import Text

    facts = [session["id"], session["mode"], state_of(session), f"{session['messageCount']} messages"]
    if session["tags"]:
        facts.append(line(", ".join(session["tags"])))
    text = Text.assemble((line(session["name"]), "bold"), "\n", (" · ".join(facts), "dim"), "\n")
    if "description" in session:
        text.append(body(session["description"]) + "\n")
    return text
