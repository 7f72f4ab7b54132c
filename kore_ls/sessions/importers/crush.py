"""Crush' conversations: an SQLite database in the project's own folder. Reads only."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kore_ls.sessions.importers.assembly import Assembly
from kore_ls.sessions.importers.records import Record, inner, instant, json_object, parsed, text
from kore_ls.sessions.importers.thread import Entry, ForeignThread, Importer, Notes, Where
from kore_ls.storage.foreign_history import ForeignHistory
from kore_ls.storage.regular_file import is_link

_SESSION = (
    "id", "parent_session_id", "title", "prompt_tokens", "completion_tokens", "cost", "created_at", "updated_at",
)  # fmt: skip
_MESSAGE = ("id", "role", "parts", "model", "provider", "created_at", "is_summary_message")


class Crush(Importer):
    """`.crush/crush.db` in the folder."""

    name = "crush"
    title = "Crush"
    checked = "the schema of August 2026"
    patterns = ("crush.db",)

    def roots(self, where: Where) -> Iterator[Path]:
        """The folder's own database: what lies in the folder belongs to it."""
        yield where.folder / ".crush" / "crush.db"

    def within(self, root: Path, notes: Notes) -> Iterator[Path]:
        """As everywhere, but through no link: the folder may have come with a repository."""
        for path in super().within(root, notes):
            if not is_link(path.parent) and not is_link(path):
                yield path

    def threads(self, path: Path, where: Where, notes: Notes) -> Iterator[ForeignThread]:
        """All conversations of the database."""
        with ForeignHistory(path, notes.problems) as database:
            if not database.has("sessions", "id", "title") or not database.has("messages", "session_id", "parts"):
                return
            sessions = list(database.rows("sessions", _SESSION))
            wanted = {str(each.get("id")) for each in sessions}
            numbers = database.numbers("messages", "session_id", ("created_at",), wanted.__contains__)
            for session in sessions:
                updated = instant(session.get("updated_at"))
                thread = ForeignThread(
                    source=self.name,
                    source_id=str(session.get("id")),
                    path=path,
                    title=text(session, "title") or None,
                    created_at=instant(session.get("created_at")),
                    updated_at=updated,
                    parent=text(session, "parent_session_id") or None,
                    child=bool(text(session, "parent_session_id")),
                    changing=where.now - (updated or 0) < 300_000,
                )
                thread.spent(session.get("prompt_tokens"), session.get("completion_tokens"), session.get("cost"))
                thread.read = _reader(thread, database, numbers.get(thread.source_id, array("q")))
                yield thread


def _reader(thread: ForeignThread, database: ForeignHistory, numbers: array[int]) -> Callable[[], Iterator[Entry]]:
    def entries() -> Iterator[Entry]:
        assembly = Assembly(thread)
        for row in database.fetch("messages", _MESSAGE, numbers):
            _message(row, assembly)
            yield from assembly.take()
        yield from assembly.finish()

    return entries


def _message(row: Record, assembly: Assembly) -> None:
    key, role, at = text(row, "id"), text(row, "role"), instant(row.get("created_at"))
    parts = parsed(text(row, "parts"))
    parts = [each for each in parts if isinstance(each, dict)] if isinstance(parts, list) else []
    if role == "assistant":
        finished = any(part.get("type") == "finish" for part in parts)
        model = "/".join(filter(None, (text(row, "provider"), text(row, "model"))))
        assembly.step(key, at, settled=finished, model=model, compaction=row.get("is_summary_message") or None)
    said: list[str] = []
    for part in parts:
        _part(part, role, key, at, said, assembly)
    if said:
        assembly.prompt(key, "\n\n".join(said), at)


def _part(part: Record, role: str, key: str, at: int | None, said: list[str], assembly: Assembly) -> None:
    data: Any = inner(part, "data")
    match part.get("type"), data:
        case "text", {"text": str(words)}:
            if role == "assistant":
                assembly.say(words)
            else:
                said.append(words)
        case "reasoning", {"thinking": str(words)}:
            assembly.think(words)
        case "tool_call", {"id": str(call_id), "name": str(name)}:
            assembly.call(call_id, name, json_object(data.get("input")), at)
        case "tool_result", {"tool_call_id": str(call_id)}:
            failed = data.get("is_error") is True
            assembly.result(call_id, data.get("content"), failed=failed, at=at, key=f"{key} {call_id}")
        case "shell_command", {"command": str(command)}:
            said.append(f"!{command}")
        case "finish" | "image_url" | "binary", _:
            pass
        case _:
            assembly.raw(part)
