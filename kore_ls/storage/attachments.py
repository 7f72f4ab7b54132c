"""Long texts that came with a prompt: stored once, however many messages carry them. Run inside a hop.

The row keeps its metadata as [metadata without these texts, {place in `context`: name of the text}]. What users send
is always an object, so nothing of theirs can be taken for this form; and in an encrypted store it is as secret and as
bound to its message as all metadata, so that no text can be exchanged for another.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from kore_ls.model.limits import JsonObject
from kore_ls.storage.codec import unreadable
from kore_ls.storage.contents import content_name, find_content, keep_content

FindText = Callable[[str], bytes | None]
"""What has a name; None: it is lost, and the message is to be read without it. May raise StoreDamaged."""

LONG_CHARS = 4_096
"""A text as long as this is not kept with its message."""

_TABLE = "attached_texts"
_LONGEST_CONTEXT = 1_000


def detached(db: sqlite3.Connection, metadata: JsonObject) -> tuple[Any, set[str]]:
    """What the message's row keeps of its metadata, and under which names the rest is stored now."""
    context = metadata.get("context")
    if not isinstance(context, list | tuple):
        return metadata, set()
    entries, texts, names = list(context), dict[str, str](), set[str]()
    for at, entry in enumerate(entries[:_LONGEST_CONTEXT]):
        text = entry.get("text") if isinstance(entry, dict) else None
        if isinstance(text, str) and len(text) >= LONG_CHARS:
            content = text.encode()
            texts[str(at)] = content_name(content)
            names.add(keep_content(db, _TABLE, content))
            entries[at] = {key: value for key, value in entry.items() if key != "text"}
    if not names:
        return metadata, names
    return [{**metadata, "context": entries}, texts], names


def attached(stored: list[Any], find: FindText) -> dict[str, Any]:
    """The metadata whose row keeps `stored`. Raises StoreDamaged, and ValueError and its like for what is none."""
    metadata, texts = map(dict, stored)
    for at, name in texts.items():
        text = find(name)
        metadata["context"][int(at)] |= {"textLeftOut": True} if text is None else {"text": text.decode()}
    return metadata


def text_finder(db: sqlite3.Connection) -> FindText:
    """Finds the texts of this store. A name without a text is damage, which a repair can mend."""

    def find(name: str) -> bytes:
        text = find_content(db, _TABLE, name)
        if text is None:
            raise unreadable()
        return text

    return find
