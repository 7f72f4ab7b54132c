"""Stored messages as what a model is sent, the same each time; and the notes that keep a model's own words exact.

What a model answered is kept as it came (signatures, ids of its calls) in the note of the message it became. Where
there is none, or it is another model's, the message itself is told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen
from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

from kore_ls.agents.model.words import earlier, quoted
from kore_ls.model.message import Message, Role, ToolCall

VERSION = 1


@frozen(kw_only=True)
class Summary:
    """A boundary in a conversation: the messages up to `up_to` are told to the model as `text`."""

    up_to: int
    text: str


@frozen(kw_only=True)
class Note:
    """What is kept with a step: whose answer it is, the answer as it came, its calls' ids here.

    The first step of a turn also has the prompt as it was sent, and the summary that was made for it.
    """

    endpoint: str
    response: Any
    calls: tuple[str, ...] = ()
    prompt: str | None = None
    summary: Summary | None = None

    @property
    def text(self) -> str:
        """As it is stored."""
        values: dict[str, Any] = {"v": VERSION, "endpoint": self.endpoint, "response": self.response}
        if self.calls:
            values["calls"] = self.calls
        if self.prompt is not None:
            values["prompt"] = self.prompt
        if self.summary is not None:
            values["summary"] = {"upTo": self.summary.up_to, "text": self.summary.text}
        return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def read_note(text: str) -> Note | None:
    """A stored note; None for one of another agent or version."""
    try:
        values = json.loads(text)
        if values["v"] != VERSION:
            return None
        summary = values.get("summary")
        return Note(
            endpoint=values["endpoint"],
            response=values["response"],
            calls=tuple(values.get("calls", ())),
            prompt=values.get("prompt"),
            summary=None if summary is None else Summary(up_to=summary["upTo"], text=summary["text"]),
        )
    except (ValueError, LookupError, TypeError):
        return None


def kept(response: ModelResponse) -> Any:
    """An answer as JSON."""
    return ModelMessagesTypeAdapter.dump_python([response], mode="json")[0]


@frozen(kw_only=True)
class History:
    """A session's messages before a prompt, with the notes that belong to them."""

    messages: Sequence[Message]
    notes: Mapping[str, Note]

    def summary(self) -> Summary | None:
        """The newest boundary."""
        found = (self.notes[each.id].summary for each in reversed(self.messages) if each.id in self.notes)
        return next((each for each in found if each is not None), None)

    def rebuilt(self, endpoint: str, summary: Summary | None) -> list[ModelMessage]:
        """What a model is sent of it."""
        prompts = {
            each.turn_id: self.notes[each.id].prompt
            for each in self.messages
            if each.id in self.notes and self.notes[each.id].prompt is not None
        }
        after = 0 if summary is None else summary.up_to
        sent: list[ModelMessage] = [] if summary is None else [_user(earlier(summary.text))]
        for message in self.messages:
            if message.seq > after:
                sent += self._of(message, endpoint, prompts.get(message.turn_id) if message.turn_id else None)
        return sent

    def _of(self, message: Message, endpoint: str, prompt: str | None) -> list[ModelMessage]:
        match message.role:
            case Role.USER:
                return [_user(prompt or message.content)]
            case Role.SYSTEM | Role.TOOL:
                return [_user(quoted(message.role.value, message.content))]
            case Role.ASSISTANT:
                return self._answer(message, endpoint)

    def _answer(self, message: Message, endpoint: str) -> list[ModelMessage]:
        note = self.notes.get(message.id)
        response = None if note is None else _as_it_came(message, note, endpoint)
        if response is None:
            return told(message)
        calls = [part for part in response.parts if isinstance(part, ToolCallPart)]
        pairs = zip(calls, message.tool_calls or (), strict=True)
        return with_results(response, [(part, result_text(call)) for part, call in pairs])


def _as_it_came(message: Message, note: Note, endpoint: str) -> ModelResponse | None:
    """The answer in a note, if it is this model's and says what the message says."""
    if note.endpoint != endpoint or note.calls != tuple(call.id for call in message.tool_calls or ()):
        return None
    try:
        (response,) = ModelMessagesTypeAdapter.validate_python([note.response])
    except ValueError:
        return None
    if not isinstance(response, ModelResponse):
        return None
    said = "".join(part.content for part in response.parts if isinstance(part, TextPart))
    calls = [part for part in response.parts if isinstance(part, ToolCallPart)]
    return response if said == message.content and len(calls) == len(note.calls) else None


def told(message: Message) -> list[ModelMessage]:
    """A message of which nothing else is known; calls get ids that any provider takes."""
    parts: list[TextPart | ToolCallPart] = []
    if message.content.strip():
        parts.append(TextPart(content=message.content))
    results = []
    for number, call in enumerate(message.tool_calls or ()):
        name = re.sub(r"[^A-Za-z0-9_-]", "_", call.name)[:64] or "tool"
        part = ToolCallPart(tool_name=name, args=dict(call.arguments), tool_call_id=f"call_{message.seq}_{number}")
        parts.append(part)
        results.append((part, result_text(call)))
    return with_results(ModelResponse(parts=parts), results) if parts else []


def with_results(response: ModelResponse, results: Sequence[tuple[ToolCallPart, str]]) -> list[ModelMessage]:
    """An answer, and what became of its calls."""
    if not results:
        return [response]
    returned = [
        ToolReturnPart(tool_name=part.tool_name, content=text, tool_call_id=part.tool_call_id) for part, text in results
    ]
    return [response, ModelRequest(parts=returned)]


def result_text(call: ToolCall) -> str:
    """What a model is told of a call's end."""
    if isinstance(call.result, Mapping) and isinstance(call.result.get("text"), str):
        return str(call.result["text"])
    if call.result is None:
        return "Cancelled." if call.status.value == "cancelled" else "No result."
    return call.result if isinstance(call.result, str) else json.dumps(call.result, ensure_ascii=False)


def _user(text: str) -> ModelRequest:
    return ModelRequest(parts=[UserPromptPart(content=text or " ")])


def thinking_of(response: ModelResponse) -> str:
    """The thinking that can be read."""
    return "".join(part.content for part in response.parts if isinstance(part, ThinkingPart))
