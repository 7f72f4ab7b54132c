"""Foreign text on its way to a page: made calm, cut into prose and code, and numbers in words. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from attrs import frozen

from kore_ls.model.display import visible

_FENCE = re.compile(r"^ {0,3}(`{3,}(?=[^`]*$)|~{3,})[ \t]*(\S*)")


@frozen
class Passage:
    """A stretch of a message: prose, or (with `code`) what stood between two fences, and the language named there."""

    text: str
    code: bool = False
    language: str = ""


def calm(text: str) -> str:
    """The text with control and direction characters shown instead of obeyed; lines and tabs stay."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join("\t".join(visible(part) for part in line.split("\t")) for line in lines)


def passages(text: str) -> Iterator[Passage]:
    """The stretches of a message in Markdown. A fence that is never closed ends with the message."""
    gathered: list[str] = []
    fence, language = "", ""
    for line in text.split("\n"):
        match = _FENCE.match(line)
        if match and not fence:
            if gathered:
                yield Passage("\n".join(gathered))
            gathered, fence, language = [], match[1], match[2]
        elif fence and match and not match[2] and match[1][0] == fence[0] and len(match[1]) >= len(fence):
            yield Passage("\n".join(gathered), code=True, language=language)
            gathered, fence = [], ""
        else:
            gathered.append(line)
    if gathered or fence:
        yield Passage("\n".join(gathered), code=bool(fence), language=language if fence else "")


def as_text(value: Any) -> str:
    """A tool's arguments or result as a text: strings as they are, anything else as indented JSON."""
    if isinstance(value, str):
        return calm(value)
    return calm(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def moment(milliseconds: int) -> str:
    """A time to the minute, in UTC: a page is read in many places."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):  # an imported time may lie beyond what calendars know
        return str(milliseconds)


def tokens_in(metadata: Any) -> tuple[int, int]:
    """The tokens that a message's metadata tells of, in and out; 0 where it tells nothing."""
    usage = metadata.get("usage") if isinstance(metadata, dict) else None
    if not isinstance(usage, dict):
        return 0, 0

    def first(*names: str) -> int:
        found = (usage.get(name) for name in names)
        numbers = (each for each in found if isinstance(each, int) and not isinstance(each, bool) and each > 0)
        return min(next(numbers, 0), 1 << 50)

    return (
        first("input_tokens", "inputTokens", "input", "prompt_tokens"),
        first("output_tokens", "outputTokens", "output", "completion_tokens"),
    )
