"""kore/store/*: status, adopting what came with a repository, checking, backing up."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from kore_ls.sessions.folder import sandbox
from tests.client import Client, Connect, Json
from tests.transcripts import real_transcript, write_seed_database


async def test_the_status_of_a_folder_without_a_store(client: Client, folder: Path) -> None:
    status = await client.call("kore/store/status")
    assert status.pop("sqliteVersion") == sqlite3.sqlite_version
    assert status == {
        "folder": folder.as_uri(),
        "path": str(folder / ".kore" / "sessions.db"),
        "exists": False,
        "encrypted": False,
        "locked": False,
        "readOnly": False,
        "journalMode": "",
        "sessions": 0,
        "messages": 0,
        "bytes": 0,
        "schemaVersion": 0,
        "indexedMessages": 0,
        "sandbox": sandbox().kind.value,
    }


async def test_the_status_counts_what_users_see(client: Client, folder: Path) -> None:
    kept, gone = await client.create(), await client.create()
    for session in (kept, kept, gone):
        await client.add(session["id"], "x")
    await client.call("kore/session/delete", {"sessionId": gone["id"]})
    status = await client.call("kore/store/status", {"folder": folder.as_uri()})
    assert (status["exists"], status["sessions"], status["messages"]) == (True, 1, 2)
    assert status["journalMode"] == "wal"
    assert status["schemaVersion"] >= 1
    assert status["bytes"] >= (folder / ".kore" / "sessions.db").stat().st_size
    assert "foreign" not in status


@pytest.fixture
async def foreign(connect: Connect, folder: Path, state_home: Path) -> Client:
    """A client of a folder whose store came with it: another user made it."""
    writer = await connect(folder)
    await writer.call("kore/session/import", {"document": real_transcript(60, large=False)})
    await writer.workspace.close()
    shutil.rmtree(state_home)
    return await connect(folder)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("kore/session/create", {}),
        ("kore/session/current", {}),
        ("kore/session/list", {}),
        ("kore/session/get", {"sessionId": "transcript-zh-en"}),
        ("kore/message/add", {"sessionId": "transcript-zh-en", "role": "user", "content": "x"}),
        ("kore/message/list", {"sessionId": "transcript-zh-en"}),
        ("kore/session/export", {"sessionId": "transcript-zh-en"}),
        ("kore/session/import", {"document": {"format": "kore-session", "version": 1, "messages": []}}),
        ("kore/session/delete", {"sessionId": "transcript-zh-en", "permanent": True}),
        ("kore/store/check", {}),
        ("kore/store/backup", {"path": "b.db"}),
    ],
)
async def test_a_foreign_store_is_neither_read_nor_written_in_place(
    foreign: Client, folder: Path, method: str, params: Json
) -> None:
    before = {path.name: path.read_bytes() for path in (folder / ".kore").iterdir()}
    assert (await foreign.refused(method, params)).kind == "storeForeign"
    assert {path.name: path.read_bytes() for path in (folder / ".kore").iterdir()} == before


async def test_the_status_tells_of_a_foreign_store(foreign: Client) -> None:
    status = await foreign.call("kore/store/status")
    assert (status["exists"], status["foreign"], status["sessions"]) == (True, True, 0)


async def test_an_adopted_store_is_the_users_own(foreign: Client, connect: Connect, folder: Path) -> None:
    status = await foreign.call("kore/store/adopt")
    assert (status["sessions"], status["messages"]) == (1, 60)
    assert "foreign" not in status
    assert await foreign.names(archived=True) == ["登录问题 — login bug 🐛"]
    await foreign.create()
    assert await foreign.call("kore/store/check") == {"ok": True, "problems": []}
    await foreign.workspace.close()
    again = await connect(folder)
    assert len(await again.contents("transcript-zh-en", limit=1000)) == 60


async def test_adopting_keeps_the_old_files_aside(foreign: Client, folder: Path) -> None:
    before = (folder / ".kore" / "sessions.db").read_bytes()
    await foreign.call("kore/store/adopt")
    (aside,) = (folder / ".kore").glob("foreign-*")
    assert (aside / "sessions.db").read_bytes() == before


async def test_adopting_ones_own_store_or_none_changes_nothing(client: Client, folder: Path) -> None:
    assert (await client.call("kore/store/adopt"))["exists"] is False
    assert list(folder.iterdir()) == []
    session = await client.create()
    assert (await client.call("kore/store/adopt"))["sessions"] == 1
    assert await client.get(session["id"]) == session


async def test_a_database_of_the_go_platform_is_adopted(client: Client, folder: Path) -> None:
    (folder / ".kore").mkdir()
    document = real_transcript(60, large=False)
    write_seed_database(folder / ".kore" / "sessions.db", [document])
    assert (await client.refused("kore/session/list")).kind == "storeForeign"
    assert (await client.call("kore/store/adopt"))["messages"] == 60
    assert await client.contents(document["id"], limit=1000) == [m["content"] for m in document["messages"]]


async def test_what_cannot_be_taken_over_is_named(client: Client, folder: Path) -> None:
    (folder / ".kore").mkdir()
    good = real_transcript(60, session_id="good", large=False)
    bad = real_transcript(60, session_id="bad", large=False) | {"agent_mode": "omnipotent"}
    write_seed_database(folder / ".kore" / "sessions.db", [good, bad])
    status = await client.call("kore/store/adopt")
    assert (status["sessions"], len(status["problems"])) == (1, 1)
    assert "omnipotent" not in status["problems"][0]


async def test_a_linked_store_is_not_followed_and_not_adopted(client: Client, folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (folder / ".kore").symlink_to(elsewhere)
    for method in ("kore/session/create", "kore/store/adopt", "kore/session/list"):
        error = await client.refused(method)
        assert (error.kind, error.params["reason"]) == ("storeForeign", "link")
    assert (await client.call("kore/store/status"))["foreign"] is True
    assert list(elsewhere.iterdir()) == []


async def test_a_sound_store_is_found_sound(client: Client) -> None:
    await client.create()
    assert await client.call("kore/store/check") == {"ok": True, "problems": []}
    assert await client.call("kore/store/check", {"repair": True}) == {"ok": True, "problems": []}


async def test_a_backup_is_a_whole_private_copy(client: Client, folder: Path) -> None:
    session = await client.create()
    await client.add(session["id"], "backed up")
    answer = await client.call("kore/store/backup", {"path": "backup.db"})
    copy = folder / "backup.db"
    assert answer == {"path": str(copy), "bytes": copy.stat().st_size}
    assert copy.stat().st_mode & 0o777 == 0o600
    await client.call("kore/session/delete", {"sessionId": session["id"], "permanent": True})
    await client.call("kore/session/import", {"path": "backup.db"})
    assert await client.contents(session["id"]) == ["backed up"]
    assert sorted(each.name for each in folder.iterdir()) == [".kore", "backup.db"]


async def test_a_backup_replaces_a_file_only_when_told_so(client: Client, folder: Path) -> None:
    await client.create()
    (folder / "b.db").write_text("mine")
    error = await client.refused("kore/store/backup", {"path": "b.db"})
    assert error.problems == ["params.path: exists; pass overwrite to replace it"]
    assert (folder / "b.db").read_text() == "mine"
    await client.call("kore/store/backup", {"path": "b.db", "overwrite": True})
    assert (folder / "b.db").read_bytes().startswith(b"SQLite format 3\0")


async def test_there_is_nothing_to_back_up_without_a_store(client: Client, folder: Path) -> None:
    error = await client.refused("kore/store/backup", {"path": "b.db"})
    assert error.kind == "invalidParams"
    assert list(folder.iterdir()) == []


async def test_a_damaged_store_is_found_out_mended_and_kept_aside(
    connect: Connect, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writer = await connect(folder)
    document = real_transcript(300, large=False)
    await writer.call("kore/session/import", {"document": document})
    await writer.workspace.close()
    database = folder / ".kore" / "sessions.db"
    body = bytearray(database.read_bytes())
    middle = len(body) // 2 // 4096 * 4096
    body[middle : middle + 4096] = b"\xa5" * 4096
    database.write_bytes(body)
    client = await connect(folder)
    found = await client.call("kore/store/check")
    assert found["ok"] is False
    assert found["problems"]
    mended = await client.call("kore/store/check", {"repair": True})
    assert mended["ok"] is True
    assert mended["repaired"]
    assert (await client.call("kore/store/check"))["ok"] is True
    aside = [path for path in (folder / ".kore").rglob("*") if path.is_file() and path != database]
    assert any(bytes(body[middle : middle + 4096]) in path.read_bytes() for path in aside)
    session = await client.create(name="goes on")
    await client.add(session["id"], "x")
