"""Texts as editors count them: the one stretch in which two texts differ, and columns in a client's encoding. Pure."""

from __future__ import annotations

from typing import Any


def changed_stretch(before: str, after: str, encoding: str) -> dict[str, Any]:
    """The LSP TextEdit that turns one text into the other, of whole lines as far as they differ."""
    old, new = before.split("\n"), after.split("\n")
    most = min(len(old), len(new))
    start = 0
    while start < most and old[start] == new[start]:
        start += 1
    end = 0
    while end < most - start and old[-1 - end] == new[-1 - end]:
        end += 1
    first = {"line": start, "character": 0}
    if end:  # up to the first line that is the same again
        last = {"line": len(old) - end, "character": 0}
        text = "".join(line + "\n" for line in new[start : len(new) - end])
    else:  # up to the end of the text
        if start == most and start:  # one text begins with the other: the line break before belongs to the change
            start -= 1
            first = {"line": start, "character": 0}
        last = {"line": len(old) - 1, "character": units(old[-1], encoding)}
        text = "\n".join(new[start:])
    return {"range": {"start": first, "end": last}, "newText": text}


def units(text: str, encoding: str) -> int:
    """How long a text is, in a client's encoding (`utf-8`, `utf-16` or `utf-32`)."""
    if text.isascii() or encoding == "utf-32":
        return len(text)
    return len(text.encode()) if encoding == "utf-8" else len(text.encode("utf-16-le")) // 2


def from_utf16(line: str, character: int, encoding: str) -> int:
    """A column in UTF-16 units, in a client's encoding; one within a character is at its beginning."""
    if line.isascii():
        return character
    prefix = line.encode("utf-16-le")[: 2 * character].decode("utf-16-le", "ignore")
    return units(prefix, encoding)


def to_utf16(line: str, character: int, encoding: str) -> int:
    """A column in a client's encoding, in UTF-16 units; one within a character is at its beginning."""
    if line.isascii() or encoding == "utf-16":
        return character
    prefix = line[:character] if encoding == "utf-32" else line.encode()[:character].decode(errors="ignore")
    return units(prefix, "utf-16")
