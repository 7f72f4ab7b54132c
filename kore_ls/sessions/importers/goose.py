"""goose's conversations: an SQLite database or, of older versions, a file of JSON lines per session. Reads only."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kore_ls.sessions.importers.assembly import Assembly, flat
from kore_ls.sessions.importers.records import Record, inner, instant, json_object, lines, parsed, text
from kore_ls.sessions.importers.thread import Entry, ForeignThread, Importer, Notes, Where
from kore_ls.storage.foreign_history import ForeignHistory

_SESSION = (
    "id", "name", "description", "session_type", "working_dir", "created_at", "updated_at", "accumulated_input_tokens",
    "accumulated_output_tokens", "input_tokens", "output_tokens",
)  # fmt: skip
_MESSAGE = ("message_id", "role", "content_json", "created_timestamp", "metadata_json")


class Goose(Importer):
    """`goose/sessions/sessions.db` in the data directory, or older `*.jsonl` beside it; `GOOSE_PATH_ROOT` moves it."""

    name = "goose"
    title = "goose"
    checked = "the schema of version 1.10 and the JSON lines before it"
    patterns = ("sessions.db", "*.jsonl")

    def roots(self, where: Where) -> Iterator[Path]:
        """The directories of Linux and macOS, and the one that the environment names."""
        if root := where.environ.get("GOOSE_PATH_ROOT"):
            yield Path(root) / "data" / "sessions"
        yield where.data / "goose" / "sessions"
        yield where.home / "Library" / "Application Support" / "Block.goose" / "sessions"

    def threads(self, path: Path, where: Where, notes: Notes) -> Iterator[ForeignThread]:
        """All conversations of a database but hidden ones; or the one of a file."""
        if path.suffix == ".jsonl":
            yield from _of_lines(path, where, notes)
            return
        with ForeignHistory(path, notes.problems) as database:
            if not database.has("sessions", "id", "working_dir") or not database.has("messages", "content_json"):
                return
            sessions = [each for each in database.rows("sessions", _SESSION) if where.holds(each.get("working_dir"))]
            sessions = [each for each in sessions if each.get("session_type") != "hidden"]
            wanted = {str(each.get("id")) for each in sessions}
            numbers = database.numbers("messages", "session_id", (), wanted.__contains__)
            for session in sessions:
                thread = _thread(session, path, where)
                thread.child = session.get("session_type") == "sub_agent"
                thread.read = _reader(thread, session, database, numbers.get(thread.source_id, array("q")))
                yield thread


def _thread(session: Record, path: Path, where: Where) -> ForeignThread:
    updated = instant(session.get("updated_at"))
    return ForeignThread(
        source=Goose.name,
        source_id=str(session.get("id")),
        path=path,
        title=text(session, "name") or text(session, "description") or None,
        cwd=text(session, "working_dir") or None,
        created_at=instant(_utc(session.get("created_at"))),
        updated_at=instant(_utc(session.get("updated_at"))),
        changing=where.now - (updated or 0) < 300_000,
    )


def _utc(value: Any) -> Any:
    """SQLite writes the time of UTC without saying so."""
    return f"{value}+00:00" if isinstance(value, str) and len(value) == 19 else value


def _reader(
    thread: ForeignThread, session: Record, database: ForeignHistory, numbers: array[int]
) -> Callable[[], Iterator[Entry]]:
    def entries() -> Iterator[Entry]:
        _count(thread, session)
        assembly = Assembly(thread)
        for number, row in database.fetch_numbered("messages", _MESSAGE, numbers):
            about = json_object(row.get("metadata_json"))
            if about.get("userVisible") is not False:
                content = parsed(text(row, "content_json"))
                key = text(row, "message_id") or f"row {number}"
                _message(assembly, key, text(row, "role"), content, instant(row.get("created_timestamp")))
            yield from assembly.take()
        yield from assembly.finish()

    return entries


def _count(thread: ForeignThread, session: Record) -> None:
    thread.input_tokens = thread.output_tokens = 0
    thread.spent(
        session.get("accumulated_input_tokens") or session.get("input_tokens"),
        session.get("accumulated_output_tokens") or session.get("output_tokens"),
    )


def _of_lines(path: Path, where: Where, notes: Notes) -> Iterator[ForeignThread]:
    """The first line tells of the session; each other one is a message."""
    head: Record = next((line.record for line in lines(path)), {})
    if "working_dir" not in head or not where.holds(head["working_dir"]):
        return
    thread = _thread(head | {"id": path.stem}, path, where)
    thread.changing = where.changing(path)

    def entries() -> Iterator[Entry]:
        _count(thread, head)
        assembly = Assembly(thread)
        for line in lines(path, notes):
            if "role" in line.record:
                at = instant(line.record.get("created"))
                if at is not None:
                    thread.created_at = min(at, thread.created_at or at)
                    thread.updated_at = max(at, thread.updated_at or at)
                key = text(line.record, "id") or str(line.number)
                _message(assembly, key, text(line.record, "role"), line.record.get("content"), at)
            yield from assembly.take()
        yield from assembly.finish()

    thread.read = entries
    yield thread


def _message(assembly: Assembly, key: str, role: str, content: Any, at: int | None) -> None:
    parts = [each for each in content if isinstance(each, dict)] if isinstance(content, list) else []
    if role == "assistant":
        assembly.step(key, at)
    said: list[str] = []
    for part in parts:
        match part:
            case {"type": "text", "text": str(words)}:
                if role == "assistant":
                    assembly.say(words)
                else:
                    said.append(words)
            case {"type": "thinking", "thinking": str(words)}:
                assembly.think(words)
            case {"type": "toolRequest", "id": str(call_id), "toolCall": dict(call)}:
                value = inner(call, "value")
                assembly.call(call_id, text(value, "name"), inner(value, "arguments"), at)
            case {"type": "toolResponse", "id": str(call_id), "toolResult": dict(result)}:
                _result(assembly, call_id, result, at, f"{key} {call_id}")
            case {"type": "image" | "redactedThinking" | "systemNotification"}:
                pass
            case _:
                assembly.raw(part)
    if said:
        assembly.prompt(key, "\n\n".join(said), at)


def _result(assembly: Assembly, call_id: str, result: Record, at: int | None, key: str) -> None:
    failed = result.get("status") == "error"
    value = result.get("error") if failed else result.get("value")
    if isinstance(value, dict):
        failed = failed or value.get("isError") is True
        value = value.get("content", value)
    if isinstance(value, list):
        value = "\n".join(text(each, "text") if isinstance(each, dict) else flat(each) for each in value)
    assembly.result(call_id, value, failed=failed, at=at, key=key)
