"""What user data may look like: one rule per kind of field, used by the wire, the Python API and imports alike.

A rule takes a value of the right type and returns what is wrong with it, or None. No text repeats the value.
Its docstring is what the reference says of the field, less what stands before the first colon.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from kore_ls.model.ids import is_id

JsonObject: TypeAlias = Mapping[str, Any]
Rule: TypeAlias = Callable[[Any], str | None]

CONTENT_BYTES = 16 << 20
NAME_CHARS = 200
DESCRIPTION_CHARS = 4_000
TAG_CHARS = 100
TAGS = 64
METADATA_BYTES = 64 << 10
WIRE_BYTES = 64 << 20
PAGE_BYTES = 8 << 20
IMPORT_FILE_BYTES = 1 << 30
IMPORT_MESSAGES = 1_000_000
IMPORT_DEPTH = 64
METADATA_DEPTH = IMPORT_DEPTH - 4
"""What is exported can be imported: a message's metadata stands four deep in its document."""
DOCUMENT_BYTES = 32 << 20
MAX_INTEGER = (1 << 53) - 1


def unicode_problem(value: str) -> str | None:
    """Text: no lone surrogates, which can be neither stored nor sent."""
    if value.isascii():
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        return "contains a lone surrogate"
    return None


def id_problem(value: str) -> str | None:
    """Identifiers: 1 to 64 letters, digits, `_` or `-`."""
    return None if is_id(value) else "must be 1 to 64 letters, digits, '_' or '-'"


def _line_problem(value: str, longest: int) -> str | None:
    if not value.strip():
        return "must not be blank"
    if len(value) > longest:
        return f"must have at most {longest} characters"
    if "\0" in value:
        return "must not contain NUL"
    return unicode_problem(value)


def name_problem(value: str) -> str | None:
    """Session names: not blank, at most 200 characters, no NUL."""
    return _line_problem(value, NAME_CHARS)


def tag_problem(value: str) -> str | None:
    """Tags: not blank, at most 100 characters, no NUL."""
    return _line_problem(value, TAG_CHARS)


def tags_problem(value: tuple[str, ...]) -> str | None:
    """At most 64 tags."""
    return f"must have at most {TAGS} entries" if len(value) > TAGS else None


def description_problem(value: str) -> str | None:
    """Descriptions: at most 4,000 characters; an empty one removes it."""
    if len(value) > DESCRIPTION_CHARS:
        return f"must have at most {DESCRIPTION_CHARS} characters"
    return unicode_problem(value)


def content_problem(value: str) -> str | None:
    """Message contents: at most 16 MiB as UTF-8; NUL is allowed, empty is allowed."""
    if len(value) * 4 <= CONTENT_BYTES:
        return unicode_problem(value)
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        return "contains a lone surrogate"
    return f"must have at most {CONTENT_BYTES} bytes" if size > CONTENT_BYTES else None


def deeper_than(value: Any, depth: int) -> bool:
    """Whether objects and lists are nested deeper than `depth` inside of the value."""
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return any(depth == 0 or deeper_than(each, depth - 1) for each in inner if isinstance(each, Mapping | list | tuple))


def metadata_problem(value: JsonObject) -> str | None:
    """Metadata: a JSON object of at most 64 KiB as UTF-8 JSON, nested at most 60 deep."""
    if not value:
        return None
    if deeper_than(value, METADATA_DEPTH):
        return f"must be nested at most {METADATA_DEPTH} deep"
    try:
        encoded = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        size = len(encoded.encode())
    except UnicodeEncodeError:
        return "contains a lone surrogate"
    except (TypeError, ValueError, RecursionError):
        return "must be a JSON object"
    return f"must have at most {METADATA_BYTES} bytes as JSON" if size > METADATA_BYTES else None


def between(least: int, most: int) -> Rule:
    """A rule for integers from `least` to `most`, both included."""

    def rule(value: int) -> str | None:
        return None if least <= value <= most else f"must be from {least} to {most}"

    rule.__doc__ = f"{least} to {most}"
    return rule


def one_of(*words: str) -> Rule:
    """A rule for a string that must be one of `words`."""

    def rule(value: str) -> str | None:
        return None if value in words else "must be one of " + ", ".join(words)

    rule.__doc__ = "One of " + ", ".join(words)
    rule.words = words  # type: ignore[attr-defined]  # the client types make a union of them
    return rule
