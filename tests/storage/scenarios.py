"""Scenes that need a process of their own: another user's rights, little room on the disk, an end without closing.

`python -m tests.storage.scenarios NAME DIRECTORY PASSPHRASE` plays one and prints what happened as JSON.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from kore_ls.errors import KoreError
from kore_ls.model.ids import SessionId, new_id
from kore_ls.storage.cipher import Cipher
from kore_ls.storage.keys import new_key
from kore_ls.storage.session_rows import SessionQuery
from kore_ls.storage.store import SQLiteStore
from tests.ciphers import cipher_of
from tests.storage.values import message, record

Outcome = dict[str, Any]


async def told(work: Awaitable[Any]) -> str:
    """How a call ended: `ok`, or the kind of our error."""
    try:
        await work
    except KoreError as error:
        return error.kind
    return "ok"


async def read_only(path: Path, cipher: Cipher | None) -> Outcome:
    """Use a store that this process may only read."""
    before = sorted(each.name for each in path.parent.iterdir())
    store = SQLiteStore(path, cipher)
    try:
        page = await store.list_sessions(SessionQuery())
        return {
            "sessions": [each.id for each in page.sessions],
            "messages": [each.content for each in (await store.list_messages(SessionId("s"))).messages],
            "read_only": (await store.status()).read_only,
            "write": await told(store.add_message(message("s"))),
            "check": await store.check(),
            "files kept": sorted(each.name for each in path.parent.iterdir()) == before,
        }
    finally:
        await store.close()


async def writable_later(path: Path, cipher: Cipher | None) -> Outcome:
    """Use a store that becomes writable after it was opened."""
    path.parent.chmod(0o500)
    store = SQLiteStore(path, cipher)
    try:
        first = await told(store.add_message(message("s")))
        path.parent.chmod(0o700)
        return {"first": first, "later": await told(store.add_message(message("s")))}
    finally:
        await store.close()


async def nowhere_to_write(path: Path, cipher: Cipher | None) -> Outcome:
    """Make a store where this process may not."""
    store = SQLiteStore(path, cipher)
    try:
        return {
            "list": await told(store.list_sessions(SessionQuery())),
            "write": await told(store.create_session(record())),
        }
    finally:
        await store.close()


async def unreadable(path: Path, cipher: Cipher | None) -> Outcome:
    """Open a store that this process may not read."""
    path.chmod(0)
    store = SQLiteStore(path, cipher)
    try:
        return {"list": await told(store.list_sessions(SessionQuery()))}
    finally:
        await store.close()


async def full(path: Path, cipher: Cipher | None) -> Outcome:
    """Write until no file may grow any more, read on, and write again once there is room."""
    import resource
    import signal

    store = SQLiteStore(path, cipher)
    acknowledged = []
    try:
        await store.create_session(record("s"))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
        while True:
            try:
                stored, _ = await store.add_message(message("s", "x" * 5_000))
            except KoreError as error:
                kind = error.kind
                break
            acknowledged.append(stored.id)
        again = [await told(store.add_message(message("s", "x" * 5_000))) for _ in range(3)]
        page = await store.list_messages(SessionId("s"), after=0, limit=1_000)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        return {
            "kind": kind,
            "again": again,
            "kept": [each.id for each in page.messages] == acknowledged and len(acknowledged) > 10,
            "check": await store.check(),
            "with room": await told(store.add_message(message("s"))),
        }
    finally:
        await store.close()


async def left_open(path: Path, cipher: Cipher | None) -> Outcome:
    """End with a store that nobody closed."""
    store = SQLiteStore(path, cipher)
    FORGOTTEN.append(store)
    await store.create_session(record("s"))
    await store.add_message(message("s"))
    await store.list_sessions(SessionQuery())
    return {}


FORGOTTEN: list[SQLiteStore] = []

SCENES: dict[str, Callable[[Path, Cipher | None], Awaitable[Outcome]]] = {
    each.__name__: each for each in (read_only, writable_later, nowhere_to_write, unreadable, full, left_open)
}
NOBODY = 65_534


def as_nobody() -> None:
    """Give up root's rights, which would make everything writable; what is imported later must be there by now."""
    new_id()
    new_key(Cipher(bytes(32)), 1).codec()
    for late in ("concurrent.futures.thread", "shutil", "tempfile"):
        importlib.import_module(late)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


if __name__ == "__main__":
    if sys.argv[1] not in ("full", "left_open"):
        as_nobody()
    scene = SCENES[sys.argv[1]](Path(sys.argv[2]) / "sessions.db", cipher_of(sys.argv[3]))
    print(json.dumps(asyncio.run(scene)))  # type: ignore[arg-type]
