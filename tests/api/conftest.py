"""Every method does the same in an encrypted store, where that could make a difference."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kore_ls.api.application import Application
from kore_ls.model.secret import Secret
from tests.client import Client, Connect, connected

ENCRYPTED_TOO = {
    *("test_message", "test_session", "test_search", "test_session_list", "test_transfer", "test_damage"),
    *("test_rewind", "test_retention", "test_permission"),
}
ENCRYPTED_IS_SLOW = {"test_turn", "test_history"}
"""These, encrypted, are left to the long run."""
OWN_KEYS = {
    "test_prompts_that_wait_outlive_the_server",
    "test_the_end_of_the_server_interrupts_turns_and_changes_no_status_for_the_worse",
    "test_a_draft_is_saved_while_the_answer_is_given",
    "test_locking_the_store_stops_its_turns_first_and_keeps_what_was_said",
    "test_a_turn_goes_on_while_its_store_is_converted",
}
"""Tests that encrypt by themselves, or open the store's file as a plain one."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrise whole modules over plain and encrypted stores."""
    module = metafunc.module.__name__.rpartition(".")[2]
    if "secret" not in metafunc.fixturenames or metafunc.function.__name__ in OWN_KEYS:
        return
    if module in ENCRYPTED_TOO | ENCRYPTED_IS_SLOW:
        marks = [pytest.mark.slow] if module in ENCRYPTED_IS_SLOW else []
        values = ["", pytest.param("a passphrase", marks=marks)]
        metafunc.parametrize("secret", values, ids=["plain", "encrypted"], indirect=True)


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
