"""The store's own key: where it is kept, how it is made and opened, and how much it was used. Run inside a hop."""

from __future__ import annotations

import os
import secrets
import sqlite3
from typing import cast

from attrs import field, frozen

from kore_ls.errors import StoreDamaged
from kore_ls.model.secret import KEY_BYTES
from kore_ls.storage.cipher import Cipher, WrappedKey
from kore_ls.storage.codec import Codec
from kore_ls.storage.hidden_process import hide_process

GENERATION = "store_generation"
"""The key in `meta` under which stands how often the store was encrypted, decrypted or given another key."""

LINEAGE = "lineage"
"""The key in `meta` under which stands which store this is, see `StoreForm`."""

_MOST = 1 << 62
"""What is counted here never comes near it, and can be added to."""

CONVERTING_MS = 15 * 60 * 1000
"""Longer than this nobody waits for another process that encrypts, decrypts or rekeys the store."""


@frozen(kw_only=True)
class StoreKey:
    """A store's key, opened."""

    wrapped: WrappedKey
    data_key: bytes = field(repr=False)

    def codec(self) -> Codec:
        """What encrypts and decrypts with it."""
        return Codec(self.wrapped.key_id, self.data_key)


def new_key(cipher: Cipher, key_id: int) -> StoreKey:
    """A random key, wrapped with `cipher`; takes a moment for passphrases."""
    hide_process()
    data_key = os.urandom(KEY_BYTES)
    return StoreKey(wrapped=cipher.wrap(data_key, key_id), data_key=data_key)


def open_key(wrapped: WrappedKey, cipher: Cipher) -> StoreKey:
    """Raises WrongKey, StoreDamaged; takes a moment for passphrases."""
    hide_process()
    return StoreKey(wrapped=wrapped, data_key=cipher.unwrap(wrapped))


def read_wrapped(db: sqlite3.Connection) -> WrappedKey | None:
    """The key of an encrypted store, the newest if there are several; None: the store is plain. Raises StoreDamaged."""
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'keys' AND type = 'table'").fetchone() is None:
        return None
    row = db.execute("SELECT key_id, kdf, cost, salt, wrapped FROM keys ORDER BY key_id DESC LIMIT 1").fetchone()
    if row is None:
        return None
    return wrapped_key(*row)


def wrapped_key(key_id: object, kdf: object, cost: object, salt: object, wrapped: object) -> WrappedKey:
    """A row of the table `keys`. Raises StoreDamaged for what is none."""
    texts = isinstance(kdf, str) and isinstance(cost, str)
    blobs = isinstance(salt, bytes) and isinstance(wrapped, bytes)
    if texts and blobs and isinstance(key_id, int) and 0 < key_id < 1 << 32:
        return WrappedKey(
            key_id=key_id, kdf=str(kdf), cost=str(cost), salt=cast(bytes, salt), wrapped=cast(bytes, wrapped)
        )
    raise StoreDamaged("the store's key is damaged", reason="key")


def insert_key(db: sqlite3.Connection, wrapped: WrappedKey, now: int) -> None:
    """Keep a wrapped key; from then on the store is encrypted. `now`: Unix milliseconds."""
    db.execute(
        "INSERT INTO keys (key_id, kdf, cost, salt, wrapped, created_at) VALUES (?, ?, ?, ?, ?, ?)",
        (wrapped.key_id, wrapped.kdf, wrapped.cost, wrapped.salt, wrapped.wrapped, now),
    )


def replace_key(db: sqlite3.Connection, wrapped: WrappedKey) -> None:
    """Keep the same key wrapped otherwise."""
    db.execute(
        "UPDATE keys SET kdf = ?, cost = ?, salt = ?, wrapped = ? WHERE key_id = ?",
        (wrapped.kdf, wrapped.cost, wrapped.salt, wrapped.wrapped, wrapped.key_id),
    )


def generation(db: sqlite3.Connection) -> int:
    """How often the store's encryption was changed. Raises StoreDamaged."""
    row = db.execute("SELECT value FROM meta WHERE key = 'store_generation'").fetchone()
    return 0 if row is None else _count(row[0])


def _count(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value < _MOST:
        raise StoreDamaged("what the store keeps of its key is damaged", reason="key")
    return value


@frozen(kw_only=True)
class StoreForm:
    """Which store a file holds, and in which form: encrypted with a key, or (`wrapped` None) plain.

    `lineage` is the same in all copies of a store, however old, and in no other store; None: it was never written.
    """

    lineage: str | None
    generation: int
    wrapped: WrappedKey | None


def form_of(db: sqlite3.Connection) -> StoreForm:
    """The form of the store that a connection has open. Raises StoreDamaged."""
    row = db.execute("SELECT value FROM meta WHERE key = ?", (LINEAGE,)).fetchone()
    return StoreForm(lineage=None if row is None else str(row[0]), generation=generation(db), wrapped=read_wrapped(db))


def new_lineage() -> str:
    """The lineage of a new store."""
    return secrets.token_hex(16)


def note_converting(db: sqlite3.Connection, now: int | None) -> None:
    """Tell others who find the store locked that it is being encrypted anew, since when; None: no more."""
    if now is None:
        db.execute("DELETE FROM meta WHERE key = 'converting'")
    else:
        db.execute(
            "INSERT INTO meta (key, value) VALUES ('converting', ?) "
            "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (now,),
        )


def is_converting(db: sqlite3.Connection, now: int) -> bool:
    """Whether a lock on the store may be that of a conversion, which is worth waiting for; not for ever."""
    try:
        row = db.execute("SELECT value FROM meta WHERE key = 'converting'").fetchone()
    except sqlite3.Error:
        return False
    return row is not None and isinstance(row[0], int) and 0 <= now - row[0] < CONVERTING_MS


def reserve(db: sqlite3.Connection, key_id: int, count: int) -> int:
    """Note that so many more values will be encrypted; how many that makes in all. Raises StoreDamaged."""
    total = used(db, key_id) + count
    db.execute("UPDATE keys SET used = ? WHERE key_id = ?", (total, key_id))
    return total


def used(db: sqlite3.Connection, key_id: int) -> int:
    """How many values a key was reserved for so far. Raises StoreDamaged."""
    row = db.execute("SELECT used FROM keys WHERE key_id = ?", (key_id,)).fetchone()
    return 0 if row is None else _count(row[0])
