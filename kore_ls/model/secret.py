"""What users give to open an encrypted store, as it is written in settings and params. Never shown in any text."""

from __future__ import annotations

import base64
import binascii

from attrs import field, frozen

KEY_BYTES = 32


@frozen(kw_only=True)
class Secret:
    """A passphrase, or a key as `base64:...` or `hex:...`; the key counts where both are given.

    `unusable`: one was given that is none. Nothing may be written plain then, as its user wants it encrypted.
    """

    passphrase: str | None = field(default=None, repr=False)
    key: str | None = field(default=None, repr=False)
    unusable: bool = False

    @property
    def value(self) -> str | bytes:
        """The passphrase, or the key's 32 bytes. Raises ValueError where there is neither."""
        if self.key is not None:
            return read_key(self.key)
        if not self.passphrase:
            raise ValueError("there is neither a passphrase nor a key")
        return self.passphrase

    def __bool__(self) -> bool:
        return bool(self.key or self.passphrase)


def read_key(text: str) -> bytes:
    """The 32 bytes in `base64:...` or `hex:...`. Raises ValueError, which never quotes the text."""
    form, _, encoded = text.strip().partition(":")
    if form not in ("base64", "hex"):
        raise ValueError("must start with base64: or hex:")
    try:
        key = base64.b64decode(encoded, validate=True) if form == "base64" else bytes.fromhex(encoded)
    except (binascii.Error, ValueError):
        raise ValueError(f"is no {form}") from None
    if len(key) != KEY_BYTES:
        raise ValueError(f"must be exactly {KEY_BYTES} bytes, not {len(key)}")
    return key


def key_problem(value: str) -> str | None:
    """Keys: `base64:` or `hex:` and exactly 32 bytes."""
    try:
        read_key(value)
    except ValueError as error:
        return str(error)
    return None


def passphrase_problem(value: str) -> str | None:
    """Passphrases: any text but an empty one."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return "contains a lone surrogate"
    return None if value else "must not be empty"
