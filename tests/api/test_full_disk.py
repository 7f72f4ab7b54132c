"""A disk that is full in the middle of a backup, a purge or an import: told, the store whole, and on it goes."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kore_ls.errors import StoreFull
from kore_ls.model.secret import Secret
from kore_ls.storage.purge import Purge
from tests.client import Client, Connect
from tests.sessions.importers.tools import TALK, codex

pytestmark = pytest.mark.slow

DISK_BYTES = 24 << 20
TEXT = "text " * 20_000


class Disk:
    """A small disk of its own; what `fill` leaves is free until `free`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def fill(self, leave: int) -> None:
        """Leave so many bytes free."""
        found = os.statvfs(self.path)
        self._ballast.write_bytes(b"x" * max(0, found.f_bavail * found.f_frsize - leave))

    def free(self) -> None:
        """Give back what was taken."""
        self._ballast.unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    path = tmp_path / "disk"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", str(path)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not mount a small disk")
    yield Disk(path)
    subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.fixture(params=[None, "a passphrase"], ids=["plain", "encrypted"])
async def client(request: pytest.FixtureRequest, connect: Connect, disk: Disk) -> Client:
    """A client whose folder lies on the small disk."""
    folder = disk.path / "project"
    folder.mkdir()
    return await connect(folder, secret=Secret(passphrase=request.param))


async def talked(client: Client, count: int) -> list[str]:
    """As many sessions of 100 kB each."""
    made = []
    for number in range(count):
        made.append((await client.create(name=f"s{number}"))["id"])
        await client.add(made[-1], TEXT)
    return made


async def whole(client: Client, names: list[str]) -> None:
    """The store is sound, holds these sessions, and takes more."""
    assert (await client.call("kore/store/check"))["ok"]
    assert sorted(await client.names()) == names
    later = await client.create(name="later")
    await client.add(later["id"], "goes on")
    await client.call("kore/session/delete", {"sessionId": later["id"]})


async def test_an_import_of_other_tools_history(
    client: Client, disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing half is to be seen; with room again all of it comes."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CODEX_HOME", raising=False)
    await talked(client, 1)
    source = codex(tmp_path / "home", disk.path / "project", TALK * 400)
    os.utime(source, (1, 1))
    disk.fill(leave=400 << 10)
    assert (await client.refused("kore/history/import")).kind == "storeFull"
    disk.free()
    await whole(client, ["s0"])
    (done,) = (await client.call("kore/history/import"))["sources"]
    assert (done["added"], done["unread"], done["messages"]) == (1, 0, 400 * len(TALK))


async def test_an_import_of_a_document(client: Client, disk: Disk, tmp_path: Path, connect: Connect) -> None:
    other = tmp_path / "other"
    other.mkdir()
    elsewhere = await connect(other)
    for id_ in await talked(elsewhere, 12):
        await elsewhere.call("kore/session/export", {"sessionId": id_, "path": str(tmp_path / f"{id_}.json")})
    documents = sorted(tmp_path.glob("*.json"))
    disk.fill(leave=1 << 20)
    before = 0
    with pytest.raises(Exception, match="storeFull") as refused:
        for path in documents:
            await client.call("kore/session/import", {"path": str(path)})
            before += 1
    assert refused.value.kind == "storeFull" and before < len(documents)  # type: ignore[attr-defined]
    disk.free()
    await whole(client, sorted(f"s{number}" for number in range(before)))


async def test_a_backup(client: Client, disk: Disk) -> None:
    """Neither the copy that was asked for nor the daily one leaves half a file; the store does not notice."""
    await talked(client, 20)
    await client.call("kore/session/save")
    disk.fill(leave=600 << 10)
    target = disk.path / "copy.db"
    assert (await client.refused("kore/store/backup", {"path": str(target)})).kind == "storeFull"
    with pytest.raises(StoreFull):
        await client.workspace.folder(None).manager.storage.backup(target)
    assert [each.name for each in disk.path.iterdir() if each.name not in ("project", "ballast")] == []
    assert sorted(await client.names()) == sorted(f"s{number}" for number in range(20))
    disk.free()
    await whole(client, sorted(f"s{number}" for number in range(20)))


async def test_a_purge(
    client: Client, disk: Disk, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was removed stays out of sight, and goes when there is room."""
    caplog.set_level("INFO")
    made = await talked(client, 40)
    before = (await client.call("kore/store/status"))["bytes"]
    purge = client.workspace.folder(None).manager.storage.purge
    gone = made[1:]
    with monkeypatch.context() as patch:
        patch.setattr(Purge, "start", lambda _: None)  # or it might be done before the disk is full
        deleted = (client.call("kore/session/delete", {"sessionId": id_, "permanent": True}) for id_ in gone)
        await asyncio.gather(*deleted)
    disk.fill(leave=0)
    await purge.settle()
    assert "purge of removed sessions waits: storeFull" in caplog.text
    assert await client.names() == ["s0"]
    disk.free()
    await whole(client, ["s0"])
    await client.call("kore/store/retention")
    assert (await client.call("kore/store/status"))["bytes"] < before / 4


async def test_giving_back_room_needs_room(client: Client, disk: Disk) -> None:
    """Writing the file anew has no place for the new one: the old one stays as it is."""
    made = await talked(client, 60)
    for id_ in made[50:]:
        await client.call("kore/session/delete", {"sessionId": id_, "permanent": True})
    await client.workspace.folder(None).manager.storage.purge.settle()
    disk.fill(leave=100 << 10)
    refused = await client.refused("kore/store/retention", {"keepDays": 1_000})
    assert refused.kind == "storeFull"
    disk.free()
    await whole(client, sorted(f"s{number}" for number in range(50)))
