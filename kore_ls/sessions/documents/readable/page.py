"""A session as one HTML file: no script, nothing from elsewhere, light and dark; messages are only text. Pure."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterable

from kore_ls.model.ids import Clock
from kore_ls.model.message import Message, ToolCall
from kore_ls.model.session import SessionRecord
from kore_ls.sessions.documents.readable.charts import Course, time_line, usage_chart
from kore_ls.sessions.documents.readable.passages import as_text, calm, moment, passages

STYLE = """
:root { color-scheme: light dark; --ground: #fff; --ink: #1f2328; --faint: #59636e; --line: #d1d9e0; --soft: #f6f8fa;
  --user: #0b6e4f; --other: #3b5bdb; --lower: #0b6e4f; --upper: #9db2f5; }
@media (prefers-color-scheme: dark) { :root { --ground: #0f1216; --ink: #e6edf3; --faint: #9198a1; --line: #3d444d;
  --soft: #171c22; --user: #5fd0a5; --other: #9db2f5; --lower: #5fd0a5; --upper: #4863b8; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.6 system-ui, "Noto Sans", "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif,
  "Apple Color Emoji", "Segoe UI Emoji", "Noto Color Emoji"; }
main { display: flex; flex-direction: column; max-width: 56rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
header { order: -2; } .course { order: -1; }
h1 { line-height: 1.25; overflow-wrap: anywhere; margin: 0 0 .5rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; color: var(--faint); margin: 0 0 1rem; }
dt { font-weight: 600; } dd { margin: 0; overflow-wrap: anywhere; }
figure { margin: 1rem 0; } svg { width: 100%; height: 90px; background: var(--soft); border-radius: 6px; }
figcaption, time { color: var(--faint); font-size: .85rem; }
rect.lower { fill: var(--lower); } rect.upper { fill: var(--upper); }
span.lower { color: var(--lower); } span.upper { color: var(--upper); }
article { border-top: 1px solid var(--line); padding: 1rem 0; }
article > h2 { font-size: 1rem; margin: 0 0 .5rem; color: var(--other); } article.user > h2 { color: var(--user); }
article.user { background: var(--soft); margin: 0 -1rem; padding: 1rem; border-radius: 6px; }
p { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: 6px; padding: .75rem; overflow-x: auto;
  white-space: pre-wrap; overflow-wrap: anywhere; margin: .5rem 0; }
code, pre { font: .875em/1.5 ui-monospace, "Noto Sans Mono", "Noto Sans Mono CJK SC", monospace; }
p code { background: var(--soft); border-radius: 4px; padding: .1em .3em; }
details { border: 1px solid var(--line); border-radius: 6px; padding: .4rem .75rem; margin: .5rem 0; }
summary { cursor: pointer; color: var(--faint); overflow-wrap: anywhere; }
.failed > summary, .denied > summary { color: #c4342b; }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'"
"""What a browser may do with the page: apply this very style, and nothing else."""
_CODE_SPAN = re.compile(r"(`+)(?!`)([^\n]*?)(?<!`)\1(?!`)")


class HtmlWriter:
    """Writes one page: `head`, then `messages` any number of times, then `end`; the pieces joined are UTF-8."""

    def __init__(self, record: SessionRecord, *, clock: Clock) -> None:
        self._record = record
        self._clock = clock
        self._course = Course()

    def head(self) -> bytes:
        """Everything before the first message."""
        record = self._record
        facts = {
            "id": record.id,
            "created": moment(record.created_at),
            "updated": moment(record.updated_at),
            "mode": record.agent_mode.value,
            "messages": str(record.message_count),
            "tags": ", ".join(record.tags),
            "exported": moment(self._clock()),
        }
        if record.usage is not None:
            facts["tokens"] = f"{record.usage.input_tokens:,} in, {record.usage.output_tokens:,} out"
        rows = "".join(f"<dt>{name}</dt><dd>{_text(value)}</dd>" for name, value in facts.items() if value)
        about = f"<p>{_text(record.description)}</p>" if record.description else ""
        return (
            '<!doctype html>\n<html><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
            '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="referrer" '
            f'content="no-referrer"><title>{_text(record.name)}</title><style>{STYLE}</style></head>\n<body><main>\n'
            f"<header><h1>{_text(record.name)}</h1><dl>{rows}</dl>{about}</header>\n"
        ).encode("utf-8", "replace")

    def messages(self, batch: Iterable[Message]) -> bytes:
        """The next messages."""
        page: list[str] = []
        for message in batch:
            self._course.add(message)
            page.append(_article(message))
        return "".join(page).encode("utf-8", "replace")

    def end(self) -> bytes:
        """The drawings, which the style moves to the top, and what closes the page."""
        drawings = time_line(self._course) + usage_chart(self._course)
        return f'<section class="course">{drawings}</section>\n</main></body></html>\n'.encode()


def _article(message: Message) -> str:
    state = f" · {message.state.value}" if message.state else ""
    thinking = ""
    if message.thinking:
        thinking = f"<details><summary>thinking</summary><p>{_text(message.thinking)}</p></details>"
    role = message.role.value
    return (
        f'<article class="{role}" id="m{message.seq}"><h2>{message.seq} · {role}{state} '
        f"<time>{moment(message.timestamp)}</time></h2>{thinking}{_body(message.content)}"
        f"{''.join(map(_tool_call, message.tool_calls or ()))}</article>\n"
    )


def _body(content: str) -> str:
    page: list[str] = []
    for passage in passages(calm(content)):
        if passage.code:
            page.append(f"<pre><code>{html.escape(passage.text)}</code></pre>")
        elif passage.text.strip():
            page.append(f"<p>{_prose(passage.text.strip())}</p>")
    return "".join(page)


def _prose(text: str) -> str:
    page: list[str] = []
    place = 0
    for span in _CODE_SPAN.finditer(text):
        page += [html.escape(text[place : span.start()]), f"<code>{html.escape(span[2])}</code>"]
        place = span.end()
    return "".join([*page, html.escape(text[place:])])


def _tool_call(call: ToolCall) -> str:
    result = "" if call.result is None else f"<pre>{html.escape(as_text(call.result))}</pre>"
    return (
        f'<details class="{call.status.value}"><summary>{call.kind.value}: {_text(call.title)} — {call.status.value}'
        f"</summary><pre>{html.escape(as_text(dict(call.arguments)))}</pre>{result}</details>"
    )


def _text(text: str) -> str:
    return html.escape(calm(text))
