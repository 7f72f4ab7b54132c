"""Cline's conversations: JSON files, of the command line and of the VS Code extension. Reads only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kore_ls.errors import KoreError
from kore_ls.sessions.importers.assembly import Assembly, flat
from kore_ls.sessions.importers.blocks import heard_blocks, say_blocks
from kore_ls.sessions.importers.list_file import TOP, entries, surroundings
from kore_ls.sessions.importers.records import Record, inner, instant, text, whole, whole_object
from kore_ls.sessions.importers.thread import Entry, ForeignThread, Importer, Notes, Where, digest
from kore_ls.storage.foreign_history import ForeignHistory
from kore_ls.storage.regular_file import is_file

_EXTENSION = Path("User", "globalStorage", "saoudrizwan.claude-dev")
_EDITORS = ("Code", "Code - Insiders", "VSCodium", "Cursor", "Windsurf")
_SURROUNDINGS = re.compile(r"<environment_details>.*?</environment_details>\s*", re.DOTALL)
_TASK = re.compile(r"^\s*<(task|user_message|feedback|user_input)(?: [^>]*)?>\s*(.*?)\s*</\1>\s*$", re.DOTALL)
_OLD = "api_conversation_history.json"


class Cline(Importer):
    """`~/.cline/data/sessions/`, and `tasks/<id>/` in the extension's storage; `CLINE_DIR` and the like move them."""

    name = "cline"
    title = "Cline"
    checked = "3.0.65 of the command line; the documented tasks of the extension"
    patterns = ("*messages.json", _OLD)

    def roots(self, where: Where) -> Iterator[Path]:
        """Sessions of the command line, then tasks of each editor that has the extension."""
        yield where.directory("CLINE_SESSION_DATA_DIR", _data(where) / "sessions")
        yield _data(where) / "tasks"
        config = where.directory("XDG_CONFIG_HOME", where.home / ".config")
        for base in (config, where.home / "Library" / "Application Support"):
            for editor in _EDITORS:
                yield base / editor / _EXTENSION / "tasks"

    def threads(self, path: Path, where: Where, notes: Notes) -> Iterator[ForeignThread]:
        """The one conversation of the file."""
        old = path.name == _OLD
        messages = TOP if old else "messages"
        said = surroundings(path, messages, notes)
        if not isinstance(said.get(messages), list):
            return
        named = path.parent.name if old else path.name.removesuffix("messages.json").strip(".-_") or path.parent.name
        source_id = text(said, "sessionId") or named
        about = _old_task(path, source_id) if old else _session(path, where, source_id, notes)
        if not where.holds(about.get("cwd")):
            return
        thread = ForeignThread(
            source=self.name,
            source_id=source_id,
            path=path,
            title=text(about, "title") or None,
            cwd=text(about, "cwd") or None,
            version=text(inner(said, "origin"), "version") or None,
            created_at=instant(about.get("created")) or int(path.stat().st_mtime * 1000),
            parent=text(about, "parent") or None,
            child=bool(text(about, "parent")),
            changing=where.changing(path),
        )
        thread.read = lambda: _read(thread, entries(path, messages), about)
        yield thread


def _data(where: Where) -> Path:
    return where.directory("CLINE_DATA_DIR", where.directory("CLINE_DIR", where.home / ".cline") / "data")


def _value(path: Path, notes: Notes) -> Any:
    try:
        return whole(path, notes)
    except KoreError:
        notes.skip(path, "the file", "can't be read")
        return None


def _old_task(path: Path, source_id: str) -> Record:
    """What the extension's list says of a task: it alone knows the folder."""
    listed: Any = None
    for storage in (path.parent.parent.parent / "state", path.parent.parent.parent):
        listed = listed or _value(storage / "taskHistory.json", Notes())
    entries = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    found = next((each for each in entries if each.get("id") == source_id), {})
    return {
        "cwd": found.get("cwdOnTaskInitialization"),
        "created": source_id if source_id.isdigit() else found.get("ts"),
        "input": found.get("tokensIn"),
        "output": found.get("tokensOut"),
        "cost": found.get("totalCost"),
    }


def _session(path: Path, where: Where, source_id: str, notes: Notes) -> Record:
    """What the file beside it says of a session, else the database."""
    for name in (f"{source_id}.json", "session.json"):
        beside = path.with_name(name)
        if is_file(beside) and (found := whole_object(beside)):
            return _about(found)
    database = where.directory("CLINE_DB_DATA_DIR", _data(where) / "db") / "sessions.db"
    if not is_file(database):
        return {}
    columns = ("session_id", "cwd", "workspace_root", "started_at", "parent_session_id", "metadata_json")
    try:
        with ForeignHistory(database, notes.problems) as history:
            rows = history.rows("sessions", columns) if history.has("sessions", "session_id", "cwd") else iter(())
            return _about(next((row for row in rows if row.get("session_id") == source_id), {}))
    except KoreError:
        notes.skip(database, "the file", "can't be read")
        return {}


def _about(found: Record) -> Record:
    return {
        "cwd": found.get("cwd") or found.get("workspace_root"),
        "created": found.get("started_at"),
        "parent": found.get("parent_session_id"),
        "title": inner(found, "metadata").get("title"),
    }


def _read(thread: ForeignThread, messages: Iterator[tuple[int, Record]], about: Record) -> Iterator[Entry]:
    assembly = Assembly(thread)
    thread.input_tokens, thread.output_tokens, thread.cost = 0, 0, None
    thread.spent(about.get("input"), about.get("output"), about.get("cost"))
    for number, message in messages:
        at = instant(message.get("ts"))
        thread.updated_at = max(at, thread.updated_at or at) if at is not None else thread.updated_at
        key = text(message, "id") or f"{number} {digest(str(message.get('content')))}"
        match text(message, "role"):
            case "assistant":
                metrics, model = inner(message, "metrics"), inner(message, "modelInfo")
                assembly.step(key, at, model=text(model, "id") or text(model, "modelId"))
                thread.spent(metrics.get("inputTokens"), metrics.get("outputTokens"), metrics.get("cost"))
                say_blocks(message.get("content"), assembly, at)
            case "user":
                words, images = heard_blocks(_plain_results(message.get("content")), assembly, key, at)
                said = "\n\n".join(filter(None, map(_spoken, words)))
                assembly.prompt(key, said, at, images=images)
            case "system":
                pass
            case _:
                assembly.raw(message)
        yield from assembly.take()
    yield from assembly.finish()


def _plain_results(content: Any) -> Any:
    """A user's content, where a tool's results that come with their queries are the results alone."""
    blocks = content if isinstance(content, list) else []
    found = [dict(each) if isinstance(each, dict) else each for each in blocks]
    for block in found:
        answers = block.get("content") if isinstance(block, dict) else None
        if (
            isinstance(answers, list)
            and answers
            and all(isinstance(each, dict) and "result" in each for each in answers)
        ):
            block["content"] = "\n".join(flat(each["result"]) for each in answers)
            block["is_error"] = block.get("is_error") is True or any(each.get("success") is False for each in answers)
    return found if blocks else content


def _spoken(words: str) -> str:
    """What the user typed, without what the tool puts around it."""
    words = _SURROUNDINGS.sub("", words).strip()
    wrapped = _TASK.match(words)
    return wrapped[2] if wrapped else words
