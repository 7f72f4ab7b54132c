"""Transcripts as Markdown: what others wrote in them loads nothing, leads nowhere and looks like no part of ours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from kore_ls.sessions.documents.inert_markdown import inert

PIECES = [
    *("`", "``", "```", "~~~", "~", "|", "\\", "\n", "\n", " ", "    ", "> ", "- ", "1. ", "# ", "===", "---", "$$"),
    *("[x](http://h/p)", "![x](http://h/p)", "[x][r]", "[r]: http://h/p", "<http://h/p>", "<img src=x>", "<!--", "-->"),
    *("http://h/p", "a|b", "|-|-|", "word", "[", "](", ")", "!", "<", "*", "```mermaid", "*[", "&lt;", "\t"),
]


def active(text: str) -> list[str]:
    """What a renderer of Markdown with tables and raw HTML finds in a text, but harmless things."""
    found = []
    stack = MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)
    while stack:
        token = stack.pop()
        if token.type != "heading_open" or token.level == 0:  # in a list or a quote it is none of ours
            found.append(token.type)
        stack += token.children or []
    return [each for each in found if each in ("link_open", "image", "html_inline", "html_block", "heading_open")]


@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
def test_nothing_in_a_message_is_a_link_an_image_html_or_a_heading(text: str) -> None:
    lines = inert(text)

    assert active("\n".join(lines)) == []
    assert active("\n".join([*lines, "", "# ours"])) == ["heading_open"]  # nothing swallows what follows
    assert len(text.split("\n")) <= len(lines) <= len(text.split("\n")) + 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("**bold** and `a[0]`", "**bold** and `a[0]`"),
        ("![i](http://h/p.png)", "!\\[i\\](`http://h/p.png`)"),
        ("<img src=x onerror=alert(1)>", "\\<img src=x onerror=alert(1)>"),
        ("# heading", "\\# heading"),
        ("> quoted\n- item", "> quoted\n- item"),
        ("```python\nx = [1]\n```", "```python\nx = [1]\n```"),
        ("```mermaid\nx\n", "```\nx\n\n```"),
        ("````\n```\n````", "````\n```\n````"),
    ],
)
def test_what_is_harmless_stays_readable(text: str, shown: str) -> None:
    assert "\n".join(inert(text)) == shown
