"""Gemini CLI's conversations: JSON lines that replace earlier ones, or (older) one JSON file. Reads only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from attrs import define, evolve, field, frozen

from kore_ls.errors import ImportInvalid
from kore_ls.model.limits import IMPORT_FILE_BYTES
from kore_ls.sessions.importers.assembly import Assembly, flat
from kore_ls.sessions.importers.list_file import Part, parts
from kore_ls.sessions.importers.records import (
    Record,
    inner,
    instant,
    items,
    lines,
    lines_at,
    objects,
    record_at,
    text,
)
from kore_ls.sessions.importers.thread import Entry, ForeignThread, Importer, Notes, Where, digest
from kore_ls.storage.regular_file import is_file, open_regular

_CONTEXT = ("<session_context>", "<environment_context>")


@frozen
class _Told:
    """A message: where its line begins, where it stands in a list, or (told within another record) what it says.

    And its time.
    """

    place: int | Part | Record
    at: int | None


@define
class _File:
    """What a file says: of the conversation, and where its messages are by their ids, each as it was last."""

    about: Record = field(factory=dict)
    messages: dict[str, _Told] = field(factory=dict)
    first_told: dict[str, _Told] = field(factory=dict)
    """Messages as they were recorded: a conversation that is gone on with is written again, with less in it."""
    unknown: list[int] = field(factory=list)


class GeminiCli(Importer):
    """`~/.gemini/tmp/<project>/chats/session-*`; the project's directory is named by its path's hash or a word."""

    name = "gemini-cli"
    title = "Gemini CLI"
    checked = "0.61.0"
    patterns = ("session-*.jsonl", "session-*.json")

    def roots(self, where: Where) -> Iterator[Path]:
        """The directories of the folder and of those below it."""
        base = where.directory("GEMINI_CLI_HOME", where.home) / ".gemini" / "tmp"
        try:
            found = sorted(base.iterdir())
        except OSError:
            yield base  # why it can't be read is told there
            return
        for directory in found:
            if where.everything or _belongs(directory, where):
                yield directory / "chats"

    def threads(self, path: Path, where: Where, notes: Notes) -> Iterator[ForeignThread]:
        """The one conversation of the file; `.json` files that a newer version has carried over are passed by."""
        if path.suffix == ".json" and is_file(path.with_suffix(".jsonl")):
            return
        content = _of_lines(path, notes) if path.suffix == ".jsonl" else _of_object(path, notes)
        messages = list(content.messages.values())
        if not messages or content.about.get("kind") == "subagent":
            return
        times = [each.at for each in messages if each.at is not None]
        thread = ForeignThread(
            source=self.name,
            source_id=text(content.about, "sessionId") or path.stem,
            path=path,
            title=text(content.about, "summary") or None,
            created_at=min(times, default=instant(content.about.get("startTime"))),
            updated_at=max(times, default=None),
            changing=where.changing(path),
        )
        thread.read = lambda: _read(thread, messages, content.unknown)
        yield thread


def _belongs(directory: Path, where: Where) -> bool:
    with suppress(ImportInvalid), open_regular(directory / ".project_root", most=1 << 20) as file:
        return where.holds(file.read(8192).decode("utf-8", "replace").strip())
    return directory.name == hashlib.sha256(str(where.folder).encode()).hexdigest()


def _of_object(path: Path, notes: Notes) -> _File:
    found = _File()
    for part in parts(path, "messages", notes):
        if part.name is not None:
            found.about[part.name] = part.value
        elif isinstance(part.value, dict):
            name = text(part.value, "id") or f"number {part.number}"
            found.messages[name] = _Told(evolve(part, value=None), instant(part.value.get("timestamp")))
    return found


def _put(found: _File, messages: list[Record]) -> None:
    for number, message in enumerate(messages):
        name = text(message, "id") or f"number {number}"
        found.messages[name] = found.first_told.get(name) or _Told(message, instant(message.get("timestamp")))


def _of_lines(path: Path, notes: Notes) -> _File:
    found = _File()
    for line in lines(path, notes):
        match line.record:
            case {"$rewindTo": str(message_id)}:
                kept = list(found.messages)
                for each in kept[kept.index(message_id) if message_id in found.messages else 0 :]:
                    del found.messages[each]
            case {"$set": dict(changes)}:
                if isinstance(changes.get("messages"), list):
                    found.messages.clear()
                    _put(found, objects(changes, "messages"))
                found.about |= {name: value for name, value in changes.items() if name != "messages"}
            case {"id": str(message_id), "type": str()}:
                told = _Told(line.offset, instant(line.record.get("timestamp")))
                found.messages[message_id] = found.first_told[message_id] = told
            case {"sessionId": str(), "projectHash": str()}:
                found.about |= {name: value for name, value in line.record.items() if name != "messages"}
            case _:
                found.unknown.append(line.offset)
    return found


def _read(thread: ForeignThread, messages: list[_Told], unknown: list[int]) -> Iterator[Entry]:
    assembly = Assembly(thread)
    thread.input_tokens = thread.output_tokens = 0
    for _, record in lines_at(thread.path, iter(unknown)):
        assembly.raw(record)
    with open_regular(thread.path, most=IMPORT_FILE_BYTES) as file:
        yield from _entries(thread, (_message(file, each.place) for each in messages), assembly)


def _message(file: BinaryIO, place: int | Part | Record) -> Record:
    if isinstance(place, dict):
        return place
    message = place.again(file) if isinstance(place, Part) else record_at(file, place)
    return message if isinstance(message, dict) else {}


def _entries(thread: ForeignThread, messages: Iterator[Record], assembly: Assembly) -> Iterator[Entry]:
    for number, message in enumerate(messages):
        key = text(message, "id") or digest(str(number), flat(message.get("content")))
        at, content = instant(message.get("timestamp")), message.get("content")
        match text(message, "type"):
            case "user":
                said = _words(content)
                for part in _parts(content):
                    _response(inner(part, "functionResponse"), at, assembly)
                if not said.startswith(_CONTEXT):
                    assembly.prompt(key, said, at)
            case "gemini":
                _answer(message, key, at, assembly, thread)
            case "info" | "error" | "warning":
                pass  # what the tool said of itself
            case _:
                assembly.raw(message)
        yield from assembly.take()
    yield from assembly.finish()


def _parts(content: Any) -> list[Record]:
    """A content as parts: a string, a part, or a list of either."""
    parts = content if isinstance(content, list) else [content]
    found = [{"text": each} if isinstance(each, str) else each for each in parts]
    return [each for each in found if isinstance(each, dict)]


def _words(content: Any) -> str:
    return "\n\n".join(filter(None, (text(each, "text") for each in _parts(content))))


def _response(response: Record, at: int | None, assembly: Assembly) -> None:
    if assembly.known(text(response, "id")):
        assembly.result(text(response, "id"), inner(response, "response").get("output"), at=at)


def _answer(message: Record, key: str, at: int | None, assembly: Assembly, thread: ForeignThread) -> None:
    tokens = inner(message, "tokens")
    assembly.step(key, at, model=text(message, "model"), usage=tokens)
    thread.spent(tokens.get("input"), tokens.get("output"))
    for thought in objects(message, "thoughts"):
        assembly.think("\n".join(filter(None, (text(thought, "subject"), text(thought, "description")))))
    for part in _parts(message.get("content")):
        (assembly.think if part.get("thought") is True else assembly.say)(text(part, "text"))
        if call := inner(part, "functionCall"):
            assembly.call(text(call, "id") or key, text(call, "name"), inner(call, "args"), at)
    for number, call in enumerate(objects(message, "toolCalls")):
        call_id = text(call, "id") or f"{key} {number}"
        began = instant(call.get("timestamp"))
        assembly.call(call_id, text(call, "name"), inner(call, "args"), began, text(call, "displayName"))
        status = text(call, "status")
        if status in ("success", "error", "cancelled"):
            assembly.result(call_id, _output(call), failed=status != "success", at=began)


def _output(call: Record) -> Any:
    texts: list[str] = []
    for part in items(call, "result"):
        match part:
            case {"functionResponse": {"response": {"output": str(output)}}}:
                texts.append(output)
            case {"functionResponse": {"response": {"error": str(output)}}}:
                texts.append(output)
            case {"text": str(output)}:
                texts.append(output)
            case _:
                return call.get("result")
    return "\n".join(texts) if texts else call.get("resultDisplay", call.get("result"))
