"""A session as a Markdown page: front matter, a heading for each message, tool calls folded. Pure.

What messages say stays Markdown, but can't leave its place: fences are closed, HTML and images are shown as text.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from typing import Any

from kore_ls.model.ids import Clock
from kore_ls.model.message import Message, Role, ToolCall
from kore_ls.model.session import SessionRecord
from kore_ls.sessions.documents.readable.passages import as_text, calm, moment, passages

_TICKS = re.compile("`+")
_CODE_SPAN = re.compile(r"(`+)(?!`)(.*?)(?<!`)\1(?!`)", re.DOTALL)
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_STRUCTURE = re.compile(r"^( {0,3})(#{1,6}(?=\s|$)|(?:-{3,}|={3,}|\*{3,}|_{3,})\s*$)", re.MULTILINE)
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
    kept: list[str] = []
    place = 0
    for span in _CODE_SPAN.finditer(text):
        kept += [_tamed(text[place : span.start()]), span[0]]
        place = span.end()
    return "".join([*kept, _tamed(text[place:])])


def _tamed(text: str) -> str:
    text = _TAG.sub("&lt;", text).replace("![", r"\![")
    return _STRUCTURE.sub(r"\1\\\2", text)


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
