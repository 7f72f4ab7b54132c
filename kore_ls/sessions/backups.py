"""When a folder's store is copied to the user's state directory, and how a copy comes back. Overwrites no store."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from kore_ls.errors import InvalidParams, KoreError, StoreFull, StoreReadOnly
from kore_ls.model.bundle import OnConflict
from kore_ls.model.event import Event, EventType
from kore_ls.model.ids import Clock, new_id, now_ms
from kore_ls.sessions.recurring import Recurring
from kore_ls.storage.backups import Backup, BackupContent, BackupShelf, SafeCopy, content_of, is_encrypted
from kore_ls.storage.files import JOURNALS, beside
from kore_ls.storage.interface import Storage

if TYPE_CHECKING:
    from kore_ls.sessions.folder import Folder

log = logging.getLogger(__name__)

DAY_MS = 24 * 3_600_000
_FIRST_SECONDS = 60.0
_THEN_SECONDS = 3_600.0


@frozen(kw_only=True)
class ListedBackup:
    """A copy, and what it holds."""

    backup: Backup
    content: BackupContent


@frozen(kw_only=True)
class Restored:
    """What a restore does or did: `whole` puts the copy where no store is, else missing sessions are added."""

    whole: bool
    sessions: int
    """Sessions that come back."""
    messages: int
    present: int
    """Sessions that are here already, and stay as they are."""
    problems: tuple[str, ...] = ()


class FolderBackups:
    """The copies of one folder's store: at most one a day, and one before what changes all of it."""

    def __init__(self, shelf: BackupShelf, storage: Storage, store: Path, clock: Clock = now_ms) -> None:
        self.shelf = shelf
        self._storage = storage
        self._store = store
        self._clock = clock
        storage.purge.before_long_deleted = partial(self.daily, "purge")
        self.recurring = Recurring("kore-backup", self.daily, first=_FIRST_SECONDS, pace=_THEN_SECONDS)

    def start(self) -> None:
        """Look after the daily copy from now on."""
        self.recurring.start()

    async def stop(self) -> None:
        """Make no more copies."""
        await self.recurring.stop()

    async def daily(self, reason: str = "daily") -> bool:
        """Copy the store if the newest copy is a day old and the store has changed since; failures are logged."""
        try:
            if not await asyncio.to_thread(self._due):
                return False
            await self.keep(reason)
        except (KoreError, OSError) as error:
            log.warning("no copy of the store was made (%s)", getattr(error, "kind", type(error).__name__))
            return False
        return True

    def _due(self) -> bool:
        """Whether another copy is due."""
        changed = 0
        for path in (self._store, *(beside(self._store, suffix) for suffix in JOURNALS)):
            with suppress(OSError):
                changed = max(changed, path.stat().st_mtime_ns // 1_000_000)
        now = self._clock()
        # A clock that was wrong may have dated copies long after today.
        newest = next((each.created_at for each in self.shelf.backups() if each.created_at <= now), 0)
        return self._store.exists() and now - newest >= DAY_MS and changed > newest

    async def keep(self, reason: str) -> Path | None:
        """Copy the store now, and check the copy; None: it was encrypted meanwhile, and the copy would be plain.

        Raises store errors, StoreFull, OSError; then nothing is left.
        """
        target = await asyncio.to_thread(self.shelf.place, reason, self._clock(), self._store)
        await self._storage.backup(target)
        if await self._storage.encryption.in_file() and not (await asyncio.to_thread(is_encrypted, target)):
            target.unlink(missing_ok=True)
            return None
        await asyncio.to_thread(self.shelf.prune, self._clock())
        return target

    async def before(self, reason: str) -> Path | None:
        """Copy the store before all of it is changed, where there is one; what stands in the way is only logged."""
        try:
            return await self.keep(reason) if self._store.exists() else None
        except (KoreError, OSError) as error:
            log.warning("no copy of the store was made (%s)", getattr(error, "kind", type(error).__name__))
            return None

    @asynccontextmanager
    async def around(self, reason: str) -> AsyncIterator[None]:
        """Copy the store as `before` does; if what follows fails, the copy is of no use and goes again."""
        copy = await self.before(reason)
        try:
            yield
        except BaseException:
            if copy is not None:
                copy.unlink(missing_ok=True)
            raise

    def safe_copy(self) -> SafeCopy:
        """The copy for a change of the store's encryption, of what it will be; to be given to what changes it."""
        return SafeCopy(self.shelf, self._store, self._clock())

    async def forget_older(self) -> None:
        """After a store's key was wrapped otherwise: copy it, and remove the copies that the former one opens."""
        older = self.shelf.backups()
        with suppress(KoreError, OSError):
            await self.keep("encrypted")
        for each in older:
            await asyncio.to_thread(self.shelf.remove, each)

    def listed(self, most: int | None = None) -> list[ListedBackup]:
        """The newest copies, the newest first; blocks, so call it in a thread."""
        return [ListedBackup(backup=each, content=content_of(each)) for each in self.shelf.backups()[:most]]

    def chosen(self, backup_id: str | None) -> ListedBackup:
        """A copy by its id, or the newest; blocks, so call it in a thread. Raises InvalidParams."""
        found = [each for each in self.shelf.backups() if backup_id in (None, each.id)]
        if not found:
            raise InvalidParams(["params.backup: there is no such backup"])
        return ListedBackup(backup=found[0], content=content_of(found[0]))


async def restore(folder: Folder, chosen: ListedBackup, *, dry_run: bool) -> Restored:
    """Bring back what a copy holds and the folder lacks; what is there stays as it is.

    Where there is no store, the copy becomes it as it is, with all that turns left. Raises StoreForeign, StoreLocked,
    StoreFull, StoreReadOnly.
    """
    async with folder.adopting:
        if not await folder.manager.storage.exists():
            return await _put_back(folder, chosen, dry_run=dry_run)
        return await _add_missing(folder, chosen.backup, dry_run=dry_run)


async def _put_back(folder: Folder, chosen: ListedBackup, *, dry_run: bool) -> Restored:
    if not dry_run:
        try:
            await asyncio.to_thread(folder.home.prepare)
            await asyncio.to_thread(folder.backups.shelf.put_back, chosen.backup, folder.store)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise StoreFull from error
            raise StoreReadOnly("the backup can't be put back", reason=error.strerror) from error
        folder.manager.events.publish(Event(type=EventType.STORE_CHANGED, timestamp=now_ms()))
    held = chosen.content
    return Restored(whole=True, sessions=held.sessions, messages=held.messages, present=0)


async def _add_missing(folder: Folder, backup: Backup, *, dry_run: bool) -> Restored:
    from kore_ls.sessions.documents.import_document import parse_rows
    from kore_ls.storage.foreign_reader import read_foreign

    storage = folder.manager.storage
    content = await asyncio.to_thread(read_foreign, backup.path, storage.encryption.ciphers)
    bundles, problems = await asyncio.to_thread(parse_rows, content.sessions, now=now_ms(), new_id=new_id)
    missing = [each for each in bundles if not await storage.history.has(each.record.id)]
    if not dry_run:
        for start in range(0, len(missing), 100):
            await folder.manager.import_bundles(missing[start : start + 100], OnConflict.SKIP)
    return Restored(
        whole=False,
        sessions=len(missing),
        messages=sum(len(each.messages) for each in missing),
        present=len(bundles) - len(missing),
        problems=(*content.problems, *problems),
    )
