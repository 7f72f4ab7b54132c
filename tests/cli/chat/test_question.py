"""Answers typed key by key, as on systems where no event loop waits for a terminal."""

from __future__ import annotations

import pytest

from kore_ls.cli.chat.question import line_of_keys


@pytest.mark.parametrize(
    ("keys", "line", "shown"),
    [
        ("2 not now\r", "2 not now", "2 not now\n"),
        ("3\b1\n", "1", "3\b \b1\n"),
        ("\b\r", "", "\n"),
        ("\xe0H\0;1\r", "1", "1\n"),
        ("1\x03", "", "1"),
    ],
)
async def test_a_line_is_made_of_keys(keys: str, line: str, shown: str) -> None:
    pressed, echoed = list(keys), list[str]()
    assert await line_of_keys(lambda: bool(pressed), lambda: pressed.pop(0), echoed.append) == line
    assert ("".join(echoed), pressed) == (shown, [])
