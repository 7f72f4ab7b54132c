"""A session as a Markdown page: front matter, a heading for each message, tool calls folded. Pure.

What messages say stays Markdown, but can't leave its place: fences are closed, HTML and images are shown as text.
"""

from __future__ import annotations

import html
import json
import re
from bisect import bisect_right
from collections.abc import Iterable
from typing import Any

from kore_ls.model.ids import Clock
from kore_ls.model.message import Message, Role, ToolCall
from kore_ls.model.session import SessionRecord
from kore_ls.sessions.documents.readable.passages import as_text, calm, moment, passages

_TICKS = re.compile("`+")
_ESCAPED_OR_TICKS = re.compile(r"\\.|`+")
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_STRUCTURE = re.compile(r"^( {0,3})(#{1,6}(?=\s|$)|(?:-{3,}|={3,}|\*{3,}|_{3,})\s*$)")
_MARKS = re.compile(r"([\\`*_\[\]<>#|])")


class MarkdownWriter:
    """Writes one page: `head`, then `messages` any number of times, then `end`; the pieces joined are UTF-8."""

    def __init__(self, record: SessionRecord, *, clock: Clock) -> None:
        self._record = record
        self._clock = clock

    def head(self) -> bytes:
        """The front matter and the title."""
        record = self._record
        facts: dict[str, Any] = {
            "title": record.name,
            "id": record.id,
            "created": moment(record.created_at),
            "updated": moment(record.updated_at),
            "mode": record.agent_mode.value,
            "messages": record.message_count,
            "tags": list(record.tags),
            "exported": moment(self._clock()),
        }
        if record.usage is not None:
            facts |= {"input_tokens": record.usage.input_tokens, "output_tokens": record.usage.output_tokens}
        # JSON is YAML as well, whatever is in a name
        lines = [f"{name}: {_yaml(value)}" for name, value in facts.items()]
        page = ["---", *lines, "---", "", f"# {escaped(record.name)}", ""]
        if record.description:
            page += [_prose(calm(record.description)), ""]
        return "\n".join(page).encode("utf-8", "replace")

    def messages(self, batch: Iterable[Message]) -> bytes:
        """The next messages."""
        return "".join(map(_message, batch)).encode("utf-8", "replace")

    def end(self) -> bytes:
        """What closes the page."""
        return b""


def _yaml(value: Any) -> str:
    """A value in the front matter, which viewers that don't know such a thing show as text of the page."""
    return calm(json.dumps(value, ensure_ascii=False)).replace("<", "\\u003c").replace("![", "!\\u005b")


def fenced(text: str, language: str = "") -> str:
    """The text between fences that are longer than any that is in it."""
    longest = max((len(each) for each in _TICKS.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _message(message: Message) -> str:
    level = "##" if message.role is Role.USER else "###"
    state = f" · {message.state.value}" if message.state else ""
    page = ["", f"{level} {message.seq} · {message.role.value} · {moment(message.timestamp)}{state}", ""]
    if message.thinking:
        page += [_folded("thinking", fenced(calm(message.thinking), "text")), ""]
    if message.content.strip():
        page += [_body(calm(message.content)), ""]
    page += [_tool_call(call) for call in message.tool_calls or ()]
    return "\n".join(page)


def _body(text: str) -> str:
    page = []
    for passage in passages(text):
        language = re.sub(r"[^\w+#.-]", "", passage.language)
        page.append(fenced(passage.text, language) if passage.code else _prose(passage.text))
    return "\n".join(page)


def _prose(text: str) -> str:
    """Prose in which only code spans are left alone; headings and rules would look like ours."""
    return "\n".join(_line(_STRUCTURE.sub(r"\1\\\2", line)) for line in text.split("\n"))


def _line(line: str) -> str:
    """A line whose code spans no renderer finds to begin or end elsewhere: all other backquotes are escaped."""
    ends: dict[int, list[int]] = {}
    for run in _TICKS.finditer(line):
        ends.setdefault(len(run[0]), []).append(run.end())
    kept: list[str] = []
    place = at = 0
    while (found := _ESCAPED_OR_TICKS.search(line, at)) is not None:
        at, ticks = found.end(), found[0]
        if ticks[0] == "\\":
            continue
        kept.append(_tamed(line[place : found.start()]))
        same = ends.get(len(ticks), [])
        closing = bisect_right(same, at)
        end = same[closing] if closing < len(same) else None
        # A table would cut the span in two. Nothing is copied before it is sure: spans may begin thousands of times.
        if end is None or (_has(line, "|", at, end) and (_has(line, "<", at, end) or _has(line, "[", at, end))):
            kept.append("\\`" * len(ticks))
        else:
            kept.append(line[found.start() : end])
            at = end
        place = at
    return "".join([*kept, _tamed(line[place:])])


def _has(line: str, sign: str, start: int, end: int) -> bool:
    return line.find(sign, start, end) >= 0


def _tamed(text: str) -> str:
    return _TAG.sub("&lt;", text).replace("![", r"!\[")


def _tool_call(call: ToolCall) -> str:
    parts = [fenced(as_text(dict(call.arguments)), "json")]
    if call.result is not None:
        parts.append(fenced(as_text(call.result), "text"))
    return _folded(f"{call.kind.value}: {call.title} — {call.status.value}", "\n\n".join(parts)) + "\n"


def _folded(title: str, body: str) -> str:
    summary = html.escape(" ".join(calm(title).split())).replace("[", "&#91;")
    return f"<details>\n<summary>{summary}</summary>\n\n{body}\n\n</details>\n"


def escaped(line: str) -> str:
    """A line in which nothing means anything to Markdown."""
    return _MARKS.sub(r"\\\1", " ".join(calm(line).split()))
