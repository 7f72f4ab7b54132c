"""Pages to read: everything said is there, and nothing that was said does anything."""

from __future__ import annotations

import html
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from kore_ls.model.message import Message, ToolCall, ToolKind, ToolStatus
from kore_ls.model.session import SessionRecord, Usage
from kore_ls.sessions.documents.readable.charts import Course, time_line, usage_chart
from kore_ls.sessions.documents.readable.markdown import MarkdownWriter, fenced
from kore_ls.sessions.documents.readable.page import POLICY, HtmlWriter
from kore_ls.sessions.documents.readable.passages import passages
from tests.sessions.documents.test_export_document import message, record

HOSTILE = (
    "<script>alert(1)</script>\n<img src=http://evil.example/x onerror=alert(1)>\n</p></article></main>"
    "<style>*{display:none}</style><meta http-equiv=refresh content=0>\n<svg onload=alert(1)>&lt;b&gt;"
    "\"'><iframe src=javascript:alert(1)></iframe>\n<!-- \n]]> <?php ?>\n![x](http://evil.example/y.png)\n"
    "\x1b]0;owned\x07\u202eevil\u2066 </details></summary></textarea></title>"
)


def call(**changes: object) -> ToolCall:
    values: dict[str, object] = {
        "id": "c",
        "message_id": "m1",
        "name": "shell",
        "kind": ToolKind.EXECUTE,
        "title": "make",
        "arguments": {"argv": ["make"]},
        "status": ToolStatus.COMPLETED,
        "result": "完成",
    }
    return ToolCall(**(values | changes))  # type: ignore[arg-type]


def markdown(session: SessionRecord, *messages: Message) -> str:
    writer = MarkdownWriter(session, clock=lambda: 0)
    return (writer.head() + writer.messages(messages) + writer.end()).decode()


def page(session: SessionRecord, *messages: Message) -> str:
    writer = HtmlWriter(session, clock=lambda: 0)
    return (writer.head() + writer.messages(messages[:1]) + writer.messages(messages[1:]) + writer.end()).decode()


class Reader(HTMLParser):
    """What a browser would make of a page: its elements with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def everywhere(text: str) -> tuple[SessionRecord, Message]:
    """A session with the text in every place where somebody else's text may stand."""
    session = record(name=text.replace("\n", " "), tags=(text.replace("\n", " "),), description=text)
    inner = call(title=text, arguments={text: text}, result=text)
    return session, message(content=text, thinking=text, tool_calls=(inner,))


def test_a_hostile_message_is_inert_in_html() -> None:
    session, said = everywhere(HOSTILE)
    found = Reader(page(session, said))
    plain = Reader(page(*everywhere("x\n" * HOSTILE.count("\n"))))
    assert {tag for tag, _ in found.elements} <= {tag for tag, _ in plain.elements} | {"code"}
    for _, attributes in found.elements:
        assert not any(name.startswith("on") or name in ("src", "href", "style") for name in attributes)
    assert "<script>alert(1)</script>" in found.text
    assert "\u202e" not in found.text
    assert "\x1b" not in found.text


def test_the_page_forbids_all_but_its_own_style() -> None:
    text = page(record())
    assert f'content="{POLICY}"' in text
    assert "default-src 'none'" in POLICY
    assert "unsafe" not in POLICY
    assert "<script" not in text
    assert text.count("<style>") == 1
    assert not re.search(r"(?:src|href)=|@import|url\(", text)


def test_html_says_all_that_was_said() -> None:
    said = message(content="看 `a < b` 🙂\n\n```c\nif (a < b) {}\n```\nafter", thinking="hm", tool_calls=(call(),))
    found = Reader(page(record(name="名字 & <co>", usage=Usage(input_tokens=1234, output_tokens=5)), said))
    for each in (
        "名字 & <co>",
        "看 ",
        "a < b",
        "🙂",
        "if (a < b) {}",
        "after",
        "hm",
        "execute: make",
        "完成",
        "1,234 in",
    ):
        assert each in found.text
    assert [tag for tag, _ in found.elements].count("pre") == 3


def test_markdown_has_front_matter_a_heading_for_each_message_and_folded_tool_calls() -> None:
    talk = (message(1, content="问题"), message(2, content="答案", role="assistant", tool_calls=(call(),)))
    text = markdown(record(name='a: "b" # c', tags=("t",), message_count=2), *talk)
    assert text.startswith('---\ntitle: "a: \\"b\\" # c"\nid: "s1"\n')
    assert "\n## 1 · user · 1970-01-01 00:00 UTC\n\n问题\n" in text
    assert "\n### 2 · assistant · 1970-01-01 00:00 UTC\n\n答案\n" in text
    assert "<details>\n<summary>execute: make — completed</summary>\n\n```json\n" in text
    assert text.count("</details>") == 1


@pytest.mark.parametrize("inside", ["`", "```", "``````", "~~~", "```\n````\n`````"])
def test_a_fence_is_longer_than_any_in_it(inside: str) -> None:
    first, *lines, last = fenced(inside).split("\n")
    assert "\n".join(lines) == inside
    assert first == last
    assert not any(line.startswith(first) for line in lines)


@pytest.mark.parametrize("content", ["```python\nprint(1)", "~~~\n```\n", "````\n```\nx\n```", "text\n```"])
def test_a_fence_that_is_never_closed_ends_with_its_message(content: str) -> None:
    text = markdown(record(), message(1, content=content), message(2, content="after"))
    assert [each for each in passages(text) if each.code and "## 2" in each.text] == []
    assert "\n## 2 · user" in text


def test_what_messages_say_looks_like_no_heading_and_is_no_html_in_markdown() -> None:
    session, said = everywhere(HOSTILE + "\n# Heading\n---\n## 9 · user\nTitle\n===")
    outside = "".join(each.text for each in passages(markdown(session, said)) if not each.code)
    ours = {"details", "/details", "summary", "/summary"}
    assert set(re.findall(r"(?<!\\)<(/?[A-Za-z!?][\w-]*)", outside)) <= ours
    assert not re.search(r"(?<!\\)!\[", outside)
    headings = re.findall(r"^#+ .*", outside, re.MULTILINE)
    assert len(headings) == 2
    assert "\u202e" not in outside


LIVE = "<img src=https://evil.example/x.png>"


@pytest.mark.parametrize(
    "contents",
    [
        [f"\\`{LIVE}\\`"],
        [f"a `\n\n{LIVE}\n\n` b"],
        [f"- `a\n- {LIVE}`"],
        [f"`` a\n`b `` {LIVE} `c`"],
        [f"a `\n<div>{LIVE}</div> `"],
        [f"| a | b |\n|---|---|\n| `c | {LIVE} ` |"],
        ["\\![x](https://evil.example/x.png)"],
        ["\\\\![x](https://evil.example/x.png)"],
        [f"```\n{LIVE}\n```", f"`{LIVE}`", f"````\n```\n{LIVE}\n"],
        ["~~~ a`b", f"```\n~~~\n{LIVE}\n```"],
        [f"~~~ a`b\n~~~\n\n{LIVE}"],
        [f"- ~~~\n\n{LIVE}\n", f"> ```\n{LIVE}\n```\n{LIVE}"],
        [f"\\```{LIVE}`` {LIVE}```"],
        ["    ```", f"```\n{LIVE}\n```"],
    ],
)
def test_no_image_and_no_html_of_a_message_is_found_by_a_renderer_of_markdown(contents: list[str]) -> None:
    said = [message(seq, content=content) for seq, content in enumerate([*contents, "the end"], 1)]
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(markdown(record(), *said))
    every = [*tokens, *(inner for token in tokens for inner in token.children or ())]
    assert {each.type for each in every}.isdisjoint({"html_inline", "html_block", "image"})
    headings = [each.content for at, each in enumerate(tokens) if tokens[at - 1].type == "heading_open"]
    assert len(headings) == 1 + len(said) + 1  # the front matter, the name, and each message
    assert tokens[-2].content == "the end"


def test_code_spans_keep_what_is_in_them() -> None:
    assert "`Vec<String>` and &lt;b>" in markdown(record(), message(content="`Vec<String>` and <b>"))


def test_the_drawings_are_sound_and_bounded() -> None:
    course = Course()
    for number in range(5_000):
        role = "user" if number % 2 else "assistant"
        usage = {"usage": {"input_tokens": 10, "output_tokens": 1}}
        course.add(message(number + 1, role=role, timestamp=number * 1000, metadata=usage))
    assert len(course.points) <= 4_096
    for drawing in (time_line(course), usage_chart(course)):
        assert len(ElementTree.fromstring(html.unescape(drawing)).findall(".//rect")) <= 240
    assert "50,000 tokens in, 5,000 out" in usage_chart(course)


def test_a_session_without_messages_is_a_page() -> None:
    assert "<article" not in page(record())
    assert markdown(record()).count("\n#") == 1


@pytest.mark.parametrize("timestamp", [0, 1 << 52])
def test_odd_times_are_shown_somehow(timestamp: int) -> None:
    assert "1 · user" in page(record(), message(timestamp=timestamp))
    assert "1 · user" in markdown(record(), message(timestamp=timestamp))
