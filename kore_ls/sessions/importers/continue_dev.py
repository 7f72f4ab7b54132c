"""Continue's conversations: a JSON file per session, without the times of its messages. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kore_ls.errors import FolderNotFound, ImportInvalid
from kore_ls.sessions.importers.assembly import Assembly, flat
from kore_ls.sessions.importers.list_file import entries, surroundings
from kore_ls.sessions.importers.records import Record, inner, instant, json_object, objects, text, whole
from kore_ls.sessions.importers.thread import Entry, ForeignThread, Importer, Notes, Where, digest
from kore_ls.sessions.uris import path_of

_INDEX = "sessions.json"
_LIST = "history"
_NO_TITLES = ("", "Untitled Session", "New Session", "Chat")
"""What a conversation is called that nobody has named."""


class Continue(Importer):
    """`~/.continue/sessions/<session>.json`, dated by `sessions.json`; `CONTINUE_GLOBAL_DIR` moves it."""

    name = "continue"
    title = "Continue"
    checked = "1.5.47 of the command line"
    patterns = ("*.json",)

    def roots(self, where: Where) -> Iterator[Path]:
        """The directory of all sessions."""
        yield where.directory("CONTINUE_GLOBAL_DIR", where.home / ".continue") / "sessions"

    def threads(self, path: Path, where: Where, notes: Notes) -> Iterator[ForeignThread]:
        """The one conversation of the file."""
        if path.name == _INDEX:
            return
        session = surroundings(path, _LIST, notes)
        cwd = _directory(text(session, "workspaceDirectory"))
        if not isinstance(session.get(_LIST), list) or not where.holds(cwd):
            return
        source_id = text(session, "sessionId") or path.stem
        created = instant(_indexed(path.with_name(_INDEX), source_id).get("dateCreated"))
        thread = ForeignThread(
            source=self.name,
            source_id=source_id,
            path=path,
            title=title if (title := text(session, "title")) not in _NO_TITLES else None,
            cwd=cwd,
            created_at=created or int(path.stat().st_mtime * 1000),
            changing=where.changing(path),
        )
        usage = inner(session, "usage")
        thread.spent(usage.get("promptTokens"), usage.get("completionTokens"), usage.get("totalCost"))
        thread.read = lambda: _read(thread, text(session, "chatModelTitle"))
        yield thread


def _directory(stated: str) -> str:
    if stated.startswith("file:"):
        try:
            return str(path_of(stated))
        except FolderNotFound:  # it names no directory
            return ""
    return stated


def _indexed(index: Path, source_id: str) -> Record:
    try:
        listed = whole(index)
    except ImportInvalid:  # the index only dates sessions, which are read without it
        return {}
    entries = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    return next((each for each in entries if each.get("sessionId") == source_id), {})


def _read(thread: ForeignThread, model: str) -> Iterator[Entry]:
    assembly, thought = Assembly(thread), ""
    for number, item in entries(thread.path, _LIST):
        message = inner(item, "message")
        role, said = text(message, "role"), _words(message.get("content"))
        key = f"{number} {digest(role, said)}"
        thought = thought if role == "assistant" else ""
        match role:
            case "user":
                assembly.prompt(key, said)
            case "assistant" | "thinking":
                thought = key if role == "thinking" else thought  # what is thought belongs to what is said next
                assembly.step(thought or key, model=model or text(inner(message, "usage"), "model"))
                (assembly.say if role == "assistant" else assembly.think)(said)
                for call in objects(message, "toolCalls"):
                    function = inner(call, "function")
                    arguments = json_object(function.get("arguments"))
                    assembly.call(text(call, "id"), text(function, "name"), arguments)
                for state in objects(item, "toolCallStates"):
                    _result(state, assembly)
                thought = thought if role == "thinking" else ""
            case "tool":
                assembly.result(text(message, "toolCallId"), said, key=key)
            case "system":
                pass
            case _:
                assembly.raw(item)
        yield from assembly.take()
    yield from assembly.finish()


def _result(state: Record, assembly: Assembly) -> None:
    call_id, status = text(state, "toolCallId"), text(state, "status")
    if status in ("done", "errored", "canceled") and assembly.known(call_id):
        output = "\n".join(flat(each.get("content")) for each in objects(state, "output"))
        assembly.result(call_id, output, failed=status != "done")


def _words(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = [each for each in content if isinstance(each, dict)] if isinstance(content, list) else []
    return "\n\n".join(filter(None, (text(each, "text") for each in parts)))
