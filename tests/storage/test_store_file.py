from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from kore_ls.errors import (
    KoreError,
    SessionNotFound,
    StoreBusy,
    StoreDamaged,
    StoreForeign,
    StoreReadOnly,
    UnsupportedStore,
)
from kore_ls.model.ids import SessionId, now_ms
from kore_ls.storage.changes import StoreChange
from kore_ls.storage.cipher import Cipher
from kore_ls.storage.files import check_openable
from kore_ls.storage.home import StoreHome
from kore_ls.storage.keys import CONVERTING_MS, note_converting
from kore_ls.storage.migrations import APPLICATION_ID
from kore_ls.storage.session_rows import SessionQuery
from kore_ls.storage.store import SQLiteStore
from tests.storage.values import message, record


async def filled(path: Path, cipher: Cipher | None, count: int = 0) -> None:
    """A closed store with the session "s" and `count` messages in it."""
    store = SQLiteStore(path, cipher)
    try:
        await store.create_session(record("s"))
        await asyncio.gather(*(store.add_message(message("s", f"message {n} " * 40)) for n in range(count)))
    finally:
        await store.close()


async def refused(path: Path, cipher: Cipher | None, kind: type[KoreError], reason: str | None = None) -> None:
    """Reading and writing both fail so, and the files stay as they are, byte for byte."""
    before = {each.name: each.read_bytes() for each in path.parent.iterdir()}
    store = SQLiteStore(path, cipher)
    try:
        for attempt in (lambda: store.list_sessions(SessionQuery()), lambda: store.create_session(record())):
            with pytest.raises(kind) as caught:
                await attempt()
            assert caught.value.params.get("reason") == reason
    finally:
        await store.close()
    assert {each.name: each.read_bytes() for each in path.parent.iterdir()} == before


# --- what lies at the path


async def test_an_empty_file_is_a_new_store(store: SQLiteStore, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"")

    assert (await store.list_sessions(SessionQuery())).sessions == ()
    assert path.read_bytes() == b""
    await store.create_session(record("s"))
    assert (await store.load_session(SessionId("s"))).id == "s"


@pytest.mark.parametrize(
    "content", [b"x", b"a text file\n" * 100, b"SQLite format 3", b"SQLite format 3\0" + b"x" * 90]
)
async def test_a_file_that_is_no_database_is_refused_and_left_alone(
    path: Path, content: bytes, cipher: Cipher | None
) -> None:
    path.parent.mkdir()
    path.write_bytes(content)

    await refused(path, cipher, StoreDamaged, "header")


async def test_another_programs_database_is_refused_and_left_alone(path: Path, cipher: Cipher | None) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE sessions (id TEXT)")

    await refused(path, cipher, UnsupportedStore, "application")


async def test_a_newer_store_is_refused_and_left_alone(path: Path, cipher: Cipher | None) -> None:
    await filled(path, cipher)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")

    await refused(path, cipher, UnsupportedStore)


@pytest.mark.parametrize(
    "planted",
    [
        "CREATE TRIGGER t AFTER INSERT ON messages BEGIN DELETE FROM sessions; END",
        "CREATE VIEW v AS SELECT 1",
        "CREATE TABLE t (a)",
        "CREATE INDEX i ON messages (content)",
        "DROP INDEX idx_messages_timestamp",
        "ALTER TABLE sessions ADD COLUMN extra TEXT",
    ],
)
async def test_a_schema_that_is_not_ours_to_the_letter_is_refused_and_left_alone(
    path: Path, planted: str, cipher: Cipher | None
) -> None:
    await filled(path, cipher)
    with closing(sqlite3.connect(path)) as db:
        db.execute(planted)

    await refused(path, cipher, StoreDamaged, "schema")


async def test_a_trigger_with_one_of_sqlites_own_names_is_found(path: Path, cipher: Cipher | None) -> None:
    await filled(path, cipher)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("CREATE TRIGGER harmless AFTER INSERT ON messages BEGIN SELECT 1; END")
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_master SET name = 'sqlite_autoindex_x_1' WHERE name = 'harmless'")

    await refused(path, cipher, StoreDamaged)


async def test_statistics_that_a_tool_gathered_are_fine(path: Path, store: SQLiteStore, cipher: Cipher | None) -> None:
    await filled(path, cipher, 3)
    with closing(sqlite3.connect(path)) as db:
        db.execute("ANALYZE")

    assert (await store.load_session(SessionId("s"))).message_count == 3


async def test_a_truncated_file_is_damaged_and_left_alone(path: Path, cipher: Cipher | None) -> None:
    await filled(path, cipher, 200)
    os.truncate(path, path.stat().st_size // 2)

    before = path.read_bytes()
    store = SQLiteStore(path, cipher)
    try:
        with pytest.raises(StoreDamaged):
            await store.create_session(record())
        assert await store.check() != []
    finally:
        await store.close()
    assert path.read_bytes() == before


async def test_an_emptied_file_beside_its_journal_is_damaged_and_left_alone(
    path: Path, tmp_path: Path, cipher: Cipher | None
) -> None:
    running = SQLiteStore(tmp_path / "other" / "sessions.db", cipher)
    try:
        await running.create_session(record("s"))
        shutil.copytree(tmp_path / "other", path.parent)
    finally:
        await running.close()
    os.truncate(path, 0)

    await refused(path, cipher, StoreDamaged, "truncated")


async def test_an_emptied_file_beside_its_rollback_journal_is_damaged_and_left_alone(
    path: Path, cipher: Cipher | None
) -> None:
    await filled(path, cipher)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("PRAGMA cache_size = 1")
        db.execute("PRAGMA cache_spill = 1")
        db.execute("BEGIN")
        db.execute("INSERT INTO meta VALUES ('large', zeroblob(100000))")
        journal = path.with_name(path.name + "-journal").read_bytes()
        db.execute("ROLLBACK")
    path.with_name(path.name + "-journal").write_bytes(journal)
    os.truncate(path, 0)

    await refused(path, cipher, StoreDamaged, "truncated")


async def test_a_store_that_is_being_made_is_none_yet_or_whole(tmp_path: Path, cipher: Cipher | None) -> None:
    paths = [tmp_path / str(number) / "sessions.db" for number in range(20)]

    all_made = threading.Event()

    def look() -> None:
        for path in paths:
            while not check_openable(path) and not all_made.is_set():
                pass

    looking = asyncio.create_task(asyncio.to_thread(look))
    try:
        await asyncio.gather(*(filled(path, cipher) for path in paths))
    finally:
        all_made.set()
        await looking


@pytest.mark.slow
def test_a_file_that_shrinks_while_it_is_looked_at_is_not_damaged(path: Path) -> None:
    """As after something was removed for good by another process: its first page may tell of more than there is."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for sql in ("auto_vacuum = INCREMENTAL", f"application_id = {APPLICATION_ID}", "journal_mode = WAL"):
            db.execute(f"PRAGMA {sql}").fetchall()
        db.execute("CREATE TABLE t (x)")

    def grow_and_shrink() -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            for _ in range(400):
                for change in ("INSERT INTO t SELECT randomblob(200000)", "DELETE FROM t"):
                    db.execute(change)
                    db.execute("PRAGMA incremental_vacuum").fetchall()
                    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    writer = threading.Thread(target=grow_and_shrink)
    writer.start()
    try:
        while writer.is_alive():
            assert check_openable(path)
    finally:
        writer.join()


async def test_damage_that_sqlite_meets_ends_the_writing(path: Path, store: SQLiteStore, cipher: Cipher | None) -> None:
    await filled(path, cipher, 400)
    size = path.stat().st_size
    with path.open("r+b") as file:
        for at in range(16 * 4096, size, 4096):
            file.seek(at)
            file.write(b"\xff" * 100)

    with pytest.raises(StoreDamaged):
        await store.list_messages(SessionId("s"), after=0, limit=1_000)
    with pytest.raises(StoreDamaged):
        await store.create_session(record())
    assert await store.check() != []


@pytest.mark.parametrize(
    ("statement", "reads"),
    [
        ("UPDATE messages SET role = 'robot'", "messages"),
        ("UPDATE messages SET metadata = '{'", "messages"),
        ("UPDATE messages SET metadata = '[1]'", "messages"),
        ("UPDATE messages SET content = x'00ff'", "messages"),
        ("UPDATE messages SET content = CAST(x'ff' AS TEXT)", "messages"),
        ("UPDATE messages SET timestamp = 'now'", "messages"),
        ("UPDATE sessions SET status = 'asleep'", "session"),
        ("UPDATE sessions SET agent_mode = 'root'", "session"),
        ("UPDATE sessions SET updated_at = 'now'", "session"),
        ("UPDATE sessions SET tags = '7'", "session"),
        ("UPDATE sessions SET usage = '{\"surprise\": 1}'", "session"),
        ("UPDATE sessions SET metadata = '" + "[" * 100_000 + "'", "session"),
    ],
)
async def test_a_row_that_has_rotted_is_named_as_damage(
    path: Path, store: SQLiteStore, statement: str, reads: str, cipher: Cipher | None
) -> None:
    await filled(path, cipher, 1)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(statement)

    with pytest.raises(StoreDamaged):
        if reads == "messages":
            await store.list_messages(SessionId("s"))
        else:
            await store.load_session(SessionId("s"))


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal"])
async def test_a_link_in_place_of_a_file_is_not_followed(
    path: Path, tmp_path: Path, suffix: str, cipher: Cipher | None
) -> None:
    await filled(path, cipher)
    target = tmp_path / "target"
    linked = path.with_name(path.name + suffix)
    target.write_bytes(linked.read_bytes() if linked.exists() else b"")
    before = target.read_bytes()
    linked.unlink(missing_ok=True)
    linked.symlink_to(target)

    await refused(path, cipher, StoreForeign, "link")
    assert target.read_bytes() == before


async def test_a_foreign_store_is_not_opened(path: Path, tmp_path: Path, cipher: Cipher | None) -> None:
    await filled(path, cipher)
    path.with_name(path.name + "-journal").write_bytes(b"hostile")
    before = {each.name: each.read_bytes() for each in path.parent.iterdir()}
    store = SQLiteStore(path, cipher, gate=StoreHome(path.parent, tmp_path / "state"))
    try:
        for attempt in (lambda: store.status(), lambda: store.create_session(record()), lambda: store.check()):
            with pytest.raises(StoreForeign):
                await attempt()
    finally:
        await store.close()
    assert {each.name: each.read_bytes() for each in path.parent.iterdir()} == before


async def test_a_gated_store_becomes_its_users_own_with_the_first_write(
    path: Path, tmp_path: Path, cipher: Cipher | None
) -> None:
    home = StoreHome(path.parent, tmp_path / "state")
    for _ in range(2):
        store = SQLiteStore(path, cipher, gate=home)
        try:
            await store.create_session(record())
        finally:
            await store.close()
    assert not home.foreign
    assert (path.parent / ".gitignore").exists()


# --- the file changes under us


async def test_a_file_removed_under_us_fails_the_write_and_is_made_anew_by_the_next(
    store: SQLiteStore, path: Path
) -> None:
    await store.create_session(record("s"))
    shutil.rmtree(path.parent)

    with pytest.raises(StoreDamaged) as caught:
        await store.add_message(message("s"))
    assert caught.value.params["reason"] == "replaced"
    with pytest.raises(SessionNotFound):
        await store.add_message(message("s"))
    await store.create_session(record("t"))

    assert [each.id for each in (await store.list_sessions(SessionQuery())).sessions] == ["t"]


async def test_nothing_is_written_into_a_file_that_was_replaced(
    store: SQLiteStore, path: Path, tmp_path: Path, cipher: Cipher | None
) -> None:
    await store.create_session(record("old"))
    await store.flush()
    await filled(tmp_path / "new" / path.name, cipher)
    kept = tmp_path / "kept"
    os.link(path, kept)
    before = kept.read_bytes()
    shutil.copyfile(tmp_path / "new" / path.name, tmp_path / "copy")
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink()
    (tmp_path / "copy").replace(path)

    with pytest.raises(StoreDamaged) as caught:
        await store.create_session(record("lost"))

    assert caught.value.params["reason"] == "replaced"
    assert kept.read_bytes() == before
    assert [each.id for each in (await store.list_sessions(SessionQuery())).sessions] == ["s"]
    await store.create_session(record("kept"))
    assert (await store.load_session(SessionId("kept"))).id == "kept"
    assert await store.check() == []


async def test_reading_looks_afresh_at_a_path_whose_file_is_gone(store: SQLiteStore, path: Path) -> None:
    await store.create_session(record("s"))
    shutil.rmtree(path.parent)

    assert (await store.list_sessions(SessionQuery())).sessions == ()
    with pytest.raises(SessionNotFound):
        await store.load_session(SessionId("s"))


async def test_whoever_listens_hears_that_the_file_is_another(store: SQLiteStore, path: Path) -> None:
    heard: asyncio.Queue[StoreChange] = asyncio.Queue()
    store.listen(heard.put_nowait)
    await store.create_session(record("s"))
    shutil.rmtree(path.parent)

    assert await heard.get() == StoreChange()


async def test_readers_and_writers_at_once_survive_a_file_that_goes(store: SQLiteStore, path: Path) -> None:
    await store.create_session(record("s"))

    async def read() -> None:
        for _ in range(50):
            await store.list_sessions(SessionQuery())

    async def write() -> None:
        for number in range(50):
            if number == 25:
                shutil.rmtree(path.parent)
            try:
                await store.create_session(record())
            except StoreDamaged as error:
                assert error.params["reason"] == "replaced"

    await asyncio.gather(read(), read(), write())

    assert (await store.status()).sessions >= 20
    assert await store.check() == []


# --- locks and ends


async def test_a_lock_held_for_too_long_is_told_and_the_store_goes_on(path: Path, cipher: Cipher | None) -> None:
    await filled(path, cipher)
    store = SQLiteStore(path, cipher, busy_timeout_ms=50)
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreBusy):
                await store.create_session(record())
            assert (await store.load_session(SessionId("s"))).id == "s"
            other.execute("ROLLBACK")
        await store.create_session(record("t"))
        assert (await store.load_session(SessionId("t"))).id == "t"
    finally:
        await store.close()


async def test_a_write_waits_for_a_conversion_however_long_that_takes(path: Path, cipher: Cipher | None) -> None:
    await filled(path, cipher)
    store = SQLiteStore(path, cipher, busy_timeout_ms=20)
    try:
        await store.load_session(SessionId("s"))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            note_converting(other, now_ms())
            other.execute("BEGIN IMMEDIATE")
            writing = asyncio.create_task(store.create_session(record("t")))
            await asyncio.wait([writing], timeout=0.3)  # many times as long as it waits for others
            assert not writing.done()
            other.execute("ROLLBACK")
            assert (await writing).id == "t"
            note_converting(other, now_ms() - CONVERTING_MS)
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreBusy):
                await store.create_session(record("u"))
            other.execute("ROLLBACK")
    finally:
        await store.close()


async def test_a_second_store_object_takes_no_lock_from_the_first(path: Path, cipher: Cipher | None) -> None:
    first, second = SQLiteStore(path, cipher), SQLiteStore(path, cipher)
    try:
        await first.create_session(record("s"))
        await second.load_session(SessionId("s"))
        await second.close()

        with closing(sqlite3.connect(path, timeout=0)) as other, pytest.raises(sqlite3.OperationalError):
            other.execute("PRAGMA journal_mode = DELETE").fetchall()
        await first.add_message(message("s"))
    finally:
        await first.close()
        await second.close()


async def test_closing_ends_every_thread_and_takes_the_journals_away(path: Path, cipher: Cipher | None) -> None:
    before = set(threading.enumerate())
    store = SQLiteStore(path, cipher)
    store.listen(lambda _: None)
    await store.create_session(record("s"))
    adding = [asyncio.create_task(store.add_message(message("s"))) for _ in range(20)]
    await asyncio.sleep(0)

    await asyncio.gather(store.close(), store.close())
    await asyncio.gather(*adding)

    for thread in set(threading.enumerate()) - before:
        if not thread.daemon:
            thread.join(10)
            assert not thread.is_alive()
    assert [each.name for each in path.parent.iterdir()] == [path.name]


async def test_a_place_where_nothing_can_be_made_is_read_only(tmp_path: Path, cipher: Cipher | None) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = SQLiteStore(tmp_path / "file" / "sessions.db", cipher)
    try:
        with pytest.raises(StoreReadOnly):
            await store.create_session(record())
    finally:
        await store.close()
