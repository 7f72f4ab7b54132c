"""kore/store/backups and restore: what was in a folder's store can come back although the folder lost it."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from kore_ls.model.ids import now_ms
from kore_ls.model.secret import Secret
from kore_ls.sessions.backups import DAY_MS, FolderBackups
from kore_ls.storage import backups as shelves
from kore_ls.storage.backups import Backup, BackupShelf
from tests.client import Client, Connect
from tests.storage.earlier import BEFORE, take_back


def kept(client: Client) -> FolderBackups:
    """The copies of the client's one folder."""
    return client.workspace.folder(None).folder.backups


async def copied(client: Client) -> Backup:
    """A copy made now."""
    await kept(client).keep("daily")
    return kept(client).shelf.backups()[0]


def files(state_home: Path) -> list[Path]:
    """The copies in the user's state directory."""
    return sorted((state_home / "backups").glob("*/*.db"))


async def test_git_clean_and_restore_bring_everything_back(connect: Connect, folder: Path, state_home: Path) -> None:
    """With what turns left: the copy becomes the store as it is."""
    client = await connect(folder, events=True)
    session = await client.create(name="登录", tags=["t"])
    await client.add(session["id"], "你好 🙂")
    await client.call("kore/turn/start", {"sessionId": session["id"], "prompt": "hello"})
    await client.event("turn.finished")
    before = await client.call("kore/message/list", {"sessionId": session["id"]})
    turns = await client.call("kore/turn/list", {"sessionId": session["id"]})
    assert await kept(client).daily()
    await client.workspace.close()

    for command in (["init", "-q"], ["clean", "-fdxq"]):
        await asyncio.to_thread(subprocess.run, ["git", "-C", str(folder), *command], check=True)
    assert [each.name for each in folder.iterdir()] == [".git"]

    client = await connect(folder)
    status = await client.call("kore/store/status")
    assert (status["exists"], status["backup"]["sessions"]) == (False, 1)
    planned = await client.call("kore/store/restore", {"dryRun": True})
    assert (planned["whole"], planned["sessions"]) == (True, 1)
    assert not (folder / ".kore").exists()
    done = await client.call("kore/store/restore")
    assert (done["whole"], done["sessions"], done["messages"]) == (True, 1, len(before["messages"]))
    assert await client.call("kore/message/list", {"sessionId": session["id"]}) == before
    assert await client.call("kore/turn/list", {"sessionId": session["id"]}) == turns
    assert (await client.call("kore/store/check"))["ok"]
    assert (folder / ".kore" / "sessions.db").stat().st_mode & 0o777 == 0o600
    await client.add(session["id"], "and on")


async def test_sessions_that_are_missing_come_back_and_others_stay_as_they_are(client: Client) -> None:
    one, two = await client.create(name="one"), await client.create(name="two")
    await client.add(one["id"], "first")
    await kept(client).keep("daily")
    await client.call("kore/session/delete", {"sessionId": two["id"], "permanent": True})
    await client.call("kore/session/rename", {"sessionId": one["id"], "name": "renamed"})
    await client.add(one["id"], "second")
    (listed,) = (await client.call("kore/store/backups"))["backups"]
    done = await client.call("kore/store/restore", {"backup": listed["id"]})
    assert (done["whole"], done["sessions"], done["present"]) == (False, 1, 1)
    assert sorted(await client.names()) == ["renamed", "two"]
    assert await client.contents(one["id"]) == ["first", "second"]


async def test_copies_are_private_and_made_at_most_once_a_day_and_only_of_what_changed(
    client: Client, folder: Path, state_home: Path
) -> None:
    backups = kept(client)
    assert not await backups.daily()  # there is no store
    await client.create(name="one")
    assert await backups.daily()
    await client.create(name="two")
    assert not await backups.daily()
    (path,) = files(state_home)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    old = path.with_name(path.name.replace(path.name[:4], "2020", 1))
    path.rename(old)
    assert await backups.daily()
    assert len(files(state_home)) == 2


async def test_an_unchanged_store_is_not_copied_again(client: Client, folder: Path, state_home: Path) -> None:
    await client.create(name="one")
    await client.call("kore/session/save")
    later = FolderBackups(
        kept(client).shelf,
        client.workspace.folder(None).manager.storage,
        folder / ".kore" / "sessions.db",
        clock=lambda: 2_000_000_000_000,
    )
    assert await later.daily()
    far = FolderBackups(later.shelf, later._storage, later._store, clock=lambda: 2_000_000_000_000 + 2 * DAY_MS)
    assert not await far.daily()


async def test_a_copy_dated_by_a_clock_that_was_wrong_holds_no_other_one_up(client: Client, state_home: Path) -> None:
    await client.create(name="one")
    assert await kept(client).daily()
    (path,) = files(state_home)
    path.rename(path.with_name(path.name.replace(path.name[:4], "2099", 1)))
    assert await kept(client).daily()
    assert not await kept(client).daily()


async def test_a_copy_that_is_due_is_made_before_what_was_deleted_long_ago_goes_by_itself(
    connect: Connect, folder: Path, state_home: Path
) -> None:
    client = await connect(folder)
    old = await client.create(name="old")
    await client.create(name="new")
    await client.call("kore/session/delete", {"sessionId": old["id"]})
    await client.workspace.close()
    with closing(sqlite3.connect(folder / ".kore" / "sessions.db")) as db:
        db.execute("UPDATE sessions SET deleted_at = deleted_at - ? WHERE deleted_at IS NOT NULL", (31 * DAY_MS,))
        db.commit()

    client = await connect(folder)
    assert await client.names() == ["new"]
    await client.workspace.folder(None).manager.storage.purge.settle()
    (copy,) = kept(client).shelf.backups()
    assert copy.reason == "purge"
    with closing(sqlite3.connect(copy.path)) as db:
        assert sorted(name for (name,) in db.execute("SELECT name FROM sessions")) == ["new", "old"]
    with closing(sqlite3.connect(folder / ".kore" / "sessions.db")) as db:
        assert [name for (name,) in db.execute("SELECT name FROM sessions")] == ["new"]
    await client.workspace.folder(None).manager.storage.purge.settle()
    assert len(files(state_home)) == 1


async def test_copies_are_bounded_in_number_and_size(
    client: Client, state_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.create(name="one")
    for _ in range(9):
        await kept(client).keep("daily")
    assert len(files(state_home)) == shelves.MOST_COPIES
    largest = max(each.stat().st_size for each in files(state_home))
    monkeypatch.setattr(shelves, "MOST_BYTES", largest * 26 // 10)  # copies differ by some pages
    await kept(client).keep("daily")
    assert len(files(state_home)) == 2


async def test_the_last_copy_of_a_store_that_vanished_outlives_those_of_the_one_after_it(
    connect: Connect, folder: Path, state_home: Path
) -> None:
    """For a season: who goes on without a look at the offer may miss it after more days than there are copies."""
    client = await connect(folder)
    for name in ("one", "two"):
        await client.create(name=name)
        await kept(client).keep("daily")
    await client.workspace.close()
    shutil.rmtree(folder / ".kore")
    client = await connect(folder)
    await client.create(name="three")
    for _ in range(9):
        await kept(client).keep("daily")
    copies = kept(client).shelf.backups()
    assert len(copies) == shelves.MOST_COPIES
    assert (await client.call("kore/store/restore", {"backup": copies[-1].id}))["sessions"] == 2
    assert sorted(await client.names()) == ["one", "three", "two"]
    mine = kept(client)
    later = FolderBackups(mine.shelf, mine._storage, mine._store, clock=lambda: now_ms() + 91 * DAY_MS)
    await later.keep("daily")
    assert copies[-1] not in mine.shelf.backups()


async def test_what_is_not_a_copy_is_neither_listed_nor_followed(client: Client, state_home: Path) -> None:
    await client.create(name="one")
    made = await copied(client)
    (made.path.parent / "20260101T000000Z-daily-abcdef.db").symlink_to("/etc/passwd")
    (made.path.parent / "odd.db").write_text("x")
    assert [each["id"] for each in (await client.call("kore/store/backups"))["backups"]] == [made.id]
    error = await client.refused("kore/store/restore", {"backup": "../../etc/passwd"})
    assert error.problems == ["params.backup: there is no such backup"]


async def test_copies_of_an_encrypted_store_are_encrypted_and_plain_ones_do_not_stay(
    connect: Connect, folder: Path, state_home: Path
) -> None:
    client = await connect(folder)
    session = await client.create(name="geheimes Gespräch")
    await client.add(session["id"], "canary-in-the-coal-mine")
    await kept(client).keep("daily")
    await client.call("kore/store/encrypt", {"passphrase": "a passphrase"})
    (path,) = files(state_home)
    assert b"canary-in-the-coal-mine" not in path.read_bytes()
    await client.workspace.close()
    shutil.rmtree(folder / ".kore")

    client = await connect(folder, secret=Secret(passphrase="a passphrase"))
    assert (await client.call("kore/store/status"))["backup"]["encrypted"] is True
    await client.call("kore/store/restore")
    assert await client.contents(session["id"]) == ["canary-in-the-coal-mine"]


async def test_a_former_key_opens_no_copy(connect: Connect, folder: Path, state_home: Path) -> None:
    client = await connect(folder, secret=Secret(passphrase="one"))
    await client.create(name="s")
    before = await copied(client)
    await client.call("kore/store/rekey", {"passphrase": "one", "newPassphrase": "two"})
    (path,) = files(state_home)
    assert path != before.path


async def test_a_store_of_an_older_version_is_copied_before_it_is_changed(
    connect: Connect, folder: Path, state_home: Path
) -> None:
    client = await connect(folder)
    await client.create(name="one")
    await client.workspace.close()
    path = folder / ".kore" / "sessions.db"
    take_back(path)
    client = await connect(folder)
    assert await client.names() == ["one"]
    await client.create(name="two")
    (copy,) = files(state_home)
    assert "-migration-" in copy.name
    with closing(sqlite3.connect(copy)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (BEFORE,)


async def test_a_copy_is_made_before_old_sessions_go_for_good(client: Client, state_home: Path) -> None:
    """And only then: a look at what would go, or nothing to go, makes none."""
    for name in ("older", "newer"):
        session = await client.create(name=name)
        await client.add(session["id"], "text " * 100)
    await client.call("kore/store/retention", {"keepBytes": 1, "dryRun": True})
    await client.call("kore/store/retention", {"keepDays": 10, "dryRun": False})
    assert files(state_home) == []
    gone = await client.call("kore/store/retention", {"keepBytes": 1, "dryRun": False})
    (copy,) = files(state_home)
    assert "-purge-" in copy.name
    assert (await client.call("kore/store/restore"))["sessions"] == len(gone["sessions"]) == 1


async def test_without_room_no_copy_is_made_and_the_store_goes_on(
    client: Client, state_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await client.create(name="one")
    monkeypatch.setattr(shelves, "SPARE_BYTES", 1 << 60)
    assert not await kept(client).daily()
    assert files(state_home) == []
    await client.add(session["id"], "goes on")


async def test_a_copy_replaces_no_store_that_appeared_meanwhile(folder: Path, client: Client, tmp_path: Path) -> None:
    await client.create(name="one")
    made = await copied(client)
    store = tmp_path / "sessions.db"
    store.write_bytes(b"precious")
    with pytest.raises(FileExistsError):
        BackupShelf(tmp_path, folder).put_back(made, store)
    assert store.read_bytes() == b"precious"
    assert [each.name for each in tmp_path.iterdir() if each.name.endswith(".tmp")] == []


async def test_a_copy_comes_back_where_the_store_is_an_empty_file(connect: Connect, folder: Path) -> None:
    """As a full disk leaves one. It counts as no store before, and so it must when the copy comes back."""
    client = await connect(folder)
    await client.create(name="one")
    await copied(client)
    await client.workspace.close()
    for path in (folder / ".kore").glob("sessions.db*"):
        path.unlink()
    (folder / ".kore" / "sessions.db").touch(mode=0o600)
    client = await connect(folder)
    assert await client.names() == []
    assert (await client.call("kore/store/restore", {"dryRun": True}))["whole"]
    assert (await client.call("kore/store/restore"))["whole"]
    assert await client.names() == ["one"]
    assert (await client.call("kore/store/check"))["ok"]


async def test_a_crash_while_copying_leaves_nothing_that_counts(client: Client, state_home: Path) -> None:
    await client.create(name="one")
    made = await copied(client)
    half = made.path.with_name(made.path.name + "-journal")
    half.write_bytes(b"half")
    os.utime(half, (1, 1))
    await kept(client).keep("daily")
    assert not half.exists()
