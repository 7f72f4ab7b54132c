"""What users do with the key of a folder's store, and what follows for those who have the folder open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from kore_ls.errors import StoreForeign, StoreLocked, WrongKey
from kore_ls.model.event import Event, EventType
from kore_ls.model.ids import now_ms
from kore_ls.sessions.documents.view import remove_all_views
from kore_ls.sessions.folder import DATABASE, Folder
from kore_ls.storage.cipher import Cipher as Cipher

Report = Callable[[str, int], None]

_READ = "another program reads the store; what was plain stays in its log until that lets go"


async def unlock(folder: Folder, cipher: Cipher | None, *, plain: bool = False) -> None:
    """Open the store with a key, or (`plain`) say that a plain one is meant. Raises WrongKey.

    A foreign store stays closed; it can be adopted with the key from then on.
    """
    encryption = folder.manager.storage.encryption
    try:
        await encryption.unlock(cipher, plain=plain)
    except StoreForeign as error:
        if cipher is None or error.params.get("reason") == "link":
            raise
        await asyncio.to_thread(_check_foreign, folder, cipher)
        await encryption.expect(cipher)
    _publish(folder, EventType.STORE_CHANGED)


async def index(folder: Folder, report: Callable[[int], None]) -> None:
    """Index all messages of a store that was unlocked; a foreign one has nothing to index."""
    with suppress(StoreForeign):
        await folder.manager.storage.encryption.index(report)


async def lock(folder: Folder) -> None:
    """Forget the key of an encrypted store. Its turns are stopped first, with what they said; its agents let go."""
    encryption = folder.manager.storage.encryption
    with suppress(StoreLocked, WrongKey):
        if await encryption.active():
            await folder.manager.rest()
    if await encryption.lock():
        _publish(folder, EventType.STORE_LOCKED)


async def encrypt(folder: Folder, cipher: Cipher, report: Report | None = None) -> list[str]:
    """Encrypt the store; what in its directory stays plain all the same. Raises WrongKey and the store's errors."""
    await folder.manager.storage.encryption.encrypt(cipher, report, folder.backups.safe_copy())
    _publish(folder, EventType.STORE_CHANGED)
    kept = await asyncio.to_thread(_tidy, folder)
    return kept if folder.manager.storage.encryption.swept else [_READ, *kept]


async def decrypt(folder: Folder, cipher: Cipher, report: Report | None = None) -> None:
    """Make the store a plain one. Raises WrongKey and the store's errors."""
    async with folder.backups.around("decrypt"):
        await folder.manager.storage.encryption.decrypt(cipher, report)
    _publish(folder, EventType.STORE_CHANGED)


async def rekey(
    folder: Folder, cipher: Cipher, new: Cipher, report: Report | None = None, *, rewrap: bool = False
) -> None:
    """Encrypt the store anew, for another passphrase or key; `rewrap`: let that open it as it is.

    Raises WrongKey and the store's errors.
    """
    encryption = folder.manager.storage.encryption
    if rewrap:
        await encryption.rewrap(cipher, new)
        await folder.backups.forget_older()
    else:
        await encryption.rekey(cipher, new, report, folder.backups.safe_copy())
    _publish(folder, EventType.STORE_CHANGED)


def _check_foreign(folder: Folder, cipher: Cipher) -> None:
    from kore_ls.storage.foreign_reader import check_foreign_key  # with all that reads foreign stores, rarely needed

    database = folder.directory / DATABASE
    if database.exists():
        check_foreign_key(database, cipher)


def _publish(folder: Folder, kind: EventType) -> None:
    folder.manager.events.publish(Event(type=kind, timestamp=now_ms()))


def _tidy(folder: Folder) -> list[str]:
    """Remove copies of sessions as text; files that were kept aside are their user's to remove."""
    remove_all_views(folder.directory)
    if not folder.directory.is_dir():
        return []
    kept = sorted(path.name for path in folder.directory.iterdir() if path.name.startswith(("damaged-", "foreign-")))
    return [f"{name}: kept aside before, and not encrypted" for name in kept]
