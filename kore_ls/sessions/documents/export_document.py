"""The export document: a session and its messages as JSON. Reads no store and writes no file.

Keys are snake_case, times Unix milliseconds, absent values left out; the text has one message per line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import orjson

from kore_ls.model.ids import Clock
from kore_ls.model.message import Message, ToolCall
from kore_ls.model.session import SessionRecord, Usage

FORMAT = "kore-session"
VERSION = 1
IMPORTED = "imported"
"""The metadata key under which an import keeps a document's unknown keys; an export puts them back on top."""

DOCUMENT_KEYS = frozenset({
    "format", "version", "exported_at", "id", "name", "agent_mode", "status", "created_at", "updated_at", "metadata",
    "tags", "description", "pinned", "archived", "parent_id", "forked_at_seq", "usage", "messages",
})  # fmt: skip
"""Every top-level key that has a meaning of its own."""


def document_of(record: SessionRecord, messages: Iterable[Message], *, exported_at: int) -> dict[str, Any]:
    """The whole document; `messages` in `seq` order, `exported_at` in Unix milliseconds."""
    return {
        **head_of(record, exported_at=exported_at),
        "messages": [message_entry(message) for message in messages],
    }


def head_of(record: SessionRecord, *, exported_at: int) -> dict[str, Any]:
    """The document without its messages."""
    metadata, risen = _parted(record.metadata)
    head: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "exported_at": exported_at,
        "id": record.id,
        "name": record.name,
        "agent_mode": record.agent_mode.value,
        "status": record.status.value,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        "metadata": metadata,
        "tags": list(record.tags),
        "description": record.description,
        "pinned": record.pinned or None,
        "archived": record.archived or None,
        "parent_id": record.parent_id,
        "forked_at_seq": record.forked_at_seq,
        "usage": None if record.usage is None else _usage_entry(record.usage),
    }
    return {**_present(head), **risen}


def message_entry(message: Message) -> dict[str, Any]:
    """One element of the document's `messages`."""
    entry: dict[str, Any] = {
        "id": message.id,
        "session_id": message.session_id,
        "role": message.role.value,
        "content": message.content,
        "timestamp": message.timestamp,
        "metadata": dict(message.metadata),
        "turn_id": message.turn_id,
        "state": message.state and message.state.value,
        "thinking": message.thinking,
    }
    if message.tool_calls:
        entry["tool_calls"] = [_tool_call_entry(call) for call in message.tool_calls]
    return _present(entry)


def _tool_call_entry(call: ToolCall) -> dict[str, Any]:
    return _present(
        {
            "id": call.id,
            "name": call.name,
            "kind": call.kind.value,
            "title": call.title,
            "arguments": dict(call.arguments),
            "status": call.status.value,
            "result": call.result,
            "started_at": call.started_at,
            "ended_at": call.ended_at,
        }
    )


def _usage_entry(usage: Usage) -> dict[str, Any]:
    return _present(
        {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens, "cost": usage.cost},
    )


def _present(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if value is not None}


def _parted(stored: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """(metadata as exported, the keys that return to the top). A key with a meaning of its own stays where it is."""
    metadata = dict(stored)
    imported = metadata.get(IMPORTED)
    if not isinstance(imported, dict) or not imported:
        return metadata, {}
    kept = {key: value for key, value in imported.items() if key in DOCUMENT_KEYS}
    if kept:
        metadata[IMPORTED] = kept
    else:
        del metadata[IMPORTED]
    return metadata, {key: value for key, value in imported.items() if key not in DOCUMENT_KEYS}


class DocumentWriter:
    """Encodes a document piece by piece: `head`, then `messages` any number of times, then `end`.

    The pieces joined are one JSON text in UTF-8, of which no more than one batch is ever in memory.
    """

    def __init__(self, record: SessionRecord, *, clock: Clock) -> None:
        self._record = record
        self._clock = clock
        self._separator = b"\n"

    def head(self) -> bytes:
        """Everything before the first message."""
        return _encoded(head_of(self._record, exported_at=self._clock()))[:-1] + b',"messages":['

    def messages(self, batch: Iterable[Message]) -> bytes:
        """The next messages in `seq` order, each on its own line; an empty batch is no bytes."""
        pieces: list[bytes] = []
        for message in batch:
            pieces += (self._separator, _encoded(message_entry(message)))
            self._separator = b",\n"
        return b"".join(pieces)

    def end(self) -> bytes:
        """What closes the document."""
        return b"\n]}\n"


def _encoded(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer beyond 64 bits
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
