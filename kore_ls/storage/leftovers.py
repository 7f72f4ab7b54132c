"""What a repair keeps beside a store while it works, and the lock it holds: a killed one leaves the first behind."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kore_ls.errors import StoreReadOnly
from kore_ls.storage.private_files import locked

FRESH, READING = ".repair-", ".reading-"
"""How the names of such files and directories begin."""
_LOCK = "repair.lock"


@contextmanager
def repairing(path: Path) -> Iterator[None]:
    """Be the only one who repairs the store; waits for another one who does. Raises StoreReadOnly."""
    lock = locked(path.with_name(_LOCK))
    try:
        lock.__enter__()
    except OSError as error:
        raise StoreReadOnly("the store's directory can't be written", reason=os.strerror(error.errno or 0)) from error
    try:
        yield
    finally:
        lock.__exit__(None, None, None)


def remove_leftovers(path: Path) -> None:
    """Remove what a killed repair left beside the store, unless somebody repairs it just now."""
    left = [*path.parent.glob(FRESH + "*"), *path.parent.glob(READING + "*")]
    if not left:
        return
    with suppress(OSError), locked(path.with_name(_LOCK), wait=False):
        for each in left:
            if each.is_dir() and not each.is_symlink():
                shutil.rmtree(each, ignore_errors=True)
            else:
                each.unlink(missing_ok=True)
