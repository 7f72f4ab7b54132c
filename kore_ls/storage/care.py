"""Looking after a store as a whole: its status, whether it is sound, mending it, copying it."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

from kore_ls.errors import SessionNotFound, StoreBusy, StoreDamaged, StoreLocked, WrongKey
from kore_ls.model.event import EventType
from kore_ls.storage.codec import codec_of
from kore_ls.storage.counting import miscounted, recount
from kore_ls.storage.database import ConnectionClosed
from kore_ls.storage.files import total_bytes
from kore_ls.storage.interface import StoreStatus
from kore_ls.storage.keys import StoreKey
from kore_ls.storage.leftovers import repairing
from kore_ls.storage.maintenance import backup_to, damage_in, problems_in, row_problems
from kore_ls.storage.migrations import SCHEMA_VERSION
from kore_ls.storage.search_index import out_of_step, unindexed
from kore_ls.storage.store_file import StoreFile
from kore_ls.storage.writer import Transaction

T = TypeVar("T")

_TRIES = 3


async def status(file: StoreFile) -> StoreStatus:
    """Counts and conditions."""
    version = sqlite3.sqlite_version
    try:
        found = await file.read(_counts, None)
    except (StoreLocked, WrongKey):
        return StoreStatus(
            path=file.path,
            exists=True,
            encrypted=True,
            locked=True,
            bytes=total_bytes(file.path),
            schema_version=SCHEMA_VERSION,
            sqlite_version=version,
        )
    opened = file.current
    if found is None or opened is None:
        return StoreStatus(path=file.path, exists=False, sqlite_version=version)
    sessions, messages, not_indexed = found
    if opened.codec is not None and opened.searcher is not None:
        with contextlib.suppress(ConnectionClosed):
            not_indexed = await opened.searcher.run(unindexed)
    return StoreStatus(
        path=file.path,
        exists=True,
        encrypted=opened.key is not None,
        locked=bool(opened.refused),
        read_only=opened.read_only,
        journal_mode=opened.journal_mode,
        sessions=sessions,
        messages=messages,
        bytes=total_bytes(file.path),
        indexed_messages=max(0, messages - not_indexed),
        schema_version=SCHEMA_VERSION,
        sqlite_version=version,
    )


async def check(file: StoreFile) -> list[str]:
    """Problems found; a search index that is out of step is none and made anew."""
    try:
        problems = await apart_from_readers(file, problems_in, list[str](), doubted=bool)
        in_file = file.current is None or file.current.codec is None
        if not problems and in_file and await apart_from_readers(file, out_of_step, False):
            await file.rebuild_index()  # what users wrote is sound
        return problems
    except StoreDamaged as error:
        return [error.message]


async def repair(file: StoreFile, now: int) -> list[str]:
    """Mend what `check` finds: wrong counters in place, anything else by saving what can be read; what was done."""
    if not await check(file):
        return []
    async with _alone(file.path):
        return await _repair(file, now) if await check(file) else []  # somebody else may have been at it


@contextlib.asynccontextmanager
async def _alone(path: Path) -> AsyncIterator[None]:
    """Two repairs at once would each put what it saved in the place of what was written since."""
    lock = contextlib.ExitStack()
    waiting = asyncio.create_task(asyncio.to_thread(lock.enter_context, repairing(path)))
    try:
        await asyncio.shield(waiting)
        yield
    finally:
        waiting.add_done_callback(lambda _: lock.close())


async def _repair(file: StoreFile, now: int) -> list[str]:
    with contextlib.suppress(StoreDamaged):
        if not await apart_from_readers(file, lambda db: damage_in(db) or row_problems(db), list[str]()):
            return await file.write(_recount_all)
    key, at = await _key(file, now)
    from kore_ls.storage.repair import repair_file  # rarely needed

    return await file.apart(lambda: repair_file(file.path, now, key, at))


async def _key(file: StoreFile, now: int) -> tuple[StoreKey | None, int]:
    """The key of a damaged store, and the generation; as they were when it was opened, if it was."""
    opened = file.current
    if opened is not None and (opened.key is not None or not opened.damaged):
        return opened.key, opened.generation
    from kore_ls.storage.repair import key_of

    return await asyncio.to_thread(key_of, file.path, file.access, now)


async def backup(file: StoreFile, target: Path) -> int:
    """Write a verified copy; its bytes. Raises SessionNotFound where there is no store."""
    size = await apart_from_readers(file, lambda db: backup_to(db, target), None)
    if size is None:
        raise SessionNotFound
    return size


async def apart_from_readers(
    file: StoreFile,
    work: Callable[[sqlite3.Connection], T],
    missing: T,
    *,
    doubted: Callable[[T], bool] = lambda found: False,
) -> T:
    """Run long work on a connection of its own; `missing` where there is no store.

    What finds damage, or something to be `doubted`, while another process changes the key is done again with that.
    """
    for _ in range(_TRIES):
        opened = await file.open()
        if opened is None:
            return missing
        database = await opened.another()
        try:
            found = await database.run(work)
            if not doubted(found) or not await database.run(opened.changed_key):
                return found
        except StoreDamaged:
            if not await database.run(opened.changed_key):
                raise
        finally:
            await database.close()
        await file.forget(opened)
    raise StoreBusy


def _counts(db: sqlite3.Connection) -> tuple[int, int, int] | None:
    sessions, messages = db.execute(
        "SELECT count(*), coalesce(sum(message_count), 0) FROM sessions WHERE hidden = 0 AND deleted_at IS NULL"
    ).fetchone()
    return sessions, messages, unindexed(db) if codec_of(db) is None else 0


def _recount_all(transaction: Transaction) -> list[str]:
    found = miscounted(transaction.db)
    for session_id in found:
        recount(transaction.db, session_id)
        transaction.changed(session_id, EventType.SESSION_UPDATED)
    return [f"session {session_id}: its counters were set right" for session_id in found]
