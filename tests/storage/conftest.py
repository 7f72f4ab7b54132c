from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kore_ls.storage.cipher import Cipher
from kore_ls.storage.store import SQLiteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a store's file is, or will be."""
    return tmp_path / "kore" / "sessions.db"


@pytest.fixture
async def store(path: Path, cipher: Cipher | None) -> AsyncIterator[SQLiteStore]:
    """A store that does not exist yet."""
    store = SQLiteStore(path, cipher)
    yield store
    await store.close()


@pytest.fixture
async def plain_store(path: Path) -> AsyncIterator[SQLiteStore]:
    """A store that does not exist yet, for what only plain stores have: an index in the file."""
    store = SQLiteStore(path)
    yield store
    await store.close()
