"""Encrypted values within SQL statements: the functions that a connection to an encrypted store has for them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from operator import methodcaller
from typing import Any, cast

from kore_ls.errors import KoreError
from kore_ls.storage.codec import Codec, StoreConnection, codec_of
from kore_ls.storage.columns import SEALED

INDEXED_BYTES = 1 << 20
"""Of a longer message only so much is searched."""
SearchedMessages = tuple[list[tuple[Any, ...]], list[bytes]]
"""Of messages rows that have the session's id as their second and the row's id as their last, and what is searched."""
_TOLERANT = methodcaller("decode", "utf-8", "replace")
_SEARCHED = f"ifnull(substr(CAST(m.content AS BLOB), 1, {INDEXED_BYTES}), x'')"


def install(db: sqlite3.Connection, codec: Codec) -> None:
    """Make a connection encrypt and decrypt what goes through the row mapping.

    A text that is none, as whoever may write the file can put there, is read all the same: it is one damaged value.
    """
    cast(StoreConnection, db).codec = codec
    db.text_factory = _TOLERANT

    def resealed(table: str, column: str, value: bytes, *places: bytes) -> bytes | None:
        words = [place.decode() for place in places]
        text = codec.open(codec.place(table, *words[:4]), column, value)
        return codec.seal(codec.place(table, *words[4:]), column, text)

    def searched(content: bytes, *place: bytes) -> bytes:
        try:
            uid, session, role, seq = map(bytes.decode, place)
            return codec.open_bytes(codec.place("messages", uid, session, role, seq), "content", content)[
                :INDEXED_BYTES
            ]
        except (KoreError, ValueError, TypeError):  # a row that can't be read is not found; reading it says why
            return b""

    def opened(table: str, column: str, value: bytes, *place: bytes) -> str | None:
        try:
            return codec.open(codec.place(table, *map(bytes.decode, place)), column, value)
        except (KoreError, ValueError, TypeError):
            return None

    db.create_function("resealed", 11, resealed)
    db.create_function("searched", 5, searched)
    db.create_function("unsealed", 7, opened)


def sealed_value(sql: str) -> str:
    """An encrypted value as an argument of a function, in SQL: of a text, which may be none, something unreadable."""
    return f"CASE typeof({sql}) WHEN 'text' THEN x'' ELSE {sql} END"


def _words(*places: str) -> str:
    """What a value is bound to as arguments: bytes, which SQLite passes on whatever they are."""
    return ", ".join(f"CAST({place} AS BLOB)" for place in places)


_SEARCHED_SEALED = f"searched({sealed_value('m.content')}, {_words('m.uid', 'm.session_id', 'm.role', 'm.seq')})"


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
        own_uid = session_id if uid is None and old_uid == old_session else uid
        places = _words(
            *(old_uid, old_session, role, old_seq, own_uid or old_uid, session_id or old_session, role, seq or old_seq)
        )
        written.append(f"resealed('{table}', '{column}', {sealed_value(f't.{column}')}, {places})")
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
    return _SEARCHED if codec_of(db) is None else _SEARCHED_SEALED


def searched_messages(db: sqlite3.Connection, where: str, values: Sequence[Any], *, filtered: bool) -> SearchedMessages:
    """Of messages `m`, and if `filtered` their sessions `s`, newest first: what is searched, see `searched_text`."""
    codec = codec_of(db)
    sessions = "CROSS JOIN sessions s ON s.id = m.session_id" if filtered else ""
    joined = f"FROM messages m {sessions} WHERE {where} ORDER BY m.id DESC"
    if codec is None:
        rows = db.execute(f"SELECT {_SEARCHED}, CAST(m.session_id AS BLOB), m.id {joined}", values).fetchall()
        return rows, [row[0] for row in rows]
    columns = "m.uid, m.session_id, m.role, CAST(m.seq AS BLOB)"
    before, db.text_factory = db.text_factory, bytes  # of most rows no word is ever needed as text
    try:
        rows = db.execute(f"SELECT {columns}, {sealed_value('m.content')}, m.id {joined}", values).fetchall()
    finally:
        db.text_factory = before
    # A row that can't be read is not found; reading it says why.
    texts = [text[:INDEXED_BYTES] if text else b"" for text in codec.open_all("messages", "content", rows)]
    return rows, texts


def unsealed(table: str, column: str) -> str:
    """A column of the row `t` as text, in SQL; NULL where it can't be decrypted."""
    return f"unsealed('{table}', '{column}', {sealed_value(f't.{column}')}, {_words(*SEALED[table].place)})"


def unsealed_in_session(column: str, alias: str) -> str:
    """The same for a column of the table or alias of sessions."""
    place = _words(f"{alias}.id", f"{alias}.id", "''", "''")
    return f"unsealed('sessions', '{column}', {sealed_value(f'{alias}.{column}')}, {place})"


def named_texts(db: sqlite3.Connection) -> str:
    """What of a session `s` is searched as its name, in SQL: name, description and tags."""
    if codec_of(db) is None:
        return "s.name, s.description, s.tags"
    return ", ".join(unsealed_in_session(column, "s") for column in ("name", "description", "tags"))


def text_of(searched: bytes) -> str:
    """What `searched_text` yields as text."""
    return searched.decode("utf-8", "replace")
