"""Whose store a folder's `.kore` is. It may have come with a cloned repository, so nothing in it is believed.

A store is its user's own if the random id in `.kore/store-id` is also registered in the user's state directory, which
no repository can write to: a moved or copied folder stays its user's, a shipped database is foreign.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import sqlite3
import stat
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from kore_ls.errors import StoreForeign, StoreReadOnly
from kore_ls.storage.cipher import Cipher
from kore_ls.storage.private_files import locked, make_private_directory, read_private, write_private

DATABASE = "sessions.db"

_STORE_ID = "store-id"
_IGNORE = ".gitignore"
_ID = re.compile(rb"([0-9a-f]{32})\n?")


def default_state_dir() -> Path:
    """Where this user's own state lives, `$XDG_STATE_HOME/kore` on Linux; made when something is first kept there."""
    import platformdirs

    return platformdirs.user_state_path("kore")


class StoreHome:
    """The directory of one folder's store; `state_dir` is the user's own state directory.

    `inside` is the workspace folder: if given, no component of the path from it to `directory` may be a link.
    """

    def __init__(self, directory: Path, state_dir: Path, *, inside: Path | None = None) -> None:
        self.directory = directory
        self.before_migration: Callable[[sqlite3.Connection], None] | None = None
        self.when_encrypted: Sequence[Callable[[sqlite3.Connection], None]] = ()
        self.after_unlock: Callable[[sqlite3.Connection, Sequence[Cipher]], None] | None = None
        self._stores = state_dir / "stores"
        self._inside = inside

    @property
    def foreign(self) -> bool:
        """Whether there is a store that must not be opened in place."""
        try:
            self.check()
        except StoreForeign:
            return True
        return False

    def check(self) -> None:
        """Raise StoreForeign if the store is not this user's, or (`reason` "link") parts of it are links.

        No store at all is fine; nothing is written.
        """
        self._check_path()
        try:
            holds_database = _look_through(self.directory)
        except FileNotFoundError:
            return
        except OSError as error:
            raise _unusable(error) from error
        if holds_database and not self._is_ours():
            raise StoreForeign(reason="owner")

    def prepare(self) -> None:
        """Make the directory a store of this user's, unless it is one. Raises StoreForeign, StoreReadOnly.

        Processes that do this at the same time agree on one store id.
        """
        try:
            make_private_directory(self._stores)
            with locked(self._stores.with_name("stores.lock")):
                self.check()
                if not self._is_ours():
                    self._take()
        except OSError as error:
            raise _unusable(error) from error

    def migrating(self, db: sqlite3.Connection) -> None:
        """Let `before_migration` keep a copy of the store."""
        if self.before_migration is not None:
            self.before_migration(db)

    def encrypted(self, db: sqlite3.Connection) -> None:
        """Let `when_encrypted` take away what shows what an encrypted store holds."""
        for each in self.when_encrypted:
            each(db)

    def unlocked(self, db: sqlite3.Connection, ciphers: Sequence[Cipher]) -> None:
        """Note that the store is encrypted, and let `after_unlock` take away former copies of it."""
        if not self.was_encrypted() and (mark := self._mark) is not None:
            with suppress(OSError):
                make_private_directory(mark.parent)
                write_private(mark, b"")
        if self.after_unlock is not None:
            self.after_unlock(db, ciphers)

    def was_encrypted(self) -> bool:
        """Whether a key has opened the store before, in this place, and it was not meant to be plain since.

        Whoever may write in the folder could take out the key, and what is written then would be plain.
        """
        return self._mark is not None and read_private(self._mark, most=1) is not None

    def meant_plain(self) -> None:
        """Forget that the store was encrypted."""
        if (mark := self._mark) is not None:
            with suppress(OSError):
                mark.unlink(missing_ok=True)

    @property
    def _mark(self) -> Path | None:
        """By id and place: where a folder was copied to, its store may have another form."""
        store_id = store_id_in(self.directory)
        if store_id is None:
            return None
        named = hashlib.sha256(store_id + b"\0" + os.fsencode(os.path.realpath(self.directory))).hexdigest()
        return self._stores.with_name("encrypted") / named[:32]

    def _take(self) -> None:
        make_private_directory(self.directory)
        self.directory.chmod(0o700)
        store_id = secrets.token_hex(16)
        # Registered first: an id that is only registered is harmless, one that is only in the folder is foreign.
        write_private(self._stores / store_id, b"")
        write_private(self.directory / _IGNORE, b"*\n")
        write_private(self.directory / _STORE_ID, store_id.encode() + b"\n")

    def _is_ours(self) -> bool:
        store_id = store_id_in(self.directory)
        return store_id is not None and read_private(self._stores / store_id.decode(), most=1) is not None

    def _check_path(self) -> None:
        """The directory itself, and what leads to it inside the folder, must be no links."""
        steps = [self.directory]
        if self._inside is not None:
            between = self.directory.relative_to(self._inside).parents
            steps += [self._inside / step for step in between if step.parts]
        for step in steps:
            try:
                mode = step.lstat().st_mode
            except FileNotFoundError:
                continue
            except OSError as error:
                raise _unusable(error) from error
            if not stat.S_ISDIR(mode):
                raise _linked()


def set_aside(directory: Path) -> Path:
    """Move a foreign store's files into a new directory `foreign-<UTC time>` within; that directory.

    Only names move: nothing is opened and no link is followed. Raises StoreForeign, StoreReadOnly.
    """
    if not stat.S_ISDIR(directory.lstat().st_mode):
        raise _linked()
    try:
        target = make_dated_directory(directory, "foreign")
        for path in sorted(directory.iterdir()):
            if _is_database(path.name) or path.name.casefold() == _STORE_ID:
                path.rename(target / path.name)
    except OSError as error:
        raise _unusable(error) from error
    return target


def store_id_in(directory: Path) -> bytes | None:
    """The id that a store's directory has; None where it has none."""
    match = _ID.fullmatch(read_private(directory / _STORE_ID, most=64) or b"")
    return match and match[1]


def within_store(path: Path) -> bool:
    """Whether a file at `path` would lie in the directory of a store, whichever folder's. Raises OSError."""
    directory = Path(os.path.realpath(path.parent))
    return any((each / _STORE_ID).is_file() for each in (directory, *directory.parents))


def make_dated_directory(directory: Path, kind: str) -> Path:
    """A new private directory `<kind>-<UTC time>` in `directory`, numbered if that one is there. Raises OSError."""
    name = f"{kind}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    for number in range(1, 1_000):
        target = directory / (name if number == 1 else f"{name}-{number}")
        try:
            target.mkdir(mode=0o700)
        except FileExistsError:
            continue
        return target
    raise FileExistsError(str(directory))


def _look_through(directory: Path) -> bool:
    """Whether a database's file is there; raises StoreForeign for what no store of ours has in it."""
    names = {path.name for path in directory.iterdir()}
    # Asked for by name too: the file system may take other spellings for the same file.
    names |= {DATABASE, _STORE_ID, _IGNORE, *(f"{DATABASE}-{end}" for end in ("journal", "wal", "shm"))}
    holds_database = False
    for name in names:
        try:
            mode = (directory / name).lstat().st_mode
        except FileNotFoundError:
            continue
        own = _is_database(name) or name.casefold() in (_STORE_ID, _IGNORE)
        if not stat.S_ISREG(mode) and (own or not stat.S_ISDIR(mode)):
            raise _linked()
        holds_database = holds_database or _is_database(name)
    return holds_database


def _is_database(name: str) -> bool:
    folded = name.casefold()
    return folded == DATABASE or folded.startswith(DATABASE + "-")


def _linked() -> StoreForeign:
    return StoreForeign("the store's directory or a file in it is a link or no regular file", reason="link")


def _unusable(error: OSError) -> StoreReadOnly:
    return StoreReadOnly("the store's directory can't be used", reason=os.strerror(error.errno or 0))
