"""Contents stored once, each under a name made of it: what tools answered at length, what was attached to prompts,
earlier states of files. Run inside a hop.

In an encrypted store nothing can be guessed from a name, see `Codec.hide`, and a content is bound to its own.
"""

from __future__ import annotations

import hashlib
import sqlite3
from typing import overload

from kore_ls.storage.codec import Codec, codec_of, unreadable

_NAMED_IN = {"outputs": ("tool_calls", "output"), "attached_texts": ("attachments", "name")}
"""Where contents are named for as long as they are wanted. For those of files, see `snapshot_rows`."""

_LOOKED_AT = 500
_MOST_REMOVED = 20
"""Each may have megabytes, which are overwritten."""


@overload
def content_name(content: bytes) -> str: ...
@overload
def content_name(content: bytes | None) -> str | None: ...
def content_name(content: bytes | None) -> str | None:
    """What a content is called, the same for equal ones; None for no file."""
    return None if content is None else hashlib.sha256(content).hexdigest()


def keep_content(db: sqlite3.Connection, table: str, content: bytes) -> str:
    """Store a content once; the name that it has in the file."""
    name, codec = content_name(content), codec_of(db)
    if codec is not None:
        name = codec.hide(name) or ""
    if db.execute(f"SELECT 1 FROM {table} WHERE name = ?", (name,)).fetchone() is None:
        sealed = content if codec is None else codec.seal_bytes(codec.place(table, name, ""), "content", content)
        db.execute(f"INSERT INTO {table} (name, content) VALUES (?, ?)", (name, sealed))
    return name


def find_content(db: sqlite3.Connection, table: str, name: str) -> bytes | None:
    """A content by what `content_name` made of it; None where it is not kept any more. Raises StoreDamaged."""
    codec = codec_of(db)
    stored = name if codec is None else codec.hide(name) or ""
    row = db.execute(f"SELECT content FROM {table} WHERE name = ?", (stored,)).fetchone()
    return None if row is None else opened_content(codec, table, stored, row[0])


def opened_content(codec: Codec | None, table: str, stored: str, content: object) -> bytes:
    """The content of a row that has the name `stored` in the file. Raises StoreDamaged for what is none."""
    if codec is None and isinstance(content, bytes):
        return content
    if codec is None:
        raise unreadable()
    return codec.open_bytes(codec.place(table, stored, ""), "content", content)


PURGED = tuple(_NAMED_IN)
"""The tables for `purge_contents`."""


def purge_contents(db: sqlite3.Connection, table: str, after: str) -> tuple[str | None, bool]:
    """Remove some of what nothing names, from after a name on; (where to go on or None, whether any was removed)."""
    names = [
        row[0]
        for row in db.execute(f"SELECT name FROM {table} WHERE name > ? ORDER BY name LIMIT ?", (after, _LOOKED_AT))
    ]
    if not names:
        return None, False
    naming, column = _NAMED_IN[table]
    gone = db.execute(
        f"SELECT name FROM {table} c WHERE name > ? AND name <= ? "
        f"AND NOT EXISTS (SELECT 1 FROM {naming} n WHERE n.{column} = c.name) ORDER BY name LIMIT ?",
        (after, names[-1], _MOST_REMOVED),
    ).fetchall()
    db.executemany(f"DELETE FROM {table} WHERE name = ?", gone)
    return gone[-1][0] if len(gone) == _MOST_REMOVED else names[-1], bool(gone)
