from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from kore_ls.cli.caller import local_folder
from tests.cli.commands import HOSTILE, OBEYED, Kore, made, transcripts


@pytest.fixture
def foreign(folder: Path, state_home: Path) -> Path:
    """A folder whose store somebody else made."""
    made(folder, HOSTILE, "from elsewhere")
    shutil.rmtree(state_home)
    return folder


def test_a_folder_without_a_store_says_so_and_stays_untouched(kore: Kore, folder: Path) -> None:
    assert "not there yet" in kore("store", "status", "-C", folder).out
    assert kore("store", "status", "-C", folder, "--json").json["exists"] is False
    assert kore("store", "check", "-C", folder).code == 0
    assert kore("store", "backup", folder / "b.db", "-C", folder).code == 1
    assert list(folder.iterdir()) == []


def test_status_tells_what_is_there(kore: Kore, folder: Path) -> None:
    made(folder, "one", "a", "b")
    done = kore("store", "status", "-C", folder)

    assert "1 sessions, 2 messages" in done.out
    assert str(folder / ".kore" / "sessions.db") in done.out


def test_a_foreign_store_is_explained_and_adopted(kore: Kore, foreign: Path) -> None:
    refused = kore("sessions", "list", "-C", foreign)

    assert refused.code == 1
    assert "kore-ls store adopt" in refused.err
    assert "not made by you" in kore("store", "status", "-C", foreign).out
    adopted = kore("store", "adopt", "-C", foreign)
    assert adopted.code == 0
    assert "1 sessions, 1 messages" in adopted.out
    assert transcripts(foreign) == {HOSTILE: ["from elsewhere"]}


def test_adopting_what_is_ours_changes_nothing(kore: Kore, folder: Path) -> None:
    made(folder, "mine", "text")
    done = kore("store", "adopt", "-C", folder, "--json")

    assert done.code == 0
    assert "foreign" not in done.json
    assert transcripts(folder) == {"mine": ["text"]}


def test_a_sound_store_is_called_so(kore: Kore, folder: Path) -> None:
    made(folder, "one", "a")

    assert kore("store", "check", "-C", folder).out == "the store is sound\n"
    assert kore("store", "check", "-C", folder, "--json").json == {"ok": True, "problems": []}


def test_a_damaged_store_is_an_error_without_a_trace_back(kore: Kore, folder: Path) -> None:
    made(folder, "one", "a")
    (folder / ".kore" / "sessions.db").write_bytes(b"this is no database" * 100)
    done = kore("sessions", "list", "-C", folder)

    assert done.code == 1
    assert "kore-ls store check" in done.err


def test_a_backup_is_written_beside_and_replaced_only_when_told_to(kore: Kore, folder: Path, tmp_path: Path) -> None:
    made(folder, "one", "a")
    target = tmp_path / "backup.db"

    assert kore("store", "backup", target, "-C", folder, "--json").json["path"] == str(target)
    assert kore("store", "backup", target, "-C", folder).code == 1
    assert kore("store", "backup", target, "-C", folder, "--overwrite").code == 0
    assert target.read_bytes().startswith(b"SQLite format 3")


def test_a_path_is_taken_from_where_the_command_runs(
    kore: Kore, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(folder, "one", "a")
    monkeypatch.chdir(tmp_path)
    kore("store", "backup", "here.db", "-C", folder)

    assert (tmp_path / "here.db").exists()


def test_a_hostile_path_is_not_obeyed(kore: Kore, tmp_path: Path) -> None:
    folder = tmp_path / HOSTILE
    folder.mkdir()
    made(folder, "one")
    for command in (("store", "status"), ("store", "check"), ("doctor",), ("store", "status", "--json")):
        done = kore(*command, "-C", folder)

        assert done.code == 0
        for sequence in OBEYED:
            assert sequence not in done.out + done.err


def test_old_sessions_go_only_when_told_to(kore: Kore, folder: Path) -> None:
    made(folder, "older", "text " * 500)
    made(folder, "newer", "text")
    limits = ("--keep-bytes", "100", "-C", folder)
    assert "would be removed" in kore("store", "retention", *limits, "--dry-run").err
    refused = kore("store", "retention", *limits)
    assert (refused.code, "--yes" in refused.err) == (1, True)
    assert "older" in refused.out
    assert set(transcripts(folder)) == {"older", "newer"}
    assert "1 sessions removed" in kore("store", "retention", *limits, "--yes").err
    assert set(transcripts(folder)) == {"newer"}
    assert "search index:" in kore("store", "status", "--space", "-C", folder).out


def test_a_store_that_vanished_is_offered_and_brought_back_after_a_look(kore: Kore, folder: Path) -> None:
    session = made(folder, "登录接口", "你好")

    async def copy() -> None:
        async with local_folder(folder) as local:
            await local._workspace.folder(None).folder.backups.keep("daily")

    asyncio.run(copy())
    shutil.rmtree(folder / ".kore")
    assert "kore-ls store restore brings it back" in kore("store", "status", "-C", folder).out
    assert "1 sessions, 1 messages" in kore("store", "restore", "--list", "-C", folder).out
    done = kore("store", "restore", "-C", folder)
    assert (done.code, "would come back" in done.out) == (1, True)
    assert not (folder / ".kore").exists()
    assert kore("store", "restore", "--dry-run", "-C", folder).code == 0
    assert "1 sessions with 1 messages came back" in kore("store", "restore", "--yes", "-C", folder).err
    (back,) = kore("sessions", "list", "--json", "-C", folder).json["sessions"]
    assert back["id"] == session["id"]
