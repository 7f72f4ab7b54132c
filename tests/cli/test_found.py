"""Search hits are shown with the words marked, and nothing in them steers the terminal."""

from __future__ import annotations

from typing import Any

from kore_ls.cli.found import hit_text, marked


def spans(text: str, ranges: list[list[int]]) -> list[str]:
    shown = marked(text, ranges)
    return [shown.plain[span.start : span.end] for span in shown.spans]


def test_ranges_count_utf_16_units() -> None:
    assert spans("😀😀 用户认证 ok", [[5, 9]]) == ["用户认证"]


def test_what_steers_is_shown_and_the_mark_stays_in_place() -> None:
    shown = marked("\x1b[31m认证\u202e", [[5, 7]])

    assert "\x1b" not in shown.plain
    assert "\u202e" not in shown.plain
    assert [shown.plain[span.start : span.end] for span in shown.spans] == ["认证"]


def test_a_hit_shows_its_session_and_each_message() -> None:
    session = {"name": "登录", "messageCount": 2, "updatedAt": 0}
    match = {"seq": 7, "role": "user", "snippet": "登录接口", "ranges": [[0, 2]]}
    hit: dict[str, Any] = {"session": session, "nameRanges": [[0, 2]], "matches": [match]}

    lines = hit_text(hit, "abc").plain.splitlines()

    assert lines[0].startswith("登录  abc · 2 messages")
    assert lines[1] == "  #7 user 登录接口"


def test_only_the_name_of_a_session_is_bold() -> None:
    hit: dict[str, Any] = {
        "session": {"name": "name", "messageCount": 2, "updatedAt": 0},
        "matches": [{"seq": 1, "role": "user", "snippet": "plain", "ranges": []}],
    }
    shown = hit_text(hit, "abc")

    assert [str(span.style) for span in shown.spans if shown.plain[span.start : span.end] == "name"] == ["bold"]
    assert shown.style == ""
