"""What a user gives to open an encrypted store, and how it guards the store's own key. Reads and writes no file.

The data is encrypted with a random key; that key is stored wrapped with what is derived from the user's.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata

from attrs import frozen

from kore_ls.errors import StoreDamaged, WrongKey
from kore_ls.model.secret import KEY_BYTES

_NONCE_BYTES = 12
_SALT_BYTES = 16
_MOST_N, _MOST_R, _MOST_P = 1 << 18, 8, 4
_PASSPHRASE, _KEY = "scrypt", "key"
_COST = re.compile(r"n=(\d{1,7}),r=(\d{1,3}),p=(\d{1,3})")


@frozen(kw_only=True)
class Cost:
    """What deriving a key from a passphrase costs: scrypt's parameters. Memory is 128 * n * r bytes."""

    n: int = 1 << 16
    r: int = 8
    p: int = 1

    def __attrs_post_init__(self) -> None:
        fits = 2 <= self.n <= _MOST_N and 1 <= self.r <= _MOST_R and 1 <= self.p <= _MOST_P
        if not fits or self.n & (self.n - 1):
            raise ValueError("the cost of the key's derivation is out of bounds")

    def __str__(self) -> str:
        return f"n={self.n},r={self.r},p={self.p}"


@frozen(kw_only=True)
class WrappedKey:
    """A store's key as it is kept in the store: under which number, and wrapped how (`kdf` "scrypt" or "key")."""

    key_id: int
    kdf: str
    cost: str
    salt: bytes
    wrapped: bytes

    @property
    def bound_to(self) -> bytes:
        """What the wrapping vouches for besides the key."""
        return f"kore key 1\0{self.key_id}\0{self.kdf}\0{self.cost}\0".encode() + self.salt


class Cipher:
    """What opens a store: a passphrase (`str`) or a key (`bytes`, exactly 32 of them).

    A passphrase may be any text but an empty one; `cost` counts where a store is made or encrypted with it. What is
    derived is kept in memory, so that only the first use takes its time.
    """

    def __init__(self, key: str | bytes, *, cost: Cost | None = None) -> None:
        """Raises ValueError for bytes that are not 32, for an empty passphrase, and for anything else."""
        self._kdf = _PASSPHRASE if isinstance(key, str) else _KEY
        self._cost = cost or Cost()
        self._derived: dict[tuple[bytes, str], bytes] = {}
        if isinstance(key, str):
            if not key:
                raise ValueError("a passphrase must not be empty")
            self._secret = unicodedata.normalize("NFC", key).encode("utf-8", "surrogatepass")
            return
        if not isinstance(key, bytes | bytearray):
            raise ValueError(f"a key is a passphrase (str) or exactly {KEY_BYTES} bytes, not {_kind(key)}")
        if len(key) != KEY_BYTES:
            raise ValueError(
                f"a key of bytes must have exactly {KEY_BYTES}, not {len(key)}: "
                "make one with os.urandom(32), or give a passphrase as str"
            )
        self._secret = bytes(key)

    def __repr__(self) -> str:
        return f"Cipher(<{'passphrase' if self._kdf == _PASSPHRASE else 'key'}>)"

    def wrap(self, data_key: bytes, key_id: int) -> WrappedKey:
        """A store's key, wrapped with this one. Takes a moment for passphrases, see `Cost`."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        by_passphrase = self._kdf == _PASSPHRASE
        salt = os.urandom(_SALT_BYTES) if by_passphrase else b""
        empty = WrappedKey(
            key_id=key_id, kdf=self._kdf, cost=str(self._cost) if by_passphrase else "", salt=salt, wrapped=b""
        )
        nonce = os.urandom(_NONCE_BYTES)
        box = nonce + AESGCM(self._wrapping_key(empty)).encrypt(nonce, data_key, empty.bound_to)
        return WrappedKey(key_id=key_id, kdf=empty.kdf, cost=empty.cost, salt=salt, wrapped=box)

    def unwrap(self, wrapped: WrappedKey) -> bytes:
        """The store's key. Raises WrongKey, and StoreDamaged for what we would not have stored, before it costs time.

        Takes a moment for passphrases.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if wrapped.kdf not in (_PASSPHRASE, _KEY):
            raise StoreDamaged("the store's key is not kept in a way that Kore LS knows", reason="key")
        if wrapped.kdf != self._kdf:
            raise WrongKey(expected="passphrase" if wrapped.kdf == _PASSPHRASE else "key")
        nonce, box = wrapped.wrapped[:_NONCE_BYTES], wrapped.wrapped[_NONCE_BYTES:]
        try:
            data_key = AESGCM(self._wrapping_key(wrapped)).decrypt(nonce, box, wrapped.bound_to)
        except (InvalidTag, ValueError) as error:
            raise WrongKey from error
        if len(data_key) != KEY_BYTES:
            raise StoreDamaged("the store's key is damaged", reason="key")
        return data_key

    def _wrapping_key(self, wrapped: WrappedKey) -> bytes:
        if wrapped.kdf == _KEY:
            return self._secret
        known = self._derived.get((wrapped.salt, wrapped.cost))
        if known is None:
            cost = _cost_of(wrapped.cost)
            known = hashlib.scrypt(
                self._secret,
                salt=wrapped.salt,
                n=cost.n,
                r=cost.r,
                p=cost.p,
                maxmem=128 * cost.r * (cost.n + cost.p + 2) + (1 << 20),
                dklen=KEY_BYTES,
            )
            self._derived[wrapped.salt, wrapped.cost] = known
        return known


def _kind(key: object) -> str:
    """What was given in place of a key, without a word of it."""
    if isinstance(key, memoryview):
        return f"a memoryview of {key.nbytes}: give bytes"
    return f"of type {type(key).__name__}"


def _cost_of(stored: str) -> Cost:
    """Raises StoreDamaged for parameters we would not have chosen: a shipped store must not eat time and memory."""
    match = _COST.fullmatch(stored)
    try:
        if match is None:
            raise ValueError
        return Cost(n=int(match[1]), r=int(match[2]), p=int(match[3]))
    except ValueError as error:
        raise StoreDamaged("the store's key is kept with parameters out of bounds", reason="key") from error
