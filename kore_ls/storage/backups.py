"""Copies of a folder's store in the user's own state directory, where nothing done in the folder reaches them.

Bounded in number and size, private, and as encrypted as the store is. Nothing in a folder names a file here.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import secrets
import shutil
import sqlite3
import stat
import time
from calendar import timegm
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path

from attrs import frozen

from kore_ls.errors import KoreError, StoreDamaged, StoreFull, WrongKey
from kore_ls.storage.cipher import Cipher, WrappedKey
from kore_ls.storage.files import SUFFIXES, beside
from kore_ls.storage.home import store_id_in
from kore_ls.storage.keys import StoreForm, form_of, read_wrapped
from kore_ls.storage.maintenance import backup_to
from kore_ls.storage.private_files import make_private_directory, read_private, write_private

log = logging.getLogger(__name__)

MOST_COPIES = 7
MOST_BYTES = 2 << 30
"""Of all copies of one store; a store that is larger is copied once."""
SPARE_BYTES = 256 << 20
"""What a copy leaves free on the disk."""

_NAME = re.compile(r"(\d{8}T\d{6}Z)-([a-z]{1,20})-[0-9a-f]{6}\.db")
_ABOUT = "folder.json"
_CONVERTED = "encrypted"
"""The reason of copies of a store's new form, made when its user encrypted it or gave it another key."""
_MOST_SHELVES = 100_000
_STALE_SECONDS = 3_600
_SEASON_MS = 90 * 24 * 3_600_000


@frozen(kw_only=True)
class Backup:
    """One copy. `created_at` is Unix milliseconds; `reason` says what it was made for."""

    id: str
    path: Path
    created_at: int
    reason: str
    bytes: int


@frozen(kw_only=True)
class BackupContent:
    """What a copy holds, as far as it can be told without a key."""

    sessions: int
    messages: int
    encrypted: bool


class BackupShelf:
    """The copies of one folder's store, by the folder's real path."""

    def __init__(self, state_dir: Path, folder: Path) -> None:
        self._all = state_dir / "backups"
        self._folder = str(folder)

    @property
    def _directory(self) -> Path:
        return self._all / hashlib.sha256(os.fsencode(self._folder)).hexdigest()[:32]

    def backups(self) -> list[Backup]:
        """The copies there are, the newest first."""
        found: list[tuple[int, int, Backup]] = []
        with suppress(OSError):
            for path in self._directory.iterdir():
                if (match := _NAME.fullmatch(path.name)) and path.is_file() and not path.is_symlink():
                    made = timegm(time.strptime(match[1], "%Y%m%dT%H%M%SZ")) * 1000
                    status = path.stat()
                    copy = Backup(id=path.stem, path=path, created_at=made, reason=match[2], bytes=status.st_size)
                    found.append((made, status.st_mtime_ns, copy))
        return [copy for _, _, copy in sorted(found, key=lambda each: each[:2], reverse=True)]

    def place(self, reason: str, now: int, store: Path) -> Path:
        """Where the next copy goes. Raises StoreFull where the disk has no room for it to spare, OSError."""
        make_private_directory(self._directory)
        about = {"folder": self._folder, "store": str(store)}
        write_private(self._directory / _ABOUT, json.dumps(about).encode())
        needed = sum(_size(beside(store, suffix)) for suffix in SUFFIXES) + SPARE_BYTES
        if shutil.disk_usage(self._directory).free < needed:
            raise StoreFull("no room for a copy of the store")
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now / 1000))
        return self._directory / f"{stamp}-{reason}-{secrets.token_hex(3)}.db"

    def before_migration(self, db: sqlite3.Connection, now: int, store: Path) -> None:
        """Copy a store of an older version on its own connection; what stands in the way is only logged."""
        try:
            backup_to(db, self.place("migration", now, store))
        except (KoreError, OSError, sqlite3.Error) as error:
            log.warning("no copy of the store was made (%s)", getattr(error, "kind", type(error).__name__))
        finally:
            db.execute("PRAGMA query_only = OFF")  # which `backup_to` switches on again

    def prune(self, now: int) -> list[Backup]:
        """Remove the oldest copies beyond the bounds, but never the newest, and what a crash left half done.

        The copies that stay, the newest first.
        """
        total = 0
        for number, each in enumerate(self._by_worth(now)):
            total += each.bytes
            if number and (number >= MOST_COPIES or total > MOST_BYTES):
                self.remove(each)
        with suppress(OSError):
            for path in self._directory.iterdir():
                known = path.name == _ABOUT or _NAME.fullmatch(path.name)
                if not known and now / 1000 - path.lstat().st_mtime > _STALE_SECONDS:
                    path.unlink()
        return self.backups()

    def _by_worth(self, now: int) -> list[Backup]:
        """The copies, the newest first; but after it, for a season, the last one of a store that was here before.

        Who goes on in a folder whose store vanished may miss it late.
        """
        found = self.backups()
        here = _form_in(found[0]) if found else None
        for each in found[1:]:
            if now - each.created_at > _SEASON_MS:
                break
            form = _form_in(each)
            if here is not None and form is not None and form.lineage != here.lineage:
                return [found[0], each, *(other for other in found[1:] if other != each)]
        return found

    def forget_former(self, db: sqlite3.Connection, ciphers: Sequence[Cipher]) -> None:
        """Remove the copies of an encrypted store that tell more than it does, once a key has opened it.

        That is copies of it as it was before: plain ones, and such as a key opens that does not open it any more;
        also those that were made where the folder was before it was moved. Those of another store that was in the
        folder stay. What stands in the way is only logged.
        """
        try:
            self._forget(form_of(db), ciphers)
            for shelf in self._elsewhere(db):
                shelf._forget(form_of(db), ciphers)
        except (KoreError, OSError, sqlite3.Error) as error:
            log.warning("former copies of the store may be left (%s)", getattr(error, "kind", type(error).__name__))

    def forget_converted(self, db: sqlite3.Connection) -> None:
        """The same before a key has opened it, if a copy here tells that its user gave the store the key it has."""
        try:
            now = form_of(db)
            for each in self.backups():
                form = _form_in(each) if each.reason == _CONVERTED else None
                if form is not None and (form.lineage, form.wrapped) == (now.lineage, now.wrapped):
                    return self.forget_former(db, ())
        except (KoreError, OSError, sqlite3.Error) as error:
            log.warning("former copies of the store may be left (%s)", getattr(error, "kind", type(error).__name__))

    def _forget(self, now: StoreForm, ciphers: Sequence[Cipher]) -> None:
        for each in self.backups():
            if _is_former(each, now, ciphers):
                self.remove(each)

    def _elsewhere(self, db: sqlite3.Connection) -> Iterator[BackupShelf]:
        """The copies of folders whose store is gone, or is another one: what is in none of them may be this one's.

        Where a store with the same id is, the folder was copied and not moved; that store's copies are its own.
        """
        if not self._all.is_dir():
            return
        here = Path(str(db.execute("PRAGMA database_list").fetchone()[2]))
        own_id = store_id_in(here.parent)
        for directory in islice(self._all.iterdir(), _MOST_SHELVES):
            about = _about(directory)
            if directory == self._directory or about is None or own_id is None:
                continue
            folder, store = about
            if not store.exists() or store_id_in(store.parent) != own_id:
                shelf = BackupShelf(self._all.parent, folder)
                if shelf._directory == directory:
                    yield shelf

    def remove(self, backup: Backup) -> None:
        """Remove a copy."""
        for suffix in SUFFIXES:
            beside(backup.path, suffix).unlink(missing_ok=True)

    def put_back(self, backup: Backup, store: Path) -> None:
        """Make the copy the store, where is none or an empty file. Raises FileExistsError for another, OSError."""
        half = store.with_name(f".{store.name}.{secrets.token_hex(6)}.tmp")
        try:
            descriptor = os.open(half, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(descriptor, "wb") as target, backup.path.open("rb") as source:
                shutil.copyfileobj(source, target, 1 << 20)
                target.flush()
                os.fsync(target.fileno())
            for suffix in SUFFIXES[1:]:
                if beside(store, suffix).exists():
                    raise FileExistsError(str(beside(store, suffix)))
            try:
                os.link(half, store)  # fails, where a rename would replace what appeared meanwhile
            except FileExistsError:
                _take_place(half, store)
            except PermissionError:  # a file system without hard links
                if store.exists():
                    _take_place(half, store)
                else:
                    half.replace(store)
        finally:
            half.unlink(missing_ok=True)


def _take_place(half: Path, store: Path) -> None:
    """Replace a file in which nothing ever was, such as a full disk leaves. Raises FileExistsError for any other."""
    if not stat.S_ISREG(store.lstat().st_mode) or store.lstat().st_size:
        raise FileExistsError(str(store))
    try:
        with closing(sqlite3.connect(store, isolation_level=None)) as db:
            db.execute("BEGIN EXCLUSIVE")  # nobody fills it now
            if store.lstat().st_size:
                raise FileExistsError(str(store))
            half.replace(store)
    except sqlite3.Error:
        raise FileExistsError(str(store)) from None


def content_of(backup: Backup) -> BackupContent:
    """Look into a copy, which we made ourselves and checked; blocks. A copy that can't be read holds nothing."""
    try:
        with closing(_opened(backup.path)) as db:
            sessions, messages = db.execute(
                "SELECT count(*), coalesce(sum(message_count), 0) FROM sessions WHERE hidden = 0 AND deleted_at IS NULL"
            ).fetchone()
            encrypted = db.execute("SELECT 1 FROM keys LIMIT 1").fetchone() is not None
    except sqlite3.Error:
        return BackupContent(sessions=0, messages=0, encrypted=False)
    return BackupContent(sessions=sessions, messages=messages, encrypted=encrypted)


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)


class SafeCopy:
    """The copy that is kept of a store whose encryption is changed: of its new form, so that none is plain.

    It is made when the new form is whole and checked, before the store takes it; then all others of the folder go.
    """

    def __init__(self, shelf: BackupShelf, store: Path, now: int) -> None:
        self._shelf = shelf
        self._store = store
        self._now = now
        self._made: Path | None = None

    def keep(self, fresh: sqlite3.Connection) -> None:
        """Copy the new form; what stands in the way is only logged."""
        try:
            target = self._shelf.place(_CONVERTED, self._now, self._store)
            backup_to(fresh, target)
            self._made = target
        except (KoreError, OSError, sqlite3.Error) as error:
            log.warning("no copy of the store was made (%s)", getattr(error, "kind", type(error).__name__))
        finally:
            fresh.execute("PRAGMA query_only = OFF")  # which `backup_to` switches on again

    def switched(self, live: sqlite3.Connection) -> None:
        """The store has its new form: remove the copies that are not of it."""
        for each in self._shelf.backups():
            if each.path != self._made:
                self._shelf.remove(each)
        self._shelf.forget_former(live, ())

    def undo(self) -> None:
        """The store has stayed as it was, and a copy of what it is not is of no use."""
        if self._made is not None:
            self._made.unlink(missing_ok=True)


def _is_former(backup: Backup, now: StoreForm, ciphers: Sequence[Cipher]) -> bool:
    then = _form_in(backup)
    if then is None:  # a copy that is being made can't be read yet, either
        return time.time() - backup.path.stat().st_mtime > _STALE_SECONDS
    if then.lineage != now.lineage or then.generation >= now.generation:
        return False
    return then.wrapped is None or (then.wrapped != now.wrapped and not _opens(then.wrapped, ciphers))


def _form_in(backup: Backup) -> StoreForm | None:
    """The form of the store that a copy holds; None for one that can't be read."""
    try:
        with closing(_opened(backup.path)) as db:
            return form_of(db)
    except (sqlite3.Error, StoreDamaged):
        return None


def _opens(wrapped: WrappedKey, ciphers: Sequence[Cipher]) -> bool:
    for cipher in ciphers:
        with suppress(WrongKey):
            cipher.unwrap(wrapped)
            return True
    return False


def is_encrypted(path: Path) -> bool:
    """Whether a copy that was just made is encrypted; blocks."""
    with closing(_opened(path)) as db:
        return read_wrapped(db) is not None


def folders_with_backups(state_dir: Path) -> list[str]:
    """The folders that copies were made of."""
    found: list[str] = []
    with suppress(OSError):
        for shelf in islice((state_dir / "backups").iterdir(), _MOST_SHELVES):
            if (about := _about(shelf)) is not None:
                found.append(str(about[0]))
    return sorted(found)


def _about(directory: Path) -> tuple[Path, Path] | None:
    """Which folder's copies lie in a directory, and where its store was; None where that can't be told."""
    with suppress(ValueError, TypeError, KeyError):
        about = json.loads(read_private(directory / _ABOUT, most=64 << 10) or b"")
        folder = Path(str(about["folder"]))
        return folder, Path(str(about.get("store") or folder / ".kore" / "sessions.db"))
    return None


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0
