"""Puts a source's records together: one message per prompt and per model step, results inside of their calls. Pure."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator
from typing import Any

from attrs import define, field

from kore_ls.model.limits import deeper_than
from kore_ls.sessions.importers.thread import Entry, ForeignThread

LONGEST_TEXT = 4_000_000
"""Characters of one text; what is longer is cut, and the message says so."""
_RAW_CHARS = 8_000
"""Characters of the unknown records that one message keeps."""
_METADATA_CHARS = 4_000
_MOST_WAITING = 32
_DEEPEST = 40

_KINDS = {
    "read": "read view cat read_file readfile read_many_files list_directory ls notebookread view_image fileread",
    "search": "grep glob search grep_search file_search codebase_search search_file_content find websearch web_search"
    " google_web_search sourcegraph rg",
    "edit": "edit write multiedit notebookedit apply_patch write_file replace write_to_file replace_in_file patch"
    " text_editor str_replace_editor create_new_file edit_existing_file todo",
    "execute": "bash shell exec_command run_shell_command execute_command run_terminal_command local_shell"
    " shell_command terminal write_stdin",
    "fetch": "webfetch fetch web_fetch fetch_url download fetch_url_content",
    "think": "think todowrite todo_write update_plan task agent plan",
}
_KIND_OF = {name: kind for kind, names in _KINDS.items() for name in names.split()}


def kind_of(name: str) -> str:
    """What a tool of this name does, in our words; only for show, it grants nothing."""
    return _KIND_OF.get(re.split(r"__|\.", name.lower())[-1], "other")


def flat(value: Any) -> str:
    """A tool's output as one text: a string as it is, the texts of content blocks, anything else as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        texts = [each["text"] for each in value if isinstance(each.get("text"), str)]
        if len(texts) == len(value):
            return "\n".join(texts)
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError, TypeError):
        return ""


@define
class _Pending:
    key: str
    role: str
    at: int | None
    texts: list[str] = field(factory=list)
    thoughts: list[str] = field(factory=list)
    calls: dict[str, Entry] = field(factory=dict)
    open: set[str] = field(factory=set)
    metadata: dict[str, Any] = field(factory=dict)
    raw: list[Any] = field(factory=list)
    settled: bool = True


class Assembly:
    """The messages of one thread, in the order in which their first records come.

    A message's id is made of its thread's salt and its `key`: a key must be the same whenever the source is read.
    """

    def __init__(self, thread: ForeignThread) -> None:
        self._thread = thread
        self._waiting: deque[_Pending] = deque()
        self._calls: dict[str, _Pending] = {}
        self._raw: list[Any] = []

    def prompt(
        self, key: str, text: str, at: int | None = None, *, role: str = "user", images: int = 0, **metadata: Any
    ) -> None:
        """A whole message: what the user wrote, or (another `role`) what somebody else did; images are counted."""
        if not text.strip() and not images:
            return
        message = _Pending(key, role, at)
        message.texts.append(text if text.strip() else "[image]")
        message.metadata |= metadata | ({"images": images} if images else {})
        self._waiting.append(message)

    def step(self, key: str, at: int | None = None, *, settled: bool = True, **metadata: Any) -> None:
        """A step of the model begins, or goes on if it has this key; not `settled`: it may still get more."""
        last = self._waiting[-1] if self._waiting else None
        if last is None or last.role != "assistant" or last.key != key:
            last = _Pending(key, "assistant", at)
            self._waiting.append(last)
        last.settled = settled
        last.metadata |= {name: value for name, value in metadata.items() if value not in (None, "", {})}

    def _step(self) -> _Pending:
        if not self._waiting or self._waiting[-1].role != "assistant":
            self.step(f"after {self._waiting[-1].key}" if self._waiting else "first")
        return self._waiting[-1]

    def say(self, text: str) -> None:
        """A piece of the step's answer."""
        if text.strip():
            self._step().texts.append(text)

    def think(self, text: str) -> None:
        """A piece of the step's thinking."""
        if text.strip():
            self._step().thoughts.append(text)

    def call(self, call_id: str, name: str, arguments: dict[str, Any], at: int | None = None, title: str = "") -> None:
        """The step calls a tool."""
        step = self._step()
        if call_id in step.calls:
            return
        name = name.strip() or "tool"
        step.calls[call_id] = {
            "id": self._thread.call_id(call_id),
            "name": name[:200],
            "kind": kind_of(name),
            "title": (title.strip() or name)[:500],
            "arguments": _fit(arguments),
            "status": "pending",
            "started_at": at,
        }
        step.open.add(call_id)
        self._calls[call_id] = step

    def result(self, call_id: str, output: Any, *, failed: bool = False, at: int | None = None, key: str = "") -> None:
        """What a tool call gave; the first result counts. One without its call becomes a message of the tool."""
        step = self._calls.get(call_id)
        if step is None:
            self.prompt(key or f"result {call_id}", flat(output), at, role="tool", toolCallId=call_id[:200])
        elif call_id in step.open:
            step.open.discard(call_id)
            call = step.calls[call_id]
            call["status"] = "failed" if failed else "completed"
            plain = output is None or isinstance(output, str) or (isinstance(output, dict) and not _unfit(output))
            call["result"] = self._cut(step, output if plain else flat(output))
            call["ended_at"] = at

    def failed(self, call_id: str) -> None:
        """A call that has its result did not do what it should."""
        if (step := self._calls.get(call_id)) is not None and call_id not in step.open:
            step.calls[call_id]["status"] = "failed"

    def known(self, call_id: str) -> bool:
        """Whether a call of this id waits for its result, or had it lately."""
        return call_id in self._calls

    def about(self, **metadata: Any) -> None:
        """More to be known of the newest message; nothing if there is none yet."""
        if self._waiting:
            self._waiting[-1].metadata |= {name: value for name, value in metadata.items() if value is not None}

    def raw(self, record: Any) -> None:
        """Keep a record that nobody knows with the message that follows or, at the end, came before."""
        self._raw.append(record)

    def take(self) -> Iterator[Entry]:
        """The messages that nothing can be added to any more."""
        while len(self._waiting) > 1:
            head = self._waiting[0]
            asked = any(each.role == "user" for each in self._waiting)
            if head.open and not asked and len(self._waiting) < _MOST_WAITING:
                return
            yield from self._out(self._waiting.popleft())

    def finish(self) -> Iterator[Entry]:
        """The rest; but not a last step that is still being written."""
        if self._waiting:
            last = self._waiting[-1]
            last.raw, self._raw = [*last.raw, *self._raw], []
            if self._thread.changing and (last.open or not last.settled):
                self._waiting.pop()
        while self._waiting:
            yield from self._out(self._waiting.popleft())

    def _out(self, message: _Pending) -> Iterator[Entry]:
        for call_id in message.calls:
            self._calls.pop(call_id, None)
        if not (message.texts or message.thoughts or message.calls):
            return
        raw, self._raw = [*message.raw, *self._raw], []
        metadata = _bounded(message.metadata)
        if raw:
            metadata["raw"] = _kept(raw)
        entry: Entry = {
            "id": self._thread.message_id(message.key),
            "role": message.role,
            "content": self._cut(message, "\n\n".join(message.texts)),
            "timestamp": message.at,
            "metadata": metadata | ({"clipped": True} if message.metadata.get("clipped") else {}),
        }
        if message.thoughts:
            entry["thinking"] = self._cut(message, "\n\n".join(message.thoughts))
        if message.calls:
            entry["tool_calls"] = list(message.calls.values())
        yield entry

    @staticmethod
    def _cut(message: _Pending, value: Any) -> Any:
        if isinstance(value, str) and len(value) > LONGEST_TEXT:
            message.metadata["clipped"] = True
            return value[:LONGEST_TEXT]
        return value


def _unfit(value: Any) -> bool:
    """Whether a value is too deep or too large to be kept as it is."""
    return deeper_than(value, _DEEPEST) or len(flat(value)) > LONGEST_TEXT


def _fit(arguments: dict[str, Any]) -> dict[str, Any]:
    return {"input": flat(arguments)[:LONGEST_TEXT]} if _unfit(arguments) else arguments


def _bounded(metadata: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in metadata.items() if not deeper_than(value, _DEEPEST)}
    return {name: value for name, value in kept.items() if len(flat(value)) <= _METADATA_CHARS}


def _kept(records: list[Any]) -> list[Any]:
    kept: list[Any] = []
    room = _RAW_CHARS
    for record in records:
        room -= len(flat(record)) + 2
        if room < 0 or deeper_than(record, _DEEPEST):
            kept.append({"leftOut": len(records) - len(kept)})
            break
        kept.append(record)
    return kept
