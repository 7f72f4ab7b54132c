"""What a store in a workspace folder asks of its surroundings when its file is opened. An interface, no more."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Protocol

from kore_ls.storage.cipher import Cipher


class Gate(Protocol):
    """Decides, for stores in workspace folders, whether the file may be opened in place, and readies its directory."""

    def check(self) -> None:
        """Raise StoreForeign if the store is not this user's."""

    def prepare(self) -> None:
        """Make the directory a store of this user's; called before the file is created."""

    def migrating(self, db: sqlite3.Connection) -> None:
        """The store is of an older version and about to be changed; called in its connection's thread."""

    def encrypted(self, db: sqlite3.Connection) -> None:
        """The store is encrypted, and about to be opened if there is a key; called in its connection's thread."""

    def unlocked(self, db: sqlite3.Connection, ciphers: Sequence[Cipher]) -> None:
        """One of the keys has opened the store; called in its connection's thread."""

    def was_encrypted(self) -> bool:
        """Whether a key has opened the store before, and its user has not said since that it is plain."""

    def meant_plain(self) -> None:
        """Its user says that the store is plain, or is to be."""
