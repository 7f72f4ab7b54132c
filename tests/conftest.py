"""What all tests share: a user's state of their own, folders, and clients of an application in this process."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from kore_ls.api.application import Application
from kore_ls.storage.cipher import Cipher
from tests.ciphers import IDS, PASSPHRASE, cipher_of
from tests.client import Client, Connect, connected, served

# KORE_EXAMPLES=fixed: the same examples in every run, so that a commit is judged by what is in it and not by luck.
_FIXED = os.environ.get("KORE_EXAMPLES") == "fixed"
settings.register_profile("kore", deadline=None, derandomize=_FIXED, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("kore")

for _number in (signal.SIGINT, signal.SIGHUP):
    # A run in the background of a shell ignores them, and the servers it starts would ignore them as well.
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's user keeps state; nothing of the real user is read or written."""
    home = tmp_path / "state"
    monkeypatch.setenv("XDG_STATE_HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return home / "kore"


@pytest.fixture(params=["", PASSPHRASE], ids=IDS)
def passphrase(request: pytest.FixtureRequest) -> str:
    """That of the test's stores, none for plain ones; what takes it holds for both."""
    return str(request.param)


@pytest.fixture
def cipher(passphrase: str) -> Cipher | None:
    """With what the test's stores are opened; what takes it holds for plain and for encrypted ones."""
    return cipher_of(passphrase)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A workspace folder without a store."""
    path = tmp_path / "project"
    path.mkdir()
    return path


@pytest.fixture
async def application(state_home: Path) -> AsyncIterator[Application]:
    """An application, closed at the end."""
    made = served(state_home)
    yield made
    await made.close()


@pytest.fixture
async def connect(application: Application) -> AsyncIterator[Connect]:
    """`await connect(*folders, **settings)`: another client of the same application."""
    clients: list[Client] = []

    async def make(*folders: Path, **settings: Any) -> Client:
        clients.append(await connected(application, *folders, **settings))
        return clients[-1]

    yield make
    for client in clients:
        await client.workspace.close()


@pytest.fixture
async def client(connect: Connect, folder: Path) -> Client:
    """A client with one folder open that hears all events."""
    return await connect(folder)
