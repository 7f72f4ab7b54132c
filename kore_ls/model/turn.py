"""A turn: one prompt and all that an agent does to answer it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import Enum
from typing import Any

from attrs import field, frozen

from kore_ls.model.ids import MessageId, SessionId, TurnId
from kore_ls.model.limits import JsonObject
from kore_ls.model.message import ToolCall
from kore_ls.model.mode import AgentMode


class TurnState(Enum):
    """Whether a turn still goes on."""

    RUNNING = "running"
    DONE = "done"


class StopReason(Enum):
    """Why a turn ended. `interrupted`: its process died or was shut down."""

    END_TURN = "endTurn"
    MAX_TOKENS = "maxTokens"
    MAX_TURNS = "maxTurns"
    REFUSAL = "refusal"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    ERROR = "error"


_KEPT_BYTES = 48 << 10


@frozen(kw_only=True)
class Position:
    """A place in a text file: line from 0, character in UTF-16 units from 0."""

    line: int
    character: int


@frozen(kw_only=True)
class TextSpan:
    """From `start` up to `end`, which is not included."""

    start: Position
    end: Position


@frozen(kw_only=True)
class PromptContext:
    """Something of the editor that the user attached to a prompt: a document, part of it, or its unsaved text."""

    uri: str
    range: TextSpan | None = None
    text: str | None = None


@frozen(kw_only=True)
class Prompt:
    """What a turn answers."""

    text: str
    context: tuple[PromptContext, ...] = ()

    def kept_context(self) -> dict[str, Any]:
        """Metadata for the prompt's message: `context`, where there is one; texts as far as metadata has room."""
        return {"context": context_json(self.context, most=_KEPT_BYTES)} if self.context else {}


def context_json(context: Sequence[PromptContext], *, most: int | None = None) -> list[dict[str, Any]]:
    """What came with a prompt as JSON: `uri`, `range`, `text`, as on the wire.

    With `most` it has at most so many bytes: texts that don't fit are left out, which `textLeftOut` says.
    """
    entries: list[dict[str, Any]] = []
    left = most
    for each in context:
        entry: dict[str, Any] = {"uri": each.uri}
        if each.range is not None:
            entry["range"] = {
                name: {"line": place.line, "character": place.character}
                for name, place in (("start", each.range.start), ("end", each.range.end))
            }
        if left is not None and _size(entry | {"text": each.text}) > left:
            entry["textLeftOut"] = True
        elif each.text is not None:
            entry["text"] = each.text
        if left is not None:
            left -= _size(entry)
            if left < 0:
                break
        entries.append(entry)
    return entries


def _size(entry: JsonObject) -> int:
    return len(json.dumps(entry, ensure_ascii=False).encode("utf-8", "surrogatepass")) + 2


def context_from(entries: Sequence[JsonObject]) -> tuple[PromptContext, ...]:
    """What `context_json` made. Raises KeyError, TypeError for anything else."""
    return tuple(
        PromptContext(
            uri=each["uri"],
            range=_span(each["range"]) if "range" in each else None,
            text=each.get("text"),
        )
        for each in entries
    )


def _span(given: JsonObject) -> TextSpan:
    return TextSpan(start=Position(**given["start"]), end=Position(**given["end"]))


@frozen(kw_only=True)
class Turn:
    """A turn as it is stored. `first_seq` is the user's message, `last_seq` the last message that it made."""

    turn_id: TurnId
    session_id: SessionId
    state: TurnState
    stop_reason: StopReason | None = None
    started_at: int
    ended_at: int | None = None
    first_seq: int
    last_seq: int | None = None
    changed_files: tuple[str, ...] = ()


@frozen(kw_only=True)
class Draft:
    """What a running turn has said since its last stored message; it becomes the message `message_id`."""

    message_id: MessageId
    text: str = ""
    thinking: str = ""
    calls: tuple[ToolCall, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing that would make a message."""
        return not (self.text or self.thinking or self.calls)


@frozen(kw_only=True)
class Lease:
    """Which process works in a session: in words, and whether it is this one."""

    holder: str
    mine: bool


@frozen(kw_only=True)
class AuditEntry:
    """One decision of the permission gate. `id` counts all decisions of a store; `timestamp` is Unix milliseconds."""

    id: int = 0
    session_id: SessionId
    turn_id: TurnId
    tool_call: JsonObject = field(factory=dict)
    mode: AgentMode
    decision: str
    rule: str
    outcome: str | None = None
    timestamp: int = 0


@frozen(kw_only=True)
class FileSnapshot:
    """A file that a turn changed. `path` is relative to the workspace folder, or absolute outside of it.

    `before` and `after` name contents (None: there was no such file); `kept` says whether `before` can be restored.
    `mode` is `st_mode` as it was before: the permission bits of a file, or the type of a symlink, whose content is
    its target; None where it is not known.
    """

    path: str
    before: str | None
    after: str | None
    kept: bool
    mode: int | None = None
