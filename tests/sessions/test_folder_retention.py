"""Limits that a user has set are seen to once a day; without any nothing goes by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from kore_ls.model.secret import Secret
from kore_ls.model.settings import ClientSettings, StoreSettings
from kore_ls.sessions.app import App
from kore_ls.sessions.user_config import UserConfig
from tests.ciphers import ENCRYPTED_IS_SLOW
from tests.client import Client, Connect

LEAST = 1 << 20


async def full(client: Client) -> None:
    """Five sessions of 300 kB, of which one is pinned, one active, and two are beyond a limit of 1 MiB."""
    for name in ("old", "pinned", "second", "third", "active"):
        session = await client.create(name=name)
        await client.add(session["id"], "text " * 60_000)
        if name == "pinned":
            await client.call("kore/session/update", {"sessionId": session["id"], "pinned": True})
    await client.call("kore/session/switch", {"sessionId": session["id"]})


@ENCRYPTED_IS_SLOW
async def test_what_is_beyond_the_limits_goes_once_a_day_after_a_backup(
    connect: Connect, folder: Path, state_home: Path, passphrase: str
) -> None:
    client = await connect(folder, keep_bytes=LEAST, events=True, secret=Secret(passphrase=passphrase or None))
    await full(client)
    retention = client.workspace.folder(None).folder.retention
    assert [each.record.name for each in await retention.daily()] == ["old", "second"]
    assert sorted(await client.names()) == ["active", "pinned", "third"]
    assert len(list((state_home / "backups").glob("*/*-purge-*.db"))) == 1
    await client.add((await client.create(name="fourth"))["id"], "text " * 60_000)
    assert await retention.daily() == []
    assert len(await client.names()) == 4


async def test_where_no_copy_can_be_made_nothing_goes_by_itself(
    connect: Connect, folder: Path, state_home: Path
) -> None:
    client = await connect(folder, keep_bytes=LEAST)
    await full(client)
    (state_home / "backups").write_text("no directory")
    assert await client.workspace.folder(None).folder.retention.daily() == []
    assert len(await client.names()) == 5


async def test_without_limits_nothing_is_looked_at(client: Client) -> None:
    await full(client)
    folder = client.workspace.folder(None).folder
    assert not folder.retention.recurring.running
    assert await folder.retention.daily() == []
    assert len(await client.names()) == 5


async def test_a_folder_without_a_store_gets_none(connect: Connect, folder: Path) -> None:
    client = await connect(folder, keep_days=1)
    assert await client.workspace.folder(None).folder.retention.daily() == []
    assert not (folder / ".kore").exists()


@pytest.mark.parametrize("backups", [True, False, None])
async def test_daily_copies_are_made_unless_the_user_wants_none(
    connect: Connect, folder: Path, backups: bool | None
) -> None:
    client = await connect(folder, backups=backups)
    assert client.workspace.folder(None).folder.backups.recurring.running is (backups is not False)


def test_the_client_s_settings_go_before_the_user_s_own(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[store]\nkeep_days = 365\nkeep_bytes = 1_000_000_000\nbackups = false\n")
    own = StoreSettings(keep_days=365, keep_bytes=10**9, backups=False)
    app = App(tmp_path, config_file=file)
    assert app.store_settings(ClientSettings()) == own
    said = app.store_settings(ClientSettings(keep_days=30, backups=True))
    assert said == StoreSettings(keep_days=30, backups=True)


@pytest.mark.parametrize(
    "text",
    [
        "store = 7",
        "[store]\nkeep_days = 0",
        "[store]\nkeep_days = 7\nkeep_bytes = 1",
        "[store]\nkeep_days = true",
        "[store]\nkeep_days = 7\nbackups = 'geheim'",
        "[store]\nkeep_days = '7'",
    ],
)
def test_a_bad_limit_limits_nothing_and_is_told(tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text + "\n[agent]\nbackend = 'builtin'\n")
    config = UserConfig(file)
    assert config.store == StoreSettings()
    assert config.agent is not None
    assert config.problem is not None and config.problem.startswith("store")
    assert "geheim" not in caplog.text
