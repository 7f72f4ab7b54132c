"""A process that has a store open and does nothing: `python -m tests.storage.attached_child PATH PASSPHRASE`.

Says "ready" when it is so far, and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path

from kore_ls.errors import StoreLocked, WrongKey
from kore_ls.storage.session_rows import SessionQuery
from kore_ls.storage.store import SQLiteStore
from tests.ciphers import cipher_of


async def main(path: Path, passphrase: str) -> None:
    """Stay attached."""
    store = SQLiteStore(path, cipher_of(passphrase), plain=True)
    store.listen(lambda _: None)
    with contextlib.suppress(StoreLocked, WrongKey):
        await store.list_sessions(SessionQuery())
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
