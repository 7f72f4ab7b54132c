from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from kore_ls.errors import ImportInvalid, KoreError
from kore_ls.model.limits import IMPORT_FILE_BYTES
from kore_ls.sessions.documents.export_document import document_of
from kore_ls.sessions.documents.import_document import parse, parse_rows
from kore_ls.storage.foreign_reader import ForeignContent, read_foreign
from kore_ls.storage.message_rows import insert_messages
from kore_ls.storage.migrations import migrate
from kore_ls.storage.rows import (
    SESSION_COLUMNS,
    marks,
    session_row,
)
from tests.transcripts import START, real_transcript, write_seed_database

SMALL = {"id": "s", "name": "n", "agent_mode": "plan", "status": "idle", "created_at": START, "updated_at": START}
SESSION = "INSERT INTO sessions VALUES ('s', 'n', 'plan', 'idle', 1768723200, 1768723200, NULL)"
MESSAGE = "INSERT INTO messages (session_id, role, content, timestamp, metadata) VALUES ('s', 'user', ?, 1768723200, ?)"


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        yield db


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file in the seed's schema without rows."""
    path = tmp_path / "foreign.db"
    write_seed_database(path, [])
    return path


def contents(found: ForeignContent) -> list[str]:
    return [message["content"] for session in found.sessions for message in session["messages"]]


def write_own_database(path: Path, document: dict[str, Any], **changes: Any) -> None:
    """A store of our own schema with one session; changes are to its row."""
    (bundle,) = parse(document, now=0, new_id=lambda: "unused")
    with opened(path) as db:
        migrate(db)
        record = evolve(bundle.record, imported=False)
        db.execute("BEGIN")
        values = (1, *session_row(record))
        db.execute(f"INSERT INTO sessions (num, {SESSION_COLUMNS}) VALUES (?, {marks(SESSION_COLUMNS)})", values)
        for column, value in changes.items():
            db.execute(f"UPDATE sessions SET {column} = ?", (value,))
        insert_messages(db, reversed(bundle.messages))
        db.execute("COMMIT")


# --- what is read


def test_the_seed_s_tables_become_rows_with_the_document_s_keys(path: Path) -> None:
    with opened(path) as db:
        db.execute(SESSION)
        db.execute(MESSAGE, ("你好\0🙂", '{"a": [1]}'))
        db.execute(MESSAGE, ("", None))
    found = read_foreign(path)
    assert found.problems == []
    times = {"created_at": 1_768_723_200, "updated_at": 1_768_723_200}
    said = {"session_id": "s", "role": "user", "timestamp": 1_768_723_200}
    assert found.sessions == [
        {
            **SMALL,
            **times,
            "messages": [
                {**said, "id": 1, "content": "你好\0🙂", "metadata": {"a": [1]}},
                {**said, "id": 2, "content": ""},
            ],
        }
    ]


def test_metadata_that_is_no_json_is_left_out_and_told(path: Path) -> None:
    with opened(path) as db:
        db.execute(SESSION)
        db.execute("UPDATE sessions SET metadata = '{broken'")
        db.execute(MESSAGE, ("kept", '{"a": NaN}'))
    found = read_foreign(path)
    assert contents(found) == ["kept"] and "metadata" not in found.sessions[0]
    assert found.problems == ["sessions[0].metadata: is not JSON", "sessions[0].messages[0].metadata: is not JSON"]


def test_texts_stored_as_blobs_are_read(path: Path) -> None:
    with opened(path) as db:
        db.execute(SESSION)
        db.execute(MESSAGE, ("文".encode(), b'{"a": 1}'))
        db.execute(MESSAGE, (b"\xff\xfe", b"\xff"))
        db.execute("INSERT INTO messages VALUES (9, 's', 'user', CAST(x'61ff' AS TEXT), 1, NULL)")
    found = read_foreign(path)
    assert contents(found) == ["文", b"\xff\xfe", "a\ufffd"]
    assert found.sessions[0]["messages"][0]["metadata"] == {"a": 1}
    ((bundle,), problems) = parse_rows(found.sessions, now=1, new_id=lambda: "x")
    assert [m.content for m in bundle.messages] == ["文", "a\ufffd"]
    assert problems == ["left out: sessions[0].messages[1].content: must be a string"]


def test_a_store_of_our_own_is_read_without_loss(tmp_path: Path) -> None:
    document = real_transcript(90)
    write_own_database(tmp_path / "sessions.db", document)
    found = read_foreign(tmp_path / "sessions.db")
    ((bundle,), problems) = parse_rows(found.sessions, now=1, new_id=lambda: "unused")
    assert (found.problems, problems) == ([], [])
    assert document_of(bundle.record, bundle.messages, exported_at=document["exported_at"]) == document


def test_a_deleted_session_stays_deleted_and_a_hidden_one_hidden(tmp_path: Path) -> None:
    write_own_database(tmp_path / "deleted.db", real_transcript(60, large=False), deleted_at=77)
    write_own_database(tmp_path / "hidden.db", real_transcript(60, large=False), hidden=1)
    (session,) = read_foreign(tmp_path / "deleted.db").sessions
    assert session["deleted_at"] == 77
    assert read_foreign(tmp_path / "hidden.db").sessions == []


def test_messages_of_no_session_are_counted(path: Path) -> None:
    with opened(path) as db:
        db.execute(MESSAGE, ("orphan", None))
    assert read_foreign(path).problems == ["messages: 1 rows belong to no session that could be read"]


def test_missing_columns_and_tables_are_no_fault_of_the_reader(tmp_path: Path) -> None:
    path = tmp_path / "odd.db"
    with opened(path) as db:
        db.execute("CREATE TABLE sessions (ID, Name, extra)")
        db.execute("INSERT INTO sessions VALUES ('s', 'n', 1)")
    assert read_foreign(path).sessions == [{"id": "s", "name": "n", "messages": []}]
    with opened(path) as db:
        db.execute("CREATE TABLE messages (session_id, rowid, oid, _rowid_, content) ")
        db.execute("INSERT INTO messages VALUES ('s', 1, 2, 3, 'c')")
    assert contents(read_foreign(path)) == ["c"]


def test_tables_without_row_numbers_are_read(tmp_path: Path) -> None:
    with opened(tmp_path / "odd.db") as db:
        db.execute("CREATE TABLE sessions (id PRIMARY KEY, name) WITHOUT ROWID")
        db.execute("INSERT INTO sessions VALUES ('s', 'n'), ('t', 'm')")
    assert [session["id"] for session in read_foreign(tmp_path / "odd.db").sessions] == ["s", "t"]


# --- what a hostile file may not do


def test_a_journal_beside_the_file_is_neither_played_nor_removed(path: Path) -> None:
    with opened(path) as db:
        db.execute(SESSION)
        db.execute("PRAGMA journal_mode = PERSIST")
        db.execute("PRAGMA cache_size = 1")
        db.execute("PRAGMA cache_spill = 1")
        db.execute("BEGIN IMMEDIATE")
        db.executemany(MESSAGE, [("x" * 5000, None)] * 50)
        journal = Path(f"{path}-journal").read_bytes()
        before = path.read_bytes()
    Path(f"{path}-journal").write_bytes(journal)
    path.write_bytes(before)
    listing = sorted(path.parent.iterdir())
    read_foreign(path)
    assert sorted(path.parent.iterdir()) == listing
    assert (path.read_bytes(), Path(f"{path}-journal").read_bytes()) == (before, journal)


def test_a_write_ahead_log_beside_the_file_is_not_read_but_told(path: Path) -> None:
    with opened(path) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(SESSION)
        found = read_foreign(path)
    assert found.sessions == []
    assert found.problems == ["changes that are still in the -wal file beside it are left out"]


def test_the_file_itself_stays_as_it_is(path: Path) -> None:
    path.chmod(0o444)
    before, times = path.read_bytes(), path.stat()
    read_foreign(path)
    assert path.read_bytes() == before and path.stat().st_mtime_ns == times.st_mtime_ns
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW sessions AS SELECT 's' AS id, 'n' AS name",
        "CREATE VIRTUAL TABLE sessions USING fts5(id, name)",
        "CREATE TABLE other (id, name)",
    ],
)
def test_only_a_plain_table_is_taken_for_the_sessions(tmp_path: Path, statement: str) -> None:
    with opened(tmp_path / "odd.db") as db:
        db.execute(statement)
    with pytest.raises(ImportInvalid, match="holds no table of sessions"):
        read_foreign(tmp_path / "odd.db")


def test_a_view_in_the_place_of_the_messages_is_not_used(path: Path) -> None:
    with opened(path) as db:
        db.execute(SESSION)
        db.execute("DROP TABLE messages")
        db.execute("CREATE VIEW messages AS SELECT 's' AS session_id, 'user' AS role, 'c' AS content, 1 AS timestamp")
    assert contents(read_foreign(path)) == []


def test_a_view_passed_off_as_a_table_gives_nothing(path: Path) -> None:
    with opened(path) as db:
        db.execute(SESSION)
        db.execute("DROP TABLE messages")
        db.execute("PRAGMA writable_schema = ON")
        db.execute(
            "INSERT INTO sqlite_master VALUES ('table', 'messages', 'messages', 0, "
            "'CREATE VIEW messages AS SELECT id AS session_id, name AS content FROM sessions')"
        )
    try:
        found = read_foreign(path)
    except ImportInvalid:
        return
    assert contents(found) == []


def test_generated_columns_and_checks_run_nothing(tmp_path: Path) -> None:
    with opened(tmp_path / "odd.db") as db:
        db.execute("CREATE TABLE sessions (id, name AS (hex(zeroblob(1000))), status, CHECK (length(hex(status)) > 0))")
        db.execute("INSERT INTO sessions (id, status) VALUES ('s', 'idle')")
    found = read_foreign(tmp_path / "odd.db")
    assert found.sessions == [{"id": "s", "status": "idle", "messages": []}] and found.problems == []


def test_a_small_file_can_not_hold_more_than_it_has(path: Path) -> None:
    """A column's default value is stored once and read with every row."""
    with opened(path) as db:
        db.execute(SESSION)
        db.execute("CREATE TABLE m (session_id, role, content)")
        db.execute("BEGIN")
        db.executemany("INSERT INTO m VALUES ('s', 'user', ?)", [("c",)] * 1000)
        db.execute(f"ALTER TABLE m ADD COLUMN thinking DEFAULT '{'x' * 500_000}'")
        db.execute("DROP TABLE messages")
        db.execute("ALTER TABLE m RENAME TO messages")
        db.execute("COMMIT")
    found = read_foreign(path)
    assert "messages: holds more than its file can; reading stopped" in found.problems
    assert len(contents(found)) < 10


def test_reading_ends_when_its_time_is_over(path: Path) -> None:
    with opened(path) as db:
        db.execute(SESSION)
        db.execute("BEGIN")
        db.executemany(MESSAGE, [("c", None)] * 20_000)
        db.execute("COMMIT")
    found = read_foreign(path, seconds=-1)
    assert "reading took too long and was stopped" in found.problems
    assert len(contents(found)) < 20_000


def test_symlinks_pipes_and_giants_are_refused(path: Path, tmp_path: Path) -> None:
    link, pipe, giant = tmp_path / "link", tmp_path / "pipe", tmp_path / "giant"
    link.symlink_to(path)
    os.mkfifo(pipe)
    giant.write_bytes(path.read_bytes())
    os.truncate(giant, IMPORT_FILE_BYTES + 1)
    for bad in (link, pipe, giant, tmp_path, tmp_path / "missing"):
        with pytest.raises(ImportInvalid) as caught:
            read_foreign(bad)
        assert caught.value.params == {"place": "path"}


# --- damage


@pytest.mark.parametrize(
    "content",
    [b"", b"text", b"SQLite format 3\0", b"SQLite format 3\0" + b"\xff" * 8000, b"SQLite format 3\0" + b"\0" * 8000],
)
def test_what_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.db").write_bytes(content)
    with pytest.raises(ImportInvalid) as caught:
        read_foreign(tmp_path / "bad.db")
    assert caught.value.params == {"place": "path"}


def test_rows_around_a_damaged_place_are_saved(path: Path) -> None:
    with opened(path) as db:
        db.execute(SESSION)
        db.execute("BEGIN")
        db.executemany(MESSAGE, [(f"{n} " + "文" * 200, None) for n in range(3000)])
        db.execute("COMMIT")
    damaged = bytearray(path.read_bytes())
    middle, lost = len(damaged) // 2, 32 << 10
    damaged[middle : middle + lost] = b"\xa5" * lost
    path.write_bytes(damaged)
    found = read_foreign(path)
    numbers = [int(content.split()[0]) for content in contents(found)]
    assert numbers == sorted(numbers) and numbers[0] == 0 and numbers[-1] == 2999
    assert 2900 < len(numbers) < 3000
    assert "messages: some rows can't be read" in found.problems


def test_a_file_cut_in_half_gives_what_is_left_or_a_refusal(path: Path) -> None:
    with opened(path) as db:
        db.execute(SESSION)
        db.execute("BEGIN")
        db.executemany(MESSAGE, [("文" * 200, None)] * 500)
        db.execute("COMMIT")
    os.truncate(path, path.stat().st_size // 2)
    try:
        found = read_foreign(path)
    except ImportInvalid as error:
        assert error.params == {"place": "path"}
    else:
        assert found.problems


def test_a_row_too_long_to_import_is_passed_over(path: Path) -> None:
    with opened(path) as db:
        db.execute(SESSION)
        db.execute(MESSAGE, ("before", None))
        db.execute("INSERT INTO messages VALUES (2, 's', 'user', zeroblob(68000000), 1, NULL)")
        db.execute(MESSAGE, ("after", None))
    found = read_foreign(path)
    assert contents(found) == ["before", "after"]
    assert "messages: some rows can't be read" in found.problems


@pytest.mark.parametrize("seed", range(40))
def test_scattered_damage_never_gets_past_our_own_errors(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "bad.db"
    if seed % 2:
        write_seed_database(path, [real_transcript(60, large=False)])
    else:
        write_own_database(path, real_transcript(60, large=False))
    rng = random.Random(seed)
    damaged = bytearray(path.read_bytes())
    reach = rng.choice((200, 8192, len(damaged)))
    for _ in range(rng.choice((1, 5, 200))):
        damaged[rng.randrange(16, reach)] = rng.randrange(256)
    path.write_bytes(damaged)
    try:
        found = read_foreign(path, seconds=20)
    except KoreError as error:
        assert error.kind == "importInvalid"
        return
    parse_rows(found.sessions, now=1, new_id=lambda: "new")


def test_no_copy_is_left_behind(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = path.parent / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    read_foreign(path)
    os.truncate(path, 100)
    with pytest.raises(ImportInvalid):
        read_foreign(path)
    assert list(folder.iterdir()) == []
