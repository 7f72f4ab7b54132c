"""llm's conversations: an SQLite database of all, which knows no folders. Reads only."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kore_ls.sessions.importers.assembly import Assembly
from kore_ls.sessions.importers.records import Record, inner, instant, items, json_object, text
from kore_ls.sessions.importers.thread import Entry, ForeignThread, Importer, Notes, Where
from kore_ls.storage.foreign_history import ForeignHistory

_RESPONSE = ("id", "model", "prompt", "response", "datetime_utc", "input_tokens", "output_tokens")
_PART = ("message_hash", "position", "type", "tool_name", "text", "payload")
_MOST_STEPS = 100_000


class Llm(Importer):
    """`logs.db` in llm's own directory; `LLM_USER_PATH` moves it."""

    name = "llm"
    title = "llm"
    checked = "0.36, and the schema of versions before threads"
    patterns = ("logs.db",)
    knows_folders = False

    def roots(self, where: Where) -> Iterator[Path]:
        """The directories of Linux and macOS."""
        config = where.directory("XDG_CONFIG_HOME", where.home / ".config")
        yield where.directory("LLM_USER_PATH", config / "io.datasette.llm") / "logs.db"
        yield where.home / "Library" / "Application Support" / "io.datasette.llm" / "logs.db"

    def threads(self, path: Path, where: Where, notes: Notes) -> Iterator[ForeignThread]:
        """Threads of newer versions, then conversations of older ones."""
        with ForeignHistory(path, notes.problems) as database:
            if database.has("threads", "id", "tip_message_hash") and database.has("messages", "hash", "parent_hash"):
                yield from _threads(database, path, where)
            if database.has("conversations", "id") and database.has("responses", "conversation_id", "prompt"):
                yield from _conversations(database, path, where)


def _threads(database: ForeignHistory, path: Path, where: Where) -> Iterator[ForeignThread]:
    turns = database.numbers("turns", "thread_id", ("id",), lambda _: True)
    tree = _Tree(database)
    for row in database.rows("threads", ("id", "name", "tip_message_hash", "forked_from", "datetime_utc")):
        updated = instant(row.get("datetime_utc"))
        thread = ForeignThread(
            source=Llm.name,
            source_id=str(row.get("id")),
            path=path,
            title=text(row, "name") or None,
            created_at=updated,
            updated_at=updated,
            parent=text(row, "forked_from") or None,
            changing=where.now - (updated or 0) < 300_000,
        )
        own = turns.get(thread.source_id, array("q"))
        thread.read = _thread_reader(thread, database, tree, text(row, "tip_message_hash"), own)
        yield thread


class _Tree:
    """Which message follows which, and where messages and parts are; grows with their number, not with their size."""

    def __init__(self, database: ForeignHistory) -> None:
        self.parents: dict[str, tuple[str, str]] = {}
        for row in database.rows("messages", ("hash", "parent_hash", "role")):
            self.parents[text(row, "hash")] = (text(row, "parent_hash"), text(row, "role"))
        self.parts = database.numbers("parts", "message_hash", ("position",), self.parents.__contains__)

    def chain(self, tip: str) -> list[str]:
        """The messages up to `tip`, the first one first."""
        chain: dict[str, None] = {}
        while tip in self.parents and tip not in chain and len(chain) < _MOST_STEPS:
            chain[tip] = None
            tip = self.parents[tip][0]
        return list(chain)[::-1]


def _thread_reader(
    thread: ForeignThread, database: ForeignHistory, tree: _Tree, tip: str, turns: array[int]
) -> Callable[[], Iterator[Entry]]:
    def entries() -> Iterator[Entry]:
        thread.input_tokens = thread.output_tokens = 0
        answers: dict[str, Record] = {}
        columns = ("tip_message_hash", "model", "datetime_utc", "input_tokens", "output_tokens")
        for turn in database.fetch("turns", columns, turns):
            answers[text(turn, "tip_message_hash")] = turn
            thread.spent(turn.get("input_tokens"), turn.get("output_tokens"))
            if (at := instant(turn.get("datetime_utc"))) is not None:
                thread.created_at = min(at, thread.created_at or at)
                thread.updated_at = max(at, thread.updated_at or at)
        chain = tree.chain(tip or next(reversed(answers), ""))
        assembly = Assembly(thread)
        for number, name in enumerate(chain):
            answered = answers.get(name) or next((answers[each] for each in chain[number:] if each in answers), {})
            at = instant(answered.get("datetime_utc"))
            parts = database.fetch("parts", _PART, tree.parts.get(name, array("q")))
            _message(name, tree.parents[name][1], parts, at, answered, database, assembly)
            yield from assembly.take()
        yield from assembly.finish()

    return entries


def _message(
    name: str,
    role: str,
    parts: Iterator[Record],
    at: int | None,
    turn: Record,
    database: ForeignHistory,
    assembly: Assembly,
) -> None:
    said: list[str] = []
    if role == "assistant":
        assembly.step(name, at, model=text(turn, "model"))
    for part in parts:
        payload = json_object(part.get("payload"))
        call_id = text(payload, "tool_call_id") or f"{name} {part.get('position')}"
        match text(part, "type"):
            case "text" if role == "assistant":
                assembly.say(_text(part, payload, database))
            case "text":
                said.append(_text(part, payload, database))
            case "reasoning":
                assembly.think(_text(part, payload, database))
            case "tool_call":
                assembly.call(call_id, text(payload, "name"), inner(payload, "arguments"), at)
            case "tool_result":
                failed = bool(payload.get("exception"))
                assembly.result(call_id, payload.get("output"), failed=failed, at=at, key=call_id)
            case "attachment":
                pass
            case _:
                assembly.raw(part)
    if role == "user":
        assembly.prompt(name, "\n\n".join(filter(None, said)), at)


def _text(part: Record, payload: Record, database: ForeignHistory) -> str:
    """A text, or the pieces that it is put together of."""
    if text(part, "text"):
        return text(part, "text")
    pieces: list[str] = []
    for piece in items(payload, "text_ref"):
        match piece:
            case {"literal": str(words)}:
                pieces.append(words)
            case {"fragment": int(number)}:
                pieces += [text(row, "content") for row in database.fetch("fragments", ("content",), [number])]
    return "".join(pieces)


def _conversations(database: ForeignHistory, path: Path, where: Where) -> Iterator[ForeignThread]:
    numbers = database.numbers("responses", "conversation_id", ("datetime_utc", "id"), lambda _: True)
    results: dict[str, list[Record]] = {}
    for kind, columns in (("tool_calls", ("arguments",)), ("tool_results", ("output", "exception"))):
        if database.has(kind, "response_id", "tool_call_id"):
            for row in database.rows(kind, ("response_id", "tool_call_id", "name", *columns)):
                results.setdefault(text(row, "response_id"), []).append(row)
    for row in database.rows("conversations", ("id", "name")):
        own = numbers.get(str(row.get("id")))
        if not own:
            continue  # a thread of the same id has taken its place
        title = text(row, "name") or None
        thread = ForeignThread(source=Llm.name, source_id=str(row.get("id")), path=path, title=title)
        thread.read = _conversation_reader(thread, database, own, results)
        yield thread


def _conversation_reader(
    thread: ForeignThread, database: ForeignHistory, numbers: array[int], calls: dict[str, list[Record]]
) -> Callable[[], Iterator[Entry]]:
    def entries() -> Iterator[Entry]:
        thread.input_tokens = thread.output_tokens = 0
        assembly = Assembly(thread)
        for row in database.fetch("responses", _RESPONSE, numbers):
            at: Any = instant(_utc(row.get("datetime_utc")))
            name = text(row, "id")
            if at is not None:
                thread.created_at = min(at, thread.created_at or at)
                thread.updated_at = max(at, thread.updated_at or at)
            thread.spent(row.get("input_tokens"), row.get("output_tokens"))
            for call in calls.get(name, []):
                if "output" in call:
                    failed = bool(call.get("exception"))
                    assembly.result(text(call, "tool_call_id"), call["output"], failed=failed, at=at)
            assembly.prompt(f"{name} prompt", text(row, "prompt"), at)
            assembly.step(name, at, model=text(row, "model"))
            assembly.say(text(row, "response"))
            for call in calls.get(name, []):
                if "arguments" in call:
                    arguments = json_object(call["arguments"])
                    assembly.call(text(call, "tool_call_id"), text(call, "name"), arguments, at)
            yield from assembly.take()
        yield from assembly.finish()

    return entries


def _utc(value: Any) -> Any:
    """The old schema writes the time of UTC without saying so."""
    zoned = isinstance(value, str) and ("+" in value or value.endswith("Z"))
    return f"{value}+00:00" if isinstance(value, str) and not zoned else value
