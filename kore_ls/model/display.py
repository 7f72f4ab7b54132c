"""Text that Kore did not write, made safe to show: nothing in it can steer a terminal or reorder a line."""

from __future__ import annotations

import re

# the joiners U+200C and U+200D stay: they shape letters and emoji and steer nothing
_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


def visible(text: str) -> str:
    """`text` with control, direction and invisible characters shown as symbols, for one line of output."""
    return _STEERING.sub(_symbol, text)


def shortened(text: str, longest: int) -> str:
    """At most `longest` characters of `text`, the last of them an ellipsis where something was cut."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _symbol(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else f"<{code:04X}>"


def quoted(word: str) -> str:
    """A word as it may be shown: in quotes unless it is plain, nothing in it hidden."""
    plain = word and all(each.isalnum() or each in "-_./=:,+@%" for each in word)
    return visible(word) if plain else "'" + visible(word).replace("'", "'\\''") + "'"
