"""When a history is too long for a model, where to put the boundary, and what is told of what lies before it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kore_ls.agents.model.history import History, Summary, result_text
from kore_ls.agents.model.words import as_data
from kore_ls.model.message import Message, Role

WINDOW = 128_000
"""Tokens that a model is taken to hold where nobody says."""
_FULL = 0.75
_KEPT = 0.3
_TOLD = 0.6
_RESULT_CHARS = 2_000


def tokens(text: str) -> int:
    """About how many tokens a text is: four letters, or one Chinese character."""
    plain = sum(character < "\u2e80" for character in text) if not text.isascii() else len(text)
    return plain // 4 + (len(text) - plain) + 4


def _weight(message: Message) -> int:
    calls = message.tool_calls or ()
    return tokens(message.content) + sum(tokens(str(call.arguments)) + tokens(result_text(call)) for call in calls)


def size(history: History, summary: Summary | None) -> int:
    """About how many tokens a history is, told from its boundary on."""
    after = 0 if summary is None else summary.up_to
    whole = sum(_weight(message) for message in history.messages if message.seq > after)
    return whole + (0 if summary is None else tokens(summary.text))


def is_long(history: History, summary: Summary | None, window: int) -> bool:
    """Whether a history leaves too little room for an answer."""
    return size(history, summary) > window * _FULL


def cut(history: History, summary: Summary | None, window: int) -> int | None:
    """The last message that the boundary covers: what follows begins with a prompt and is short. None: nothing to cut.

    A turn is not torn apart, unless it alone is too long.
    """
    after = 0 if summary is None else summary.up_to
    left = [message for message in history.messages if message.seq > after]
    if not left:
        return None
    room, found = window * _KEPT, left[-1].seq
    for message in reversed(left):
        room -= _weight(message)
        if room < 0:
            break
        if message.role is Role.USER:
            found = message.seq - 1
    return found if found > after else left[-1].seq


def transcript(history: History, summary: Summary | None, up_to: int, window: int) -> str:
    """The messages up to the boundary as data, with the summary before them; the middle is left out if need be."""
    after = 0 if summary is None else summary.up_to
    lines: list[dict[str, Any]] = [] if summary is None else [{"summary of what was before": summary.text}]
    lines += [_line(message) for message in history.messages if after < message.seq <= up_to]
    weights = [tokens(str(line)) for line in lines]
    room = int(window * _TOLD)
    if sum(weights) > room:
        head, tail = 0, len(lines)
        used = 0
        while head < tail:
            take_tail = (len(lines) - tail) <= 3 * head
            weight = weights[tail - 1] if take_tail else weights[head]
            if used + weight > room:
                break
            used += weight
            head, tail = (head, tail - 1) if take_tail else (head + 1, tail)
        lines = [*lines[:head], {"left out": f"{tail - head} messages"}, *lines[tail:]]
    return as_data(lines)


def _line(message: Message) -> dict[str, Any]:
    line: dict[str, Any] = {message.role.value: message.content[: 4 * _RESULT_CHARS]}
    if message.tool_calls:
        line["tools"] = [
            {"name": call.name, "arguments": _short(call.arguments), "result": result_text(call)[:_RESULT_CHARS]}
            for call in message.tool_calls
        ]
    return line


def _short(arguments: Mapping[str, Any]) -> Any:
    return {key: value[:_RESULT_CHARS] if isinstance(value, str) else value for key, value in arguments.items()}
