"""Text that Kore did not write, as a terminal or a pipe gets it: nothing in it steers, reorders or hides anything.

Names, paths, tags and error details are lines, contents are bodies. JSON keeps its meaning: it is escaped instead.
"""

from __future__ import annotations

import json
import re
from typing import Any

from kore_ls.model.display import visible

_UNSEEN = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
_BREAK = re.compile("\r\n|\n")


def line(text: str) -> str:
    """`text` on one line, its controls as symbols."""
    return visible(text)


def body(text: str) -> str:
    """`text` with its line breaks kept and its tabs as spaces; all other controls as symbols."""
    return "\n".join(visible(each.expandtabs(8)) for each in _BREAK.split(text))


def json_text(value: Any) -> str:
    """`value` as JSON for people and programs, ending in a line break; what can't be seen is written as `\\uXXXX`."""
    return escaped_json(json.dumps(value, ensure_ascii=False, indent=2)) + "\n"


def escaped_json(text: str) -> str:
    """JSON text of the same meaning without a character that a terminal might obey."""
    return _UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
