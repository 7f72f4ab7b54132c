"""Whoever may write an encrypted store's file can spoil rows, but never make them say anything else."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest

from kore_ls.errors import StoreDamaged, StoreLocked
from kore_ls.model.ids import MessageId, SessionId, TurnId
from kore_ls.model.mode import AgentMode
from kore_ls.model.search import SearchQuery
from kore_ls.model.turn import AuditEntry
from kore_ls.storage.cipher import Cipher
from kore_ls.storage.session_rows import SessionQuery
from kore_ls.storage.store import SQLiteStore
from tests.ciphers import CHEAP
from tests.storage.searching import change, raw
from tests.storage.values import message, record, tool_call

CIPHER = Cipher("a passphrase", cost=CHEAP)
A, B = SessionId("a"), SessionId("b")
Tamper = Callable[[sqlite3.Connection], object]


@pytest.fixture
async def filled(path: Path) -> AsyncIterator[Path]:
    """A closed store with two sessions of three messages each, alike but for their texts."""
    await _fill(path)
    yield path


async def _fill(path: Path) -> None:
    store = SQLiteStore(path, CIPHER)
    for session in (A, B):
        await store.create_session(record(session, name=f"name of {session}", tags=(f"tag{session}",)))
        for number in (1, 2, 3):
            call = tool_call("call", title=f"title {session}{number}")
            await store.add_message(
                message(session, f"text {session}{number}", metadata={"n": number}, tool_calls=(call,))
            )
    await store.close()


def tampered(path: Path, tamper: Tamper) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA foreign_keys = OFF")
        tamper(db)


def swap(column: str, one: str, other: str, table: str = "messages") -> Tamper:
    """Exchange a column of two rows, which are given as conditions."""

    def tamper(db: sqlite3.Connection) -> None:
        first, second = (
            db.execute(f"SELECT {column} FROM {table} WHERE {each}").fetchone()[0] for each in (one, other)
        )
        db.execute(f"UPDATE {table} SET {column} = ? WHERE {one}", (second,))
        db.execute(f"UPDATE {table} SET {column} = ? WHERE {other}", (first,))

    return tamper


def put(sql: str) -> Tamper:
    return lambda db: db.execute(sql)


A2 = "session_id = 'a' AND seq = 2"
SPOILED_A2: dict[str, Tamper] = {
    "flipped": lambda db: db.execute(
        f"UPDATE messages SET content = ? WHERE {A2}",
        (
            bytes(
                b ^ (i == 30)
                for i, b in enumerate(db.execute(f"SELECT content FROM messages WHERE {A2}").fetchone()[0])
            ),
        ),
    ),
    "cut": put(f"UPDATE messages SET content = substr(content, 1, length(content) - 1) WHERE {A2}"),
    "emptied": put(f"UPDATE messages SET content = x'' WHERE {A2}"),
    "as plain text": put(f"UPDATE messages SET content = 'text of another' WHERE {A2}"),
    "as text that is none": put(f"UPDATE messages SET content = CAST(content AS TEXT) WHERE {A2}"),
    "metadata as text that is none": put(f"UPDATE messages SET metadata = CAST(metadata AS TEXT) WHERE {A2}"),
    "id that is none": put(f"UPDATE messages SET uid = CAST(x'80' AS TEXT) WHERE {A2}"),
    "tool call as text that is none": put(
        f"UPDATE tool_calls SET title = CAST(title AS TEXT) WHERE message_id = (SELECT id FROM messages WHERE {A2})"
    ),
    "of another session": put(
        f"UPDATE messages SET content = (SELECT content FROM messages WHERE session_id = 'b' AND seq = 2) WHERE {A2}"
    ),
    "of another row": put(
        f"UPDATE messages SET content = (SELECT content FROM messages WHERE session_id = 'a' AND seq = 1) WHERE {A2}"
    ),
    "of another column": put(f"UPDATE messages SET content = metadata WHERE {A2}"),
    "another role": put(f"UPDATE messages SET role = 'assistant' WHERE {A2}"),
    "another id": put(f"UPDATE messages SET uid = 'x' WHERE {A2}"),
    "tool call of another": put(
        "UPDATE tool_calls SET title = (SELECT title FROM tool_calls t JOIN messages m ON m.id = t.message_id "
        f"WHERE m.session_id = 'b' AND m.seq = 2) WHERE message_id = (SELECT id FROM messages WHERE {A2})"
    ),
}


@pytest.mark.parametrize("how", SPOILED_A2)
async def test_a_spoiled_message_is_an_error_and_the_others_are_read(filled: Path, how: str) -> None:
    tampered(filled, SPOILED_A2[how])
    store = SQLiteStore(filled, CIPHER)
    try:
        with pytest.raises(StoreDamaged):
            await store.list_messages(A, after=1, limit=1)
        before = await store.list_messages(A, after=0, before=2)
        after = await store.list_messages(A, after=2)
        assert [each.content for each in (*before.messages, *after.messages)] == ["text a1", "text a3"]
        assert [each.content for each in (await store.list_messages(B)).messages] == ["text b1", "text b2", "text b3"]
        found = await store.search(SearchQuery(text="text"))
        shown = {match.snippet for hit in found.hits for match in hit.matches}
        assert shown - {"text a2"} == {"text a1", "text a3", "text b1", "text b2", "text b3"}
        assert any("session a" in problem for problem in await store.check())
    finally:
        await store.close()


async def test_a_page_ends_before_a_spoiled_message_which_the_next_one_names(filled: Path) -> None:
    tampered(filled, SPOILED_A2["flipped"])
    store = SQLiteStore(filled, CIPHER)
    try:
        for page in (await store.list_messages(A, after=0), await store.list_messages(A)):
            assert (len(page.messages), page.has_more) == (1, True)
        with pytest.raises(StoreDamaged) as caught:
            await store.list_messages(A, after=1)
        (uid,) = raw(filled, f"SELECT uid FROM messages WHERE {A2}")
        assert caught.value.params == {"reason": "row", "sessionId": "a", "messageId": uid[0], "seq": 2}
        assert [each.content for each in (await store.list_messages(A, after=2)).messages] == ["text a3"]
        with pytest.raises(StoreDamaged) as caught:
            await store.encryption.rekey(CIPHER, CIPHER)
        assert caught.value.params == {"reason": "row", "sessionId": "a"}
    finally:
        await store.close()


async def test_an_id_that_somebody_put_there_is_not_repeated(filled: Path) -> None:
    tampered(filled, put(f"UPDATE messages SET uid = 'any words' WHERE {A2}"))
    store = SQLiteStore(filled, CIPHER)
    try:
        with pytest.raises(StoreDamaged) as caught:
            await store.list_messages(A, after=1)
        assert caught.value.params == {"reason": "row", "sessionId": "a", "seq": 2}
    finally:
        await store.close()


def emptied(table: str, column: str, declared: str) -> Tamper:
    """Empty a column that may not be empty, as whoever may write the file can."""

    def tamper(db: sqlite3.Connection) -> None:
        db.execute("PRAGMA writable_schema = ON")
        (sql,) = db.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        loose = sql.replace(f"{column} {declared}", f"{column} {declared.removesuffix(' NOT NULL')}")
        assert loose != sql
        (version,) = db.execute("PRAGMA schema_version").fetchone()
        for number, (text, doing) in enumerate(((loose, f"UPDATE {table} SET {column} = NULL"), (sql, "SELECT 1")), 1):
            db.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (text, table))
            db.execute(f"PRAGMA schema_version = {version + number}")
            db.execute(doing)

    return tamper


@pytest.mark.parametrize(
    ("table", "column", "declared"),
    [
        ("messages", "content", "TEXT NOT NULL"),
        ("tool_calls", "id", "TEXT NOT NULL"),
        ("tool_calls", "arguments", "JSON NOT NULL"),
        ("sessions", "name", "TEXT NOT NULL"),
        ("sessions", "last_preview", ""),
        ("todos", "items", "JSON NOT NULL"),
        ("audit", "tool_call", "JSON NOT NULL"),
    ],
)
async def test_what_is_always_there_and_was_emptied_is_damage(
    filled: Path, table: str, column: str, declared: str
) -> None:
    await _with_a_turn(filled, todo="a step")
    tampered(filled, emptied(table, column, declared) if declared else put(f"UPDATE {table} SET {column} = NULL"))
    store = SQLiteStore(filled, CIPHER)
    try:
        with pytest.raises(StoreDamaged):
            await store.load_session(A)
            await store.list_messages(A, after=0)
            await store.turns.todo(A)
            await store.turns.decisions(A, limit=10)
        assert await store.check() != []
    finally:
        await store.close()


async def test_messages_that_change_places_are_both_refused(filled: Path) -> None:
    tampered(filled, swap("content", A2, "session_id = 'b' AND seq = 2"))
    store = SQLiteStore(filled, CIPHER)
    try:
        for session in (A, B):
            with pytest.raises(StoreDamaged):
                await store.list_messages(session, after=1, limit=1)
    finally:
        await store.close()


@pytest.mark.parametrize("column", ["name", "tags"])
async def test_a_spoiled_session_is_an_error_and_the_others_are_listed(filled: Path, column: str) -> None:
    tampered(filled, swap(column, "id = 'a'", "id = 'b'", "sessions"))
    store = SQLiteStore(filled, CIPHER)
    try:
        await store.create_session(record("c", name="name of c"))
        assert [each.name for each in (await store.list_sessions(SessionQuery())).sessions] == ["name of c"]
        for session in (A, B):
            with pytest.raises(StoreDamaged):
                await store.load_session(session)
    finally:
        await store.close()


@pytest.mark.parametrize("column", ["name", "tags"])
async def test_a_session_with_a_text_that_is_none_hides_no_other(filled: Path, column: str) -> None:
    tampered(filled, put(f"UPDATE sessions SET {column} = CAST({column} AS TEXT) WHERE id = 'a'"))
    store = SQLiteStore(filled, CIPHER)
    try:
        page = await store.list_sessions(SessionQuery())
        assert ([each.name for each in page.sessions], page.damaged) == (["name of b"], (A,))
        with pytest.raises(StoreDamaged) as caught:
            await store.load_session(A)
        assert caught.value.params["sessionId"] == "a"
        assert [hit.session.id for hit in (await store.search(SearchQuery(text="name"))).hits] == [B]
        assert [hit.session.id for hit in (await store.search(SearchQuery(text="text", tags=("tagb",)))).hits] == [B]
        await store.create_session(record("c"), name_prefix="Session")
        assert any("session a" in problem for problem in await store.check())
        with pytest.raises(StoreDamaged) as caught:
            await store.encryption.rekey(CIPHER, CIPHER)
        assert caught.value.params == {"reason": "row", "sessionId": "a"}
    finally:
        await store.close()


async def test_rows_of_another_store_are_refused_although_the_passphrase_is_the_same(
    filled: Path, tmp_path: Path
) -> None:
    await _fill(tmp_path / "other.db")

    def replay(db: sqlite3.Connection) -> None:
        db.execute("ATTACH ? AS other", (str(tmp_path / "other.db"),))
        db.execute("UPDATE messages SET content = (SELECT o.content FROM other.messages o WHERE o.id = messages.id)")

    tampered(filled, replay)
    store = SQLiteStore(filled, CIPHER)
    try:
        with pytest.raises(StoreDamaged):
            await store.list_messages(A)
        assert (await store.search(SearchQuery(text="text"))).hits == ()
    finally:
        await store.close()


async def test_a_repair_saves_what_was_not_spoiled_and_it_stays_encrypted(filled: Path) -> None:
    tampered(filled, SPOILED_A2["cut"])
    store = SQLiteStore(filled, CIPHER)
    try:
        assert await store.repair()
        assert await store.check() == []
        assert (await store.status()).encrypted
        assert [each.content for each in (await store.list_messages(A)).messages] == ["text a1", "text a3"]
        assert [each.content for each in (await store.list_messages(B)).messages] == ["text b1", "text b2", "text b3"]
    finally:
        await store.close()
    assert b"text b1" not in filled.read_bytes()


async def test_a_key_that_was_taken_out_makes_no_plain_store_of_it(filled: Path) -> None:
    kept = filled.with_name("kept.db")
    shutil.copyfile(filled, kept)
    tampered(filled, put("DELETE FROM keys"))
    for cipher in (None, CIPHER):
        store = SQLiteStore(filled, cipher)
        try:
            with pytest.raises(StoreDamaged):
                await store.load_session(A)
            for write in (store.add_message(message(A, "new secret")), store.create_session(record("new secret"))):
                with pytest.raises(StoreDamaged):
                    await write
        finally:
            await store.close()
    store = SQLiteStore(filled)
    with pytest.raises(StoreLocked):
        await store.repair()
    await store.close()
    assert b"new secret" not in b"".join(each.read_bytes() for each in filled.parent.glob("sessions.db*"))
    store = SQLiteStore(kept, CIPHER)
    assert (await store.load_session(A)).name == "name of a"
    await store.close()


async def test_a_key_of_another_store_in_its_place_lets_nothing_be_written(filled: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    await _fill(other)
    (key,) = raw(other, "SELECT kdf, cost, salt, wrapped FROM keys")
    (own,) = raw(filled, "SELECT kdf, cost, salt, wrapped FROM keys")
    put_key = "UPDATE keys SET kdf = ?, cost = ?, salt = ?, wrapped = ?"
    tampered(filled, lambda db: db.execute(put_key, key))
    before = filled.read_bytes()
    store = SQLiteStore(filled, CIPHER)
    try:
        with pytest.raises(StoreDamaged):
            await store.load_session(A)
        for write in (store.add_message(message(A, "more")), store.create_session(record("more"))):
            with pytest.raises(StoreDamaged):
                await write
        assert await store.check() != []
    finally:
        await store.close()
    assert filled.read_bytes() == before
    tampered(filled, lambda db: db.execute(put_key, own))
    store = SQLiteStore(filled, CIPHER)
    try:
        assert [each.content for each in (await store.list_messages(A)).messages] == ["text a1", "text a2", "text a3"]
        await store.add_message(message(A, "text a4"))
    finally:
        await store.close()


async def test_a_repair_with_a_key_at_hand_makes_another_for_the_one_that_was_taken_out(filled: Path) -> None:
    tampered(filled, put("DELETE FROM keys"))
    store = SQLiteStore(filled, CIPHER)
    try:
        assert await store.repair()
        assert (await store.status()).encrypted
        await store.create_session(record("secret"))
        assert await store.check() == []
    finally:
        await store.close()


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT OR REPLACE INTO meta VALUES ('store_generation', 'many')",
        "INSERT OR REPLACE INTO meta VALUES ('store_generation', -1)",
        "UPDATE keys SET used = 'often'",
        "UPDATE keys SET used = -5",
        "UPDATE keys SET used = 1.5",
        "UPDATE keys SET used = 9223372036854775807",
        "INSERT OR REPLACE INTO meta VALUES ('store_generation', 9223372036854775807)",
    ],
)
async def test_what_is_kept_of_the_key_is_damaged_and_a_repair_loses_nothing(filled: Path, sql: str) -> None:
    tampered(filled, put(sql))
    store = SQLiteStore(filled, CIPHER)
    try:
        with pytest.raises(StoreDamaged):
            await store.load_session(A)
        assert await store.repair()
        assert (await store.status()).encrypted
        assert [each.content for each in (await store.list_messages(A)).messages] == ["text a1", "text a2", "text a3"]
        await store.add_message(message(A, "text a4"))
        assert await store.check() == []
    finally:
        await store.close()


async def test_a_repair_does_not_forget_how_much_the_key_was_used(filled: Path) -> None:
    tampered(filled, lambda db: (db.execute("UPDATE keys SET used = 12345678"), SPOILED_A2["cut"](db)))
    store = SQLiteStore(filled, CIPHER)
    try:
        assert await store.repair()
    finally:
        await store.close()
    assert raw(filled, "SELECT used >= 12345678 FROM keys") == [(1,)]


async def _with_a_turn(path: Path, todo: str = "") -> None:
    """Two files that a turn changed, and two decisions on it, all at one moment."""
    store = SQLiteStore(path, CIPHER, clock=lambda: 1_000)
    begun = await store.turns.begin(message(A, "prompt", id=MessageId("p")), TurnId("t"))
    if todo:
        await store.turns.keep_todo(begun.fence, [todo])
    for name in ("one", "two"):
        await store.turns.keep(
            begun.fence, f"{name}.py", f"{name} before".encode(), f"{name} after".encode(), mode=0o644
        )
    for decision in ("allowed", "denied"):
        await store.turns.record(
            AuditEntry(
                id=0,
                session_id=A,
                turn_id=TurnId("t"),
                tool_call={"name": decision},
                mode=AgentMode.BUILD,
                decision=decision,
                rule="mode",
                timestamp=1_000,
            )
        )
    await store.close()


ONE, TWO = "id = 1", "id = 2"


@pytest.mark.parametrize(
    "tamper",
    [
        *(swap(column, ONE, TWO, "file_snapshots") for column in ("path", "before", "after")),
        put("UPDATE file_snapshots SET mode = 511 WHERE id = 1"),
        put("UPDATE file_snapshots SET before = NULL WHERE id = 1"),
        put("UPDATE file_contents AS t SET content = (SELECT content FROM file_contents o WHERE o.name <> t.name)"),
    ],
)
async def test_nobody_can_make_a_revert_write_something_else(filled: Path, tamper: Tamper) -> None:
    await _with_a_turn(filled)
    tampered(filled, tamper)
    store = SQLiteStore(filled, CIPHER)
    try:
        with pytest.raises(StoreDamaged):
            for each in await store.turns.snapshots(TurnId("t")):
                assert each.before is not None
                await store.turns.content(each.before)
        assert await store.check() != []
        assert len((await store.list_messages(B)).messages) == 3
    finally:
        await store.close()


@pytest.mark.parametrize(
    "tamper",
    [
        *(swap(column, ONE, TWO, "audit") for column in ("tool_call", "decision")),
        put("UPDATE audit SET decision = 'allowed'"),
    ],
)
async def test_nobody_can_make_the_log_tell_of_other_decisions(filled: Path, tamper: Tamper) -> None:
    await _with_a_turn(filled)
    tampered(filled, tamper)
    store = SQLiteStore(filled, CIPHER)
    try:
        with pytest.raises(StoreDamaged):
            await store.turns.decisions(A, limit=10)
        assert await store.check() != []
    finally:
        await store.close()


async def test_an_older_value_of_the_same_row_is_not_told_from_the_newest(filled: Path) -> None:
    """What is said in the threat model: whoever may write the file can bring back what was there before."""
    with closing(sqlite3.connect(filled)) as db:
        (old,) = db.execute("SELECT name FROM sessions WHERE id = 'a'").fetchone()
    store = SQLiteStore(filled, CIPHER)
    await change(store, A, name="newer")
    await store.close()
    tampered(filled, lambda db: db.execute("UPDATE sessions SET name = ? WHERE id = 'a'", (old,)))
    store = SQLiteStore(filled, CIPHER)
    assert (await store.load_session(A)).name == "name of a"
    await store.close()
