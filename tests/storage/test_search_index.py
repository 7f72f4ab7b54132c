"""The index holds just what the tables hold, whatever happens to them and to it."""

from __future__ import annotations

import ctypes
import ctypes.util
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from kore_ls.errors import StoreDamaged, UnsupportedStore
from kore_ls.model.ids import SessionId
from kore_ls.model.search import SearchQuery
from kore_ls.storage import search_index
from kore_ls.storage.codec import codec_of
from kore_ls.storage.message_rows import insert_messages
from kore_ls.storage.migrations import SEARCH_TABLES, SHADOWS, check_schema, migrate
from kore_ls.storage.sealing import INDEXED_BYTES, searched_text, text_of
from kore_ls.storage.search_index import (
    Reach,
    broken_tables,
    create_index,
    index_step,
    missing,
    newest,
    out_of_step,
    outdate,
    reach,
    unindexed,
)
from kore_ls.storage.search_rows import search
from kore_ls.storage.session_rows import (
    Hidden,
    change_session,
    hide_for_purge,
    insert_session,
    purge_step,
    remove_rows,
)
from tests.ciphers import IDS
from tests.storage.found import NOW, database, hits, index_all, index_rows, message, message_ids, session

TEXTS = [f"message {number} 用户认证 getUserName{number}" for number in range(40)]


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    """With the index in the file, as plain stores have it."""
    with database(TEXTS, sessions=4) as made:
        yield made


@pytest.fixture(params=[False, pytest.param(True, marks=pytest.mark.slow)], ids=IDS)
def searched(request: pytest.FixtureRequest) -> Iterator[sqlite3.Connection]:
    """The same, or with the index in memory that encrypted stores have: of messages alone, as names are read."""
    with database(TEXTS, sessions=4, encrypted=request.param) as made:
        yield made


def assert_in_step(db: sqlite3.Connection) -> None:
    """By count, by what FTS5 says of itself, and by what it finds."""
    index_all(db)
    assert not missing(db, newest(db))
    encrypted = codec_of(db) is not None
    assert encrypted or not out_of_step(db)
    for table, source, key in (("messages_fts", "messages", "id"), ("sessions_fts", "sessions", "num"))[
        : 2 - encrypted
    ]:
        assert ids(db, f"SELECT id FROM {table}_docsize") == ids(db, f"SELECT {key} FROM {source}")
        db.execute(f"INSERT INTO {table} ({table}) VALUES ('integrity-check')")
    rows = db.execute(f"SELECT m.id, {searched_text(db)} FROM messages m").fetchall()
    contents = [(row[0], text_of(row[1])) for row in rows]
    for word, expression in (
        ("message", '"message"'),
        ("认证", '"认证"'),
        ("用户认证", '"用户 户认 认证"'),
        ("getusername", '"getusername" *'),
    ):
        found = ids(db, "SELECT rowid FROM messages_fts WHERE messages_fts MATCH ?", expression)
        assert found == sorted(number for number, text in contents if word in text.lower())


def ids(db: sqlite3.Connection, sql: str, *values: str) -> list[int]:
    return sorted(row[0] for row in db.execute(sql, values))


def names_found(db: sqlite3.Connection, query: str) -> list[str]:
    return sorted(hit.session.name for hit in hits(db, query) if hit.name_ranges)


def change(db: sqlite3.Connection, session_id: str, **fields: Any) -> None:
    db.execute("BEGIN")
    try:
        change_session(db, SessionId(session_id), lambda record: evolve(record, **fields))
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def test_every_message_and_session_is_indexed(searched: sqlite3.Connection) -> None:
    assert_in_step(searched)
    assert reach(searched) == Reach(message=40, session=4 if codec_of(searched) is None else 0)


@pytest.mark.parametrize("rows", [1, 3, 1000])
def test_steps_of_any_size_index_all(rows: int) -> None:
    with database(TEXTS, sessions=4, indexed=False) as db:
        assert missing(db, newest(db)) == 44
        while index_rows(db, rows):
            assert not out_of_step(db)
        assert_in_step(db)
        assert unindexed(db) == 0


def test_a_step_ends_when_it_has_read_much_text() -> None:
    """Somebody may be waiting to write."""
    with database(["word " * 100_000] * 5, indexed=False) as db:
        assert [index_rows(db, 100) for _ in range(6)] == [2, 1, 1, 1, 1, 0]


def test_of_a_huge_message_the_beginning_is_searched() -> None:
    with database(["early " + "x " * (INDEXED_BYTES // 2) + " late", "认" * INDEXED_BYTES]) as db:
        assert message_ids(hits(db, "early")) == ["s0-1"]
        assert message_ids(hits(db, "late")) == []
        assert message_ids(hits(db, "认认")) == ["s0-2"]
        remove_rows(db, SessionId("s0"))
        assert_in_step(db)


def test_the_newest_of_many_new_messages_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_index, "JUMP", 10)
    with database(TEXTS, indexed=False) as db:
        index_rows(db, 4)
        assert ids(db, "SELECT id FROM messages_fts_docsize") == [37, 38, 39, 40]
        insert_messages(db, [message("s0", seq, "message later") for seq in range(41, 46)])
        index_rows(db, 4)
        assert ids(db, "SELECT id FROM messages_fts_docsize") == [*range(37, 45)]
        insert_messages(db, [message("s0", seq, "message much later") for seq in range(46, 66)])
        index_rows(db, 4)
        assert ids(db, "SELECT id FROM messages_fts_docsize") == [*range(37, 45), *range(62, 66)]
        assert unindexed(db) == missing(db, newest(db)) == 65 - 12
        assert missing(db, Reach(message=44, session=1)) == 36
        db.execute("DELETE FROM messages WHERE id IN (45, 46, 1, 2)")
        assert_in_step(db)
        assert reach(db) == Reach(message=65, session=1)


NAMES = ["message 用户", "getUserName", "认证", "", "名 x"]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_happens_the_index_keeps_in_step(data: st.DataObject) -> None:
    """Sessions come, change and go while steps of the index lie in between; more messages at once than JUMP, too."""
    with pytest.MonkeyPatch.context() as patch, database([], sessions=0) as db:
        patch.setattr(search_index, "JUMP", 6)
        for turn in range(data.draw(st.integers(1, 15))):
            db.execute("BEGIN IMMEDIATE")
            happen(db, data, turn)
            db.execute("COMMIT")
        assert_in_step(db)


def happen(db: sqlite3.Connection, data: st.DataObject, turn: int) -> None:
    known = [SessionId(row[0]) for row in db.execute("SELECT id FROM sessions WHERE hidden = 0 ORDER BY id")]
    action = data.draw(st.sampled_from(["create", "add", "rename", "remove", "hide", "purge", "index"]))
    name, other = data.draw(st.sampled_from(NAMES)), data.draw(st.sampled_from(NAMES))
    count = data.draw(st.integers(1, 9))
    if action == "index":
        index_step(db, count)
    elif action == "purge":
        purge_step(db, 1, count)
    elif action == "create" or not known:
        hidden = data.draw(st.sampled_from([Hidden.NO, Hidden.IMPORTING]))
        insert_session(db, session(f"m{turn}", name=name), hidden, 0)
    else:
        one = data.draw(st.sampled_from(known))
        if action == "add":
            (last,) = db.execute("SELECT coalesce(max(seq), 0) FROM messages WHERE session_id = ?", (one,)).fetchone()
            insert_messages(db, [message(one, last + 1 + number, name) for number in range(count)])
        elif action == "rename":
            change_session(db, one, lambda record: evolve(record, name=name, tags=(other,), description=other))
        elif action == "remove":
            remove_rows(db, one)
        else:
            hide_for_purge(db, one, 0)


def test_names_descriptions_and_tags_are_found_as_they_are_now(searched: sqlite3.Connection) -> None:
    changes: list[dict[str, Any]] = [
        {"name": "重构 Parser"},
        {"description": "about loginForm"},
        {"tags": ("紧急", "v2.0")},
        {"name": "plain"},
    ]
    for fields in changes:
        change(searched, "s1", **fields)
        assert_in_step(searched)
    for query in ("重构", "parser"):
        assert hits(searched, query) == []
    for query in ("login", "紧急", "v2.0", "plain"):
        assert [hit.session.id for hit in hits(searched, query)] == ["s1"]


def test_words_of_name_and_tags_do_not_make_a_phrase_together(searched: sqlite3.Connection) -> None:
    change(searched, "s1", name="alpha", tags=("beta", "gamma"))
    assert hits(searched, '"alpha beta"') == hits(searched, '"beta gamma"') == []
    assert len(hits(searched, "alpha gamma")) == 1


def test_a_session_made_again_under_its_id_is_indexed_anew(db: sqlite3.Connection) -> None:
    hide_for_purge(db, SessionId("s1"), 0)
    insert_session(db, session("s1", name="reborn"))
    assert_in_step(db)
    assert names_found(db, "reborn") == ["reborn"]
    assert message_ids(hits(db, "message", session_id="s1")) == []


# -- what is wrong with the index


def make_anew(db: sqlite3.Connection) -> None:
    broken = broken_tables(db)
    db.execute("BEGIN")
    create_index(db, broken)
    db.execute("COMMIT")


@pytest.mark.parametrize(
    "spoil",
    [
        "DROP TABLE messages_fts",
        "DELETE FROM meta WHERE key = 'index_version'",
        "UPDATE meta SET value = 0 WHERE key = 'index_version'",
        "UPDATE meta SET value = -1 WHERE key = 'index_version'",
        "UPDATE meta SET value = 'nonsense' WHERE key = 'index_gaps'",
        "DELETE FROM meta WHERE key = 'indexed_message'",
        "UPDATE messages_fts_data SET block = x'0102030405' WHERE id > 10",
        "DELETE FROM messages_fts_data",
        "DROP TABLE sessions_fts_config",
    ],
)
def test_a_missing_damaged_or_outdated_index_is_made_anew(db: sqlite3.Connection, spoil: str) -> None:
    before = db.execute("SELECT * FROM messages").fetchall(), db.execute("SELECT * FROM sessions").fetchall()
    db.execute(spoil)
    try:
        search(db, SearchQuery(text='"message" 认证'), now=NOW)
        index_all(db)
    except StoreDamaged as error:
        assert error.params == {"reason": "index"}
        if db.in_transaction:
            db.execute("ROLLBACK")
        make_anew(db)
    assert_in_step(db)
    assert len(message_ids(hits(db, "认证"))) == 40
    assert before == (db.execute("SELECT * FROM messages").fetchall(), db.execute("SELECT * FROM sessions").fetchall())
    check_schema(db)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with one session of 300 messages, all of it indexed."""
    made = tmp_path / "sessions.db"
    with closing(sqlite3.connect(made, isolation_level=None)) as db:
        migrate(db)
        insert_session(db, session("s0"))
        texts = [f"message 认证 {random.Random(seq).randbytes(200).hex()}" for seq in range(300)]
        db.execute("BEGIN")
        insert_messages(db, [message("s0", seq, text) for seq, text in enumerate(texts, 1)])
        db.execute("COMMIT")
        index_all(db)
    return made


def overwrite(path: Path, table: str) -> None:
    """Garbage in place of the leaves of a table."""
    with closing(sqlite3.connect(path)) as db:
        try:
            pages = ids(db, "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf'", table)
        except sqlite3.OperationalError:
            pytest.skip("this SQLite does not tell which pages are whose")
    content = bytearray(path.read_bytes())
    for number in pages:
        content[(number - 1) * 4096 : number * 4096] = random.Random(number).randbytes(4096)
    path.write_bytes(content)


def test_pages_of_the_index_that_are_overwritten_are_left_alone(path: Path) -> None:
    """To drop a table whose pages are garbage could free pages of others."""
    overwrite(path, "messages_fts_data")
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        before = db.execute("SELECT * FROM messages").fetchall()
        with pytest.raises(StoreDamaged) as raised:
            search(db, SearchQuery(text='"message"'), now=NOW)
        assert raised.value.params == {"reason": "index"}
        assert broken_tables(db) == ["messages_fts"]
        make_anew(db)
        assert_in_step(db)
        check_schema(db)
        assert db.execute("SELECT * FROM messages").fetchall() == before
        assert len(message_ids(hits(db, "认证"))) == len(before)


def test_damaged_messages_are_not_taken_for_a_damaged_index(path: Path) -> None:
    overwrite(path, "messages")
    with closing(sqlite3.connect(path, isolation_level=None)) as db, pytest.raises(sqlite3.DatabaseError):
        search(db, SearchQuery(text='"message"'), now=NOW)


@pytest.mark.parametrize("rotten", [b"\xff\xfe message", b"", b"\x00message"])
def test_a_text_that_has_rotted_does_not_stop_the_index(rotten: bytes) -> None:
    with database(["message one", "message two", "message three"], indexed=False) as db:
        db.execute("UPDATE messages SET content = CAST(? AS TEXT) WHERE id = 2", (rotten,))
        index_all(db)
        assert {"s0-1", "s0-3"} <= set(message_ids(hits(db, "message")))


def test_an_index_of_a_newer_version_is_left_to_newer_processes(db: sqlite3.Connection) -> None:
    """Else an old and a new process on one file would make the index anew for ever."""
    db.execute("UPDATE meta SET value = 99 WHERE key = 'index_version'")
    insert_messages(db, [message("s0", 11, "one more")])
    assert not missing(db, newest(db))
    assert index_rows(db, 10) == 0
    change(db, "s0", name="renamed")
    assert db.execute("SELECT value FROM meta WHERE key = 'index_version'").fetchone() == (-99,), "it is told"
    assert not missing(db, newest(db))
    assert index_rows(db, 10) == 0


@pytest.mark.parametrize(
    "spoil",
    [
        "DELETE FROM messages WHERE id = 7",
        "DELETE FROM sessions WHERE id = 's1'",
        "DELETE FROM messages_fts_docsize WHERE id = 7",
        "DELETE FROM sessions_fts_docsize WHERE id = 1",
        "DROP TABLE messages_fts",
    ],
)
def test_an_index_out_of_step_is_noticed(db: sqlite3.Connection, spoil: str) -> None:
    db.execute("PRAGMA foreign_keys = OFF")
    assert not out_of_step(db)
    db.execute(spoil)
    assert out_of_step(db)


# -- without FTS5


def without_fts5(db: sqlite3.Connection) -> None:
    """Take the module away from a connection, as in an SQLite that was built without it."""
    library = ctypes.util.find_library("sqlite3")
    if library is None:
        pytest.skip("SQLite is not a shared library here")
    drop = ctypes.CDLL(library).sqlite3_drop_modules
    handle = ctypes.cast(id(db) + object.__basicsize__, ctypes.POINTER(ctypes.c_void_p)).contents
    drop(handle, None)
    try:
        db.execute("CREATE VIRTUAL TABLE temp.probe USING fts5(x)")
    except sqlite3.OperationalError:
        return
    pytest.skip("SQLite's modules can't be taken away here")


def test_without_fts5_the_rest_works_and_search_says_why_it_does_not() -> None:
    with database(["message 认证"], indexed=False) as db:
        without_fts5(db)
        with pytest.raises(UnsupportedStore) as raised:
            index_step(db, 10)
        assert raised.value.params == {"reason": "fts5"}
        change(db, "s0", name="renamed")
        remove_rows(db, SessionId("s0"))
        check_schema(db)


def test_an_index_made_elsewhere_is_no_trouble_without_fts5(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        without_fts5(db)
        check_schema(db)
        with pytest.raises(StoreDamaged):
            search(db, SearchQuery(text='"message"'), now=NOW)
        with pytest.raises(StoreDamaged) as raised:
            change(db, "s0", name="renamed")
        assert raised.value.params == {"reason": "index"}
        outdate(db)
        change(db, "s0", name="renamed")
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        make_anew(db)
        assert_in_step(db)
        assert names_found(db, "renamed") == ["renamed"]


def test_the_tables_fts5_makes_are_the_ones_we_know() -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        for definition in SEARCH_TABLES.values():
            db.execute(definition)
        made = dict(db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall())
    expected = dict(SEARCH_TABLES)
    for table in SEARCH_TABLES:
        expected |= {f"{table}_{end}": f"CREATE TABLE '{table}_{end}'{columns}" for end, columns in SHADOWS.items()}
    assert made == expected
