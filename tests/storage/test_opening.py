from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from kore_ls.model.ids import SessionId
from kore_ls.storage.cipher import Cipher
from kore_ls.storage.database import Database
from kore_ls.storage.opening import OpenStore, open_store
from kore_ls.storage.session_rows import insert_session, load_session
from kore_ls.storage.store import SQLiteStore
from tests.ciphers import ENCRYPTED_IS_SLOW
from tests.project.source import ROOT
from tests.storage.scenarios import NOBODY
from tests.storage.values import message, record

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX rights and limits")


def play(scene: str, directory: Path, passphrase: str) -> dict[str, Any]:
    """Play a scene in a process of its own."""
    process = subprocess.run(
        [sys.executable, "-m", "tests.storage.scenarios", scene, str(directory), passphrase],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    outcome: dict[str, Any] = json.loads(process.stdout)
    return outcome


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that users without rights can reach and own."""
    directory = Path(tempfile.mkdtemp(prefix="kore-test-"))
    yield directory
    directory.chmod(0o700)
    shutil.rmtree(directory)


@pytest.fixture
async def directory(open_directory: Path, cipher: Cipher | None) -> AsyncIterator[Path]:
    """The same with a store in it: the session "s" with one message."""
    store = SQLiteStore(open_directory / "sessions.db", cipher)
    await store.create_session(record("s"))
    await store.add_message(message("s", "first"))
    await store.close()
    yield open_directory


def given_to_nobody(directory: Path) -> None:
    for each in (directory, *directory.iterdir()):
        if os.geteuid() == 0:
            os.chown(each, NOBODY, NOBODY)


def locked_away(directory: Path) -> None:
    for each in directory.iterdir():
        each.chmod(0o400)
    directory.chmod(0o500)


@posix
@ENCRYPTED_IS_SLOW
async def test_a_directory_that_cant_be_written_is_read_as_it_is(directory: Path, passphrase: str) -> None:
    given_to_nobody(directory)
    locked_away(directory)

    assert play("read_only", directory, passphrase) == {
        "sessions": ["s"],
        "messages": ["first"],
        "read_only": True,
        "write": "storeReadOnly",
        "check": [],
        "files kept": True,
    }


@posix
@ENCRYPTED_IS_SLOW
async def test_what_is_still_in_the_log_of_a_read_only_store_is_read_too(
    directory: Path, tmp_path: Path, open_directory: Path, cipher: Cipher | None, passphrase: str
) -> None:
    store = SQLiteStore(directory / "sessions.db", cipher)
    try:
        await store.add_message(message("s", "second"))
        copy = open_directory / "copy"
        copy.mkdir()
        for suffix in ("", "-wal", "-shm"):
            shutil.copyfile(directory / f"sessions.db{suffix}", copy / f"sessions.db{suffix}")
    finally:
        await store.close()
    open_directory.chmod(0o755)
    given_to_nobody(copy)
    locked_away(copy)

    outcome = play("read_only", copy, passphrase)
    copy.chmod(0o700)

    assert outcome["messages"] == ["first", "second"]
    assert (outcome["write"], outcome["files kept"]) == ("storeReadOnly", True)


@posix
@ENCRYPTED_IS_SLOW
async def test_a_file_that_cant_be_written_is_read_only_in_any_directory(directory: Path, passphrase: str) -> None:
    given_to_nobody(directory)
    (directory / "sessions.db").chmod(0o400)

    assert play("read_only", directory, passphrase)["write"] == "storeReadOnly"


@posix
@ENCRYPTED_IS_SLOW
async def test_a_read_only_store_is_written_once_it_can_be(directory: Path, passphrase: str) -> None:
    given_to_nobody(directory)

    assert play("writable_later", directory, passphrase) == {"first": "storeReadOnly", "later": "ok"}


@posix
@ENCRYPTED_IS_SLOW
async def test_a_store_that_cant_be_read_is_told(directory: Path, passphrase: str) -> None:
    given_to_nobody(directory)

    assert play("unreadable", directory, passphrase) == {"list": "storeReadOnly"}


@posix
@ENCRYPTED_IS_SLOW
def test_where_no_store_can_be_made_there_is_none(open_directory: Path, passphrase: str) -> None:
    given_to_nobody(open_directory)
    open_directory.chmod(0o500)

    assert play("nowhere_to_write", open_directory / "new", passphrase) == {"list": "ok", "write": "storeReadOnly"}


@posix
@ENCRYPTED_IS_SLOW
def test_a_full_disk_fails_the_write_and_nothing_else(tmp_path: Path, passphrase: str) -> None:
    assert play("full", tmp_path, passphrase) == {
        "kind": "storeFull",
        "again": ["storeFull"] * 3,
        "kept": True,
        "check": [],
        "with room": "ok",
    }


@ENCRYPTED_IS_SLOW
async def test_a_store_that_nobody_closed_neither_holds_up_the_process_nor_loses_anything(
    tmp_path: Path, cipher: Cipher | None, passphrase: str
) -> None:
    play("left_open", tmp_path, passphrase)

    store = SQLiteStore(tmp_path / "sessions.db", cipher)
    try:
        assert (await store.load_session(SessionId("s"))).message_count == 1
    finally:
        await store.close()


@pytest.fixture
async def without_log(tmp_path: Path) -> AsyncIterator[OpenStore]:
    """A store where write-ahead logging is not to be had, as on some file systems."""
    opened = await open_store(tmp_path / "sessions.db", synchronous="normal", name="n", query="vfs=unix-dotfile")
    yield opened
    await opened.close()


@posix
async def test_where_there_can_be_no_log_a_store_works_without(without_log: OpenStore) -> None:
    assert without_log.writing is not None
    await without_log.writing.write(lambda transaction: insert_session(transaction.db, record("s")))

    assert without_log.journal_mode == "delete"
    assert (await without_log.read(lambda db: load_session(db, SessionId("s")))).id == "s"


@pytest.mark.parametrize(("synchronous", "level"), [("normal", 1), ("full", 2)])
async def test_the_setting_decides_what_a_power_cut_may_take(path: Path, synchronous: str, level: int) -> None:
    opened = await open_store(path, synchronous=synchronous, name="n")
    try:
        assert opened.writer is not None
        assert await opened.writer.run(lambda db: db.execute("PRAGMA synchronous").fetchone()[0]) == level
    finally:
        await opened.close()


async def test_connections_check_what_they_read(tmp_path: Path) -> None:
    database = await Database.connect(tmp_path / "any.db")
    try:
        pragmas = ("foreign_keys", "trusted_schema", "cell_size_check", "busy_timeout")
        values = await database.run(lambda db: [db.execute(f"PRAGMA {each}").fetchone()[0] for each in pragmas])
    finally:
        await database.close()
    assert values == [1, 0, 1, 5_000]
