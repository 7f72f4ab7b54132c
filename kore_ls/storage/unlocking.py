"""Opening a store's encryption: the key is checked before any row is read, a new store gets one. Run inside a hop."""

from __future__ import annotations

import sqlite3

from attrs import frozen

from kore_ls.errors import StoreLocked, WrongKey
from kore_ls.model.ids import now_ms
from kore_ls.storage.cipher import Cipher, WrappedKey
from kore_ls.storage.codec import NONCE_LIMIT, Codec
from kore_ls.storage.gate import Gate
from kore_ls.storage.keys import (
    GENERATION,
    StoreKey,
    generation,
    insert_key,
    new_key,
    open_key,
    read_wrapped,
    reserve,
    used,
)
from kore_ls.storage.memory_index import INDEXED_MESSAGES
from kore_ls.storage.migrations import SEARCH_TABLES

BLOCK = 1 << 10
"""For so many values at once the use of the key is noted."""
ROTATE_AT = NONCE_LIMIT >> 1
"""When a key was used so often, it is time for another one; until there is, it can be used on up to the limit."""


_PLAIN = "the store is not encrypted although there is a key for it; encrypt it, or say that it is meant to be plain"
_UNUSABLE = "the key that is configured is none, so nothing is stored; mend it, or unlock the store with another"
_WAS_ENCRYPTED = "the store was encrypted, and is not any more; encrypt it, or say that it is meant to be plain"
_ENDS = 100


@frozen
class Access:
    """With what a user opens a store: one key, or two while it is changed; the first one is for new stores.

    `plain`: a plain store is meant to be written although there is a key. `indexed_messages`: how many messages of an
    encrypted store are indexed in memory. `rotate_at`: after so many values the store gets another key by itself.
    `unusable`: there is a key that is none, and until there is a better one nothing may be written.
    """

    ciphers: tuple[Cipher, ...] = ()
    plain: bool = False
    indexed_messages: int = INDEXED_MESSAGES
    rotate_at: int = ROTATE_AT
    unusable: bool = False

    @property
    def wants_key(self) -> bool:
        """Whether a plain store is not to be written."""
        return (bool(self.ciphers) or self.unusable) and not self.plain


def refusal(access: Access, gate: Gate | None) -> str:
    """Why nothing may be written to a plain store; empty: it may."""
    if access.wants_key:
        return _PLAIN if access.ciphers else _UNUSABLE
    return _WAS_ENCRYPTED if not access.plain and gate is not None and gate.was_encrypted() else ""


def holds_sealed(db: sqlite3.Connection) -> bool:
    """Whether there are encrypted values, as far as the first and last rows tell; without a key it was taken out."""
    ends = [
        f"SELECT * FROM (SELECT typeof({column}) AS kind FROM {table} ORDER BY {number} {order} LIMIT {_ENDS})"
        for table, column, number in (("sessions", "name", "num"), ("messages", "content", "id"))
        for order in ("ASC", "DESC")
    ]
    return db.execute(f"SELECT 1 FROM ({' UNION ALL '.join(ends)}) WHERE kind = 'blob' LIMIT 1").fetchone() is not None


def is_key_of_rows(db: sqlite3.Connection, codec: Codec) -> bool:
    """Whether the key opens any of the last rows, if there are some: that of another store may lie in its place."""
    names = "SELECT id, id, '', '', name, 0 FROM sessions ORDER BY num DESC"
    texts = "SELECT uid, session_id, role, CAST(seq AS BLOB), content, 0 FROM messages ORDER BY id DESC"
    before, db.text_factory = db.text_factory, bytes
    try:
        named, said = (db.execute(f"{sql} LIMIT {_ENDS}").fetchall() for sql in (names, texts))
    finally:
        db.text_factory = before
    found = codec.open_all("sessions", "name", named) + codec.open_all("messages", "content", said)
    return not found or any(text is not None for text in found)


def unlock(db: sqlite3.Connection, access: Access, *, read_only: bool = False) -> tuple[StoreKey | None, int]:
    """The key of the store, made for a new one (None: it is plain), and the store's generation.

    Raises StoreLocked where there is no key to open it with, WrongKey. A store in which nothing was ever kept is new.
    """
    at, found = _as_it_is(db)
    if found is None and access.ciphers and not read_only:
        _make(db, access.ciphers[0])
        at, found = _as_it_is(db)
    if found is None:
        return None, at
    key = _opened(found, access.ciphers)
    if not read_only:
        _drop_index(db)
    return key, at


def open_store_key(db: sqlite3.Connection, access: Access) -> StoreKey | None:
    """The key of a store that nothing is changed of; None: it is plain. Raises StoreLocked, WrongKey, StoreDamaged."""
    found = read_wrapped(db)
    return None if found is None else _opened(found, access.ciphers)


def _as_it_is(db: sqlite3.Connection) -> tuple[int, WrappedKey | None]:
    """The generation first: where both change in between, what is opened is taken for outdated, and not for the new."""
    at = generation(db)
    return at, read_wrapped(db)


def _opened(wrapped: WrappedKey, ciphers: tuple[Cipher, ...]) -> StoreKey:
    if not ciphers:
        raise StoreLocked("the store is encrypted; unlock it with its passphrase or key", reason="key")
    for cipher in ciphers[:-1]:
        try:
            return open_key(wrapped, cipher)
        except WrongKey:
            continue
    return open_key(wrapped, ciphers[-1])


def _make(db: sqlite3.Connection, cipher: Cipher) -> None:
    """Give a store that is new a key, unless another process was faster; not one in which something is kept."""
    if _is_used(db):
        return
    key = new_key(cipher, generation(db) + 1)  # takes its time, so before others are kept from writing
    db.execute("BEGIN IMMEDIATE")
    try:
        if not _is_used(db) and read_wrapped(db) is None:
            insert_key(db, key.wrapped, now_ms())
            note_generation(db, generation(db) + 1)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _is_used(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM meta WHERE key = 'sessions_made'").fetchone() is not None


def _drop_index(db: sqlite3.Connection) -> None:
    """No index of what is encrypted may lie in the file; ours never does."""
    for name in SEARCH_TABLES:
        if db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone() is not None:
            db.execute(f"DROP TABLE IF EXISTS {name}")


def note_generation(db: sqlite3.Connection, number: int) -> None:
    """Tell all who have the store open that its encryption has changed."""
    db.execute(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (GENERATION, number),
    )


class Budget:
    """Counts how much a store's key is used, over all processes, and ends its use in time.

    `worn`: it is time for another key.
    """

    def __init__(self, codec: Codec | None, limit: int = NONCE_LIMIT, rotate_at: int = ROTATE_AT) -> None:
        self._codec = codec
        self._limit = limit
        self._rotate_at = rotate_at
        self._reserved = 0
        self.worn = False

    def look(self, db: sqlite3.Connection) -> None:
        """See how much the key was used before."""
        if self._codec is not None:
            self.worn = used(db, self._codec.key_id) >= self._rotate_at

    def spend(self, db: sqlite3.Connection) -> None:
        """Called at the end of each transaction; notes the use, in blocks. Raises StoreLocked.

        Of a transaction that is undone the note goes too: with half of what would be safe as the limit, that is fine.
        """
        codec = self._codec
        if codec is None or codec.sealed <= self._reserved:
            return
        ahead = -(-(codec.sealed - self._reserved) // BLOCK) * BLOCK
        total = reserve(db, codec.key_id, ahead)
        if total > self._limit:
            raise StoreLocked("the store's key was used as much as is safe; give the store another key", reason="worn")
        self._reserved += ahead
        self.worn = total >= self._rotate_at
