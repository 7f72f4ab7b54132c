"""With what tests open encrypted stores: keys that are derived at once, and which of them are left to the long run."""

from __future__ import annotations

import pytest

from kore_ls.storage.cipher import Cipher, Cost

CHEAP = Cost(n=2, r=1, p=1)
PASSPHRASE = "a passphrase"
IDS = ("plain", "encrypted")

ENCRYPTED_IS_SLOW = pytest.mark.parametrize(
    "passphrase",
    [pytest.param("", id=IDS[0]), pytest.param(PASSPHRASE, id=IDS[1], marks=pytest.mark.slow)],
    indirect=True,
)
"""For tests of plain and encrypted stores that take their time."""


def cipher_of(passphrase: str) -> Cipher | None:
    """The cipher of a passphrase; of none: none, the store is plain."""
    return Cipher(passphrase, cost=CHEAP) if passphrase else None
