"""Single values, encrypted and bound to the place they belong to: AES-256-GCM. Knows no table and does no I/O.

A value moved to another row, column, session or store can't be opened there.
"""

from __future__ import annotations

import hmac
import os
import sqlite3
from collections.abc import Iterable

from kore_ls.errors import StoreDamaged

NONCE_LIMIT = 1 << 31
"""How many values one key may encrypt; with random nonces twice as many would still be safe."""

_FORMAT = 1
_NONCE_BYTES = 12
_HEAD_BYTES = 5
_TEXT_AT = _HEAD_BYTES + _NONCE_BYTES
OVERHEAD_BYTES = _HEAD_BYTES + _NONCE_BYTES + 16
"""By how much an encrypted value is longer than its text in UTF-8."""


class Codec:
    """Encrypts and decrypts with one store's key, which has the number `key_id` there."""

    def __init__(self, key_id: int, data_key: bytes) -> None:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers import Cipher
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.ciphers.algorithms import AES
        from cryptography.hazmat.primitives.ciphers.modes import ECB

        self.key_id = key_id
        self.sealed = 0
        self._invalid = InvalidTag
        self._aes = AESGCM(data_key)
        self._names = Cipher(AES(hmac.digest(data_key, b"kore names", "sha256")), ECB())
        self._start = f"{_FORMAT}\0{key_id}\0"
        self._head = bytes((_FORMAT,)) + key_id.to_bytes(4, "big")

    def place(self, table: str, uid: str, session_id: str, role: str = "", seq: int | str = "") -> str:
        """What the values of a row are bound to. `uid` names the row within its session for ever."""
        return f"{self._start}{table}\0{len(uid)}\0{uid}\0{len(session_id)}\0{session_id}\0{role}\0{seq}\0"

    def seal(self, place: str, column: str, text: str | None) -> bytes | None:
        """A text, encrypted; nothing stays nothing."""
        return None if text is None else self.seal_bytes(place, column, text.encode())

    def seal_bytes(self, place: str, column: str, data: bytes) -> bytes:
        """The same for what is no text."""
        self.sealed += 1
        nonce = os.urandom(_NONCE_BYTES)
        return self._head + nonce + self._aes.encrypt(nonce, data, (place + column).encode())

    def open(self, place: str, column: str, value: object) -> str | None:
        """What `seal` made at this place and in this column. Raises StoreDamaged for anything else."""
        return None if value is None else self.open_bytes(place, column, value).decode()

    def open_bytes(self, place: str, column: str, value: object) -> bytes:
        """The same as bytes."""
        if not isinstance(value, bytes) or value[:_HEAD_BYTES] != self._head:
            raise unreadable()
        try:
            return self._aes.decrypt(value[_HEAD_BYTES:_TEXT_AT], value[_TEXT_AT:], (place + column).encode())
        except (self._invalid, ValueError) as error:
            raise unreadable() from error

    def open_all(
        self, table: str, column: str, rows: Iterable[tuple[bytes, bytes, bytes, bytes, object, object]]
    ) -> list[bytes | None]:
        """Many values of one column, of rows of (uid, session id, role, seq, value, anything), words as UTF-8.

        None is what can't be opened. It does what `open_bytes` does, in half the time.
        """
        decrypt, head, failures = self._aes.decrypt, self._head, (self._invalid, ValueError, TypeError, AttributeError)
        starts: dict[int, bytes] = {}
        middles: dict[tuple[bytes, bytes], bytes] = {}
        start, end = f"{_FORMAT}\0{self.key_id}\0{table}\0", f"\0{column}".encode()
        found: list[bytes | None] = []
        for uid, session_id, role, seq, value, _ in rows:
            text = None
            try:
                if isinstance(value, bytes) and value[:_HEAD_BYTES] == head:
                    if (middle := middles.get((session_id, role))) is None:
                        words = (len(session_id.decode()), session_id, role)
                        middle = middles[session_id, role] = b"\0%d\0%b\0%b\0" % words
                    length = len(uid) if uid.isascii() else len(uid.decode())
                    if (begin := starts.get(length)) is None:
                        begin = starts[length] = f"{start}{length}\0".encode()
                    place = b"".join((begin, uid, middle, seq, end))
                    text = decrypt(value[_HEAD_BYTES:_TEXT_AT], value[_TEXT_AT:], place)
            except failures:
                pass
            found.append(text)
        return found

    def hide(self, name: str | None) -> str | None:
        """A name that is a SHA-256 in hex, as another such name: equal ones stay equal, and nothing can be guessed.

        Of a file with few possible contents the hash itself would tell which it is.
        """
        if name is None:
            return None
        encryptor = self._names.encryptor()
        return (encryptor.update(bytes.fromhex(name)) + encryptor.finalize()).hex()

    def reveal(self, hidden: object) -> str | None:
        """The name that was hidden. Raises StoreDamaged for what is none."""
        if hidden is None:
            return None
        decryptor = self._names.decryptor()
        try:
            return (decryptor.update(bytes.fromhex(str(hidden))) + decryptor.finalize()).hex()
        except ValueError as error:
            raise unreadable() from error


def unreadable() -> StoreDamaged:
    """The error for a value that is not what was stored there."""
    return StoreDamaged("the store holds a row that can't be read", reason="row")


class StoreConnection(sqlite3.Connection):
    """An SQLite connection that knows how the values of its store are encrypted."""

    codec: Codec | None = None


def codec_of(db: sqlite3.Connection) -> Codec | None:
    """How the values behind a connection are encrypted; None: they are not."""
    codec: Codec | None = getattr(db, "codec", None)
    return codec
