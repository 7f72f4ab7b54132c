"""Text and JSON values that can be stored and sent: lone surrogates become U+FFFD, what is no JSON is refused."""

from __future__ import annotations

import json
from typing import Any

from kore_ls.model.limits import METADATA_DEPTH, deeper_than


def valid(text: str) -> str:
    """The text with U+FFFD in the place of lone surrogates."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def json_value(value: Any) -> Any:
    """A copy of a JSON value with valid text. Raises ValueError for what is no JSON or nested too deep."""
    if deeper_than(value, METADATA_DEPTH):
        raise ValueError("nested too deep")
    try:
        return json.loads(valid(json.dumps(value, ensure_ascii=False, allow_nan=False)))
    except (TypeError, RecursionError) as error:
        raise ValueError("not JSON") from error
