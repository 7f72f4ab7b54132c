"""Every method does the same in an encrypted store, where that could make a difference."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kore_ls.api.application import Application
from kore_ls.model.secret import Secret
from tests.client import Client, Connect, connected

ENCRYPTED_TOO = {"test_message", "test_session", "test_search", "test_session_list", "test_transfer", "test_damage"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrise whole modules over plain and encrypted stores."""
    if metafunc.module.__name__.rpartition(".")[2] in ENCRYPTED_TOO and "secret" in metafunc.fixturenames:
        metafunc.parametrize("secret", ["", "a passphrase"], ids=["plain", "encrypted"], indirect=True)


@pytest.fixture
def secret(request: pytest.FixtureRequest) -> Secret:
    """What clients configure that say nothing else."""
    return Secret(passphrase=getattr(request, "param", None) or None)


@pytest.fixture
async def connect(application: Application, secret: Secret) -> AsyncIterator[Connect]:
    """`await connect(*folders, **settings)`: another client of the same application."""
    clients: list[Client] = []

    async def make(*folders: Path, **settings: Any) -> Client:
        clients.append(await connected(application, *folders, **{"secret": secret} | settings))
        return clients[-1]

    yield make
    for client in clients:
        await client.workspace.close()
