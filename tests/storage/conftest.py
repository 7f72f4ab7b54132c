from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kore_ls.storage.cipher import Cipher, Cost
from kore_ls.storage.store import SQLiteStore

CHEAP = Cost(n=2, r=1, p=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a store's file is, or will be."""
    return tmp_path / "kore" / "sessions.db"


@pytest.fixture(params=["plain", "encrypted"])
def cipher(request: pytest.FixtureRequest) -> Cipher | None:
    """With what the test's stores are opened; what takes it holds for plain and for encrypted stores."""
    return Cipher("a passphrase", cost=CHEAP) if request.param == "encrypted" else None


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
