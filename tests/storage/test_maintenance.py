from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from kore_ls.errors import SessionNotFound, StoreDamaged
from kore_ls.model.ids import SessionId
from kore_ls.storage.cipher import Cipher
from kore_ls.storage.store import SQLiteStore
from tests.storage.values import message, record, tool_call


@pytest.fixture
async def filled(store: SQLiteStore) -> SQLiteStore:
    """A store with the session "s" and three messages."""
    await store.create_session(record("s"))
    for number in range(3):
        await store.add_message(message("s", f"m {number}", tool_calls=(tool_call(),)))
    return store


def changed(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


async def test_a_sound_store_has_no_problems(filled: SQLiteStore) -> None:
    assert await filled.check() == []


@pytest.mark.parametrize(
    "planted",
    [
        "UPDATE sessions SET message_count = 7",
        "UPDATE sessions SET last_seq = 7",
        "DELETE FROM messages WHERE seq = 2",
        "PRAGMA foreign_keys = OFF; DELETE FROM sessions",
        "DELETE FROM messages WHERE seq = 3",
    ],
)
async def test_planted_damage_is_found(filled: SQLiteStore, path: Path, planted: str) -> None:
    changed(path, *planted.split(";"))

    assert await filled.check() != []


async def test_a_trigger_planted_while_the_store_is_open_is_found(filled: SQLiteStore, path: Path) -> None:
    changed(path, "CREATE TRIGGER t AFTER INSERT ON messages BEGIN DELETE FROM sessions; END")

    assert await filled.check() != []


async def test_problems_name_sessions_by_id_alone(filled: SQLiteStore, path: Path, cipher: Cipher | None) -> None:
    changed(path, "UPDATE sessions SET message_count = 7" + (", name = 'secret'" if cipher is None else ""))

    assert await filled.check() == ["session s: its counters do not match its messages"]


async def test_a_backup_is_a_whole_private_store(filled: SQLiteStore, tmp_path: Path, cipher: Cipher | None) -> None:
    target = tmp_path / "backup.db"

    size = await filled.backup(target)

    assert size == target.stat().st_size
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert sorted(each.name for each in tmp_path.iterdir()) == ["backup.db", "kore"]
    copy = SQLiteStore(target, cipher)
    try:
        assert await copy.list_messages(SessionId("s")) == await filled.list_messages(SessionId("s"))
        assert await copy.check() == []
        await copy.add_message(message("s"))
    finally:
        await copy.close()


@pytest.mark.parametrize("link", [False, True])
async def test_a_backup_overwrites_nothing(filled: SQLiteStore, tmp_path: Path, link: bool) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    target = precious
    if link:
        target = tmp_path / "link"
        target.symlink_to(precious)

    with pytest.raises(FileExistsError):
        await filled.backup(target)

    assert precious.read_text() == "precious"


async def test_a_backup_that_cant_be_written_leaves_nothing(filled: SQLiteStore, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        await filled.backup(tmp_path / "nowhere" / "backup.db")

    assert [each.name for each in tmp_path.iterdir()] == ["kore"]


async def test_damage_is_not_backed_up(filled: SQLiteStore, path: Path, tmp_path: Path) -> None:
    changed(path, "UPDATE sessions SET message_count = 7")

    with pytest.raises(StoreDamaged):
        await filled.backup(tmp_path / "backup.db")

    assert not (tmp_path / "backup.db").exists()


async def test_there_is_nothing_to_back_up_without_a_store(store: SQLiteStore, tmp_path: Path) -> None:
    with pytest.raises(SessionNotFound):
        await store.backup(tmp_path / "backup.db")


async def test_flushing_moves_the_log_into_the_file(filled: SQLiteStore, path: Path, tmp_path: Path) -> None:
    await filled.flush()

    alone = tmp_path / "alone.db"
    alone.write_bytes(path.read_bytes())
    with closing(sqlite3.connect(f"{alone.as_uri()}?immutable=1", uri=True)) as db:
        assert db.execute("SELECT count(*) FROM messages").fetchone() == (3,)
