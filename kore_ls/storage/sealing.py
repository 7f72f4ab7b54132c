"""Encrypted values within SQL statements: the functions that a connection to an encrypted store has for them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import cast

from kore_ls.errors import KoreError
from kore_ls.storage.codec import Codec, StoreConnection, codec_of
from kore_ls.storage.columns import SEALED

INDEXED_BYTES = 1 << 20
"""Of a longer message only so much is searched."""
_SEARCHED = f"ifnull(substr(CAST(m.content AS BLOB), 1, {INDEXED_BYTES}), x'')"


def install(db: sqlite3.Connection, codec: Codec) -> None:
    """Make a connection encrypt and decrypt what goes through the row mapping."""
    cast(StoreConnection, db).codec = codec

    def resealed(
        table: str, column: str, value: bytes, uid: str, session: str, role: str, seq: int, *to: str | int
    ) -> bytes | None:
        text = codec.open(codec.place(table, uid, session, role, seq), column, value)
        uid2, session2, role2, seq2 = to
        return codec.seal(codec.place(table, str(uid2), str(session2), str(role2), seq2), column, text)

    def searched(content: bytes, uid: str, session: str, role: str, seq: int) -> bytes:
        place = codec.place("messages", uid, session, role, seq)
        try:
            return codec.open_bytes(place, "content", content)[:INDEXED_BYTES]
        except KoreError:  # a row that can't be read is not found; reading it says why
            return b""

    def opened(table: str, column: str, value: bytes, uid: str, session: str, role: str, seq: int) -> str | None:
        try:
            return codec.open(codec.place(table, uid, session, role, seq), column, value)
        except KoreError:
            return None

    db.create_function("resealed", 11, resealed)
    db.create_function("searched", 5, searched)
    db.create_function("unsealed", 7, opened)


def moved(
    table: str,
    columns: str,
    *,
    uid: str | None = None,
    session_id: str | None = None,
    seq: str | None = None,
) -> str:
    """SQL for columns of the row `t`, encrypted ones anew for another place: what differs there is given as SQL."""
    written = []
    for column in columns.split(", "):
        if column not in SEALED[table].columns:
            written.append(f"t.{column}")
            continue
        old_uid, old_session, role, old_seq = SEALED[table].place
        old = f"{old_uid}, {old_session}, {role}, {old_seq}"
        own_uid = session_id if uid is None and old_uid == old_session else uid
        new = f"{own_uid or old_uid}, {session_id or old_session}, {role}, {seq or old_seq}"
        written.append(f"resealed('{table}', '{column}', t.{column}, {old}, {new})")
    return ", ".join(written)


def reseal(db: sqlite3.Connection, table: str, rows: str, places: Sequence[str | int]) -> None:
    """Encrypt rows of `t` anew for another session, as long as they can still be opened: to be done before they move.

    `rows` is SQL that chooses them; its parameters are `places`, of which the first (?1) is the session's new id.
    """
    names = ", ".join(SEALED[table].columns)
    source = " FROM messages m WHERE m.id = t.message_id" if table == "tool_calls" else ""
    values = f"SELECT {moved(table, names, session_id='?1')}{source}"
    db.execute(f"UPDATE {table} AS t SET ({names}) = ({values}) WHERE {rows}", places)


def searched_text(db: sqlite3.Connection) -> str:
    """What of a message `m` is searched, in SQL; as bytes, which even a text that has rotted is. See `text_of`."""
    return _SEARCHED if codec_of(db) is None else "searched(m.content, m.uid, m.session_id, m.role, m.seq)"


def unsealed(table: str, column: str) -> str:
    """A column of the row `t` as text, in SQL; NULL where it can't be decrypted."""
    return f"unsealed('{table}', '{column}', t.{column}, {', '.join(SEALED[table].place)})"


def named_texts(db: sqlite3.Connection) -> str:
    """What of a session `s` is searched as its name, in SQL: name, description and tags."""
    if codec_of(db) is None:
        return "s.name, s.description, s.tags"
    columns = ("name", "description", "tags")
    return ", ".join(f"unsealed('sessions', '{column}', s.{column}, s.id, s.id, '', '')" for column in columns)


def text_of(searched: bytes) -> str:
    """What `searched_text` yields as text."""
    return searched.decode("utf-8", "replace")
