"""The full-text index: two contentless FTS5 tables, filled after the fact and newest first. Run inside a hop.

A message commits first and is indexed later, in a transaction that also notes how far the index reaches, so that a
crash can't put the two out of step. The index is never the truth: missing, damaged or outdated it is made anew.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from attrs import evolve, frozen

from kore_ls.errors import StoreDamaged, UnsupportedStore
from kore_ls.model.session import SessionRecord
from kore_ls.storage.codec import codec_of
from kore_ls.storage.migrations import SEARCH_TABLES, SHADOWS
from kore_ls.storage.sealing import named_texts, searched_text, text_of
from kore_ls.storage.segment import SEGMENTER_VERSION, index_text

MESSAGES = "messages_fts"
SESSIONS = "sessions_fts"
MEMORY = "search"
"""The name under which a connection to an encrypted store has a database in memory, with the index."""
STEP_BYTES = 1 << 16
"""A step ends with the message that makes it this long, as others wait to write."""
JUMP = 2_000
"""With more new messages than this, the newest come first."""

_VERSION, _UPTO, _GAPS, _SESSIONS_UPTO = "index_version", "indexed_message", "index_gaps", "indexed_session"
_SEPARATOR = " \u00b7 "

Gap = tuple[int, int]
"""Row ids: after the first, up to and with the second."""


@frozen(kw_only=True)
class Reach:
    """What is indexed: messages up to a row but for `gaps` (oldest first), and sessions up to a number."""

    message: int = 0
    session: int = 0
    gaps: tuple[Gap, ...] = ()

    def has(self, row_id: int) -> bool:
        """Whether a message is indexed."""
        return row_id <= self.message and not any(after < row_id <= upto for after, upto in self.gaps)


def reach(db: sqlite3.Connection) -> Reach | None:
    """How far the index reaches; None: there is none to be relied on, or it was made by a newer segmenter."""
    return _reach(_noted(db))


def _noted(db: sqlite3.Connection) -> dict[str, Any]:
    keys = (_VERSION, _UPTO, _GAPS, _SESSIONS_UPTO)
    return dict(db.execute(f"SELECT key, value FROM {_notes(db)} WHERE key IN (?, ?, ?, ?)", keys).fetchall())


def _notes(db: sqlite3.Connection) -> str:
    """Where the index's reach is noted: that of an encrypted store is in memory, see `memory_index`."""
    return "meta" if codec_of(db) is None else f"{MEMORY}.meta"


def _reach(noted: dict[str, Any]) -> Reach | None:
    if noted.get(_VERSION) != SEGMENTER_VERSION:
        return None
    try:
        gaps = tuple((int(after), int(upto)) for after, upto in json.loads(noted[_GAPS]))
        return Reach(message=int(noted[_UPTO]), session=int(noted[_SESSIONS_UPTO]), gaps=gaps)
    except (KeyError, ValueError, TypeError):
        return None


def _belongs_to_newer(noted: dict[str, Any]) -> bool:
    """Whether a process of a newer version keeps the index, also where it has to be made anew."""
    version = noted.get(_VERSION)
    return isinstance(version, int) and abs(version) > SEGMENTER_VERSION


def _is_outdated(noted: dict[str, Any]) -> bool:
    version = noted.get(_VERSION)
    return isinstance(version, int) and version < 0


def newest(db: sqlite3.Connection) -> Reach:
    """How far an index reaches that holds all there is now."""
    row = db.execute("SELECT (SELECT max(id) FROM messages), (SELECT max(num) FROM sessions)").fetchone()
    in_step = codec_of(db) is None  # names of an encrypted store are read, not indexed
    return Reach(message=row[0] or 0, session=(row[1] or 0) if in_step else 0)


def missing(db: sqlite3.Connection, wanted: Reach) -> int:
    """How many rows, at most, the index lacks to reach as far as `wanted`; 0: none."""
    noted = _noted(db)
    marks = _reach(noted)
    if marks is None:
        return 0 if _belongs_to_newer(noted) else max(1, wanted.message + wanted.session)
    in_gaps = sum(max(0, min(end, wanted.message) - after) for after, end in marks.gaps)
    return max(0, wanted.message - marks.message) + max(0, wanted.session - marks.session) + in_gaps


def unindexed(db: sqlite3.Connection) -> int:
    """How many messages of visible sessions are not indexed."""
    marks = reach(db) or Reach()
    where = " OR ".join(["m.id > ?", *["m.id > ? AND m.id <= ?"] * len(marks.gaps)])
    row = db.execute(
        "SELECT count(*) FROM messages m CROSS JOIN sessions s ON s.id = m.session_id "
        f"WHERE ({where}) AND s.hidden = 0 AND s.deleted_at IS NULL",
        (marks.message, *(end for gap in marks.gaps for end in gap)),
    ).fetchone()
    return int(row[0])


def out_of_step(db: sqlite3.Connection) -> bool:
    """Whether the index lacks rows it should have, or has rows of what is gone; not whether their text is right."""
    marks = reach(db)
    if marks is None:
        return False
    for table, source, key, upto in (
        (MESSAGES, "messages", "id", marks.message),
        (SESSIONS, "sessions", "num", marks.session),
    ):
        gaps = marks.gaps if table == MESSAGES else ()
        known = f"SELECT 1 FROM {table}_docsize d WHERE d.id = s.{key}"
        outside = "".join(f" AND NOT (s.{key} > {after} AND s.{key} <= {end})" for after, end in gaps)
        lacking = f"SELECT 1 FROM {source} s WHERE s.{key} <= ?{outside} AND NOT EXISTS ({known})"
        left = f"SELECT 1 FROM {table}_docsize d WHERE NOT EXISTS (SELECT 1 FROM {source} s WHERE s.{key} = d.id)"
        try:
            if any(db.execute(f"SELECT EXISTS ({lacking}), EXISTS ({left})", (upto,)).fetchone()):
                return True
        except sqlite3.DatabaseError:
            return True
    return False


def create_index(db: sqlite3.Connection, broken: Sequence[str] = ()) -> Reach:
    """Make an empty index in place of whatever is there; of tables that are `broken` nothing is touched.

    Raises UnsupportedStore.
    """
    try:
        for name, definition in SEARCH_TABLES.items():
            if name in broken:
                _forget(db, name)
            db.execute(f"DROP TABLE IF EXISTS {name}")
            db.execute(definition)
    except sqlite3.OperationalError as error:
        if "no such module" not in str(error):
            raise
        raise UnsupportedStore("this SQLite is built without FTS5, so there is no search", reason="fts5") from error
    note_reach(db, Reach())
    return Reach()


def broken_tables(db: sqlite3.Connection) -> list[str]:
    """The index's tables that SQLite can't read: dropping them could free pages of others."""
    return [name for name in SEARCH_TABLES if not _is_readable(db, name)]


def _is_readable(db: sqlite3.Connection, name: str) -> bool:
    try:
        for shadow in SHADOWS:
            if db.execute(f"PRAGMA quick_check('{name}_{shadow}')").fetchone()[0] != "ok":
                return False
        db.execute(f"SELECT rowid FROM {name} WHERE {name} MATCH 'x' LIMIT 1").fetchall()
    except sqlite3.DatabaseError:
        return False
    return True


def _forget(db: sqlite3.Connection, name: str) -> None:
    """Take an index out of the schema; its pages are lost until the file is next written anew."""
    names = (name, *(f"{name}_{shadow}" for shadow in SHADOWS))
    db.execute("PRAGMA writable_schema = ON")
    try:
        db.execute(f"DELETE FROM sqlite_master WHERE tbl_name IN ({', '.join('?' * len(names))})", names)
    finally:
        db.execute("PRAGMA writable_schema = RESET")


def outdate(db: sqlite3.Connection) -> None:
    """Note that the index has to be made anew, by a process of at least the version that made it."""
    db.execute("UPDATE meta SET value = -abs(value) WHERE key = ? AND typeof(value) = 'integer'", (_VERSION,))


def index_step(db: sqlite3.Connection, rows: int) -> int:
    """Index up to `rows` sessions and messages more, in this transaction; how many there were.

    Raises StoreDamaged (reason "index") where the index has to be made anew, UnsupportedStore.
    """
    noted = _noted(db)
    marks = _reach(noted)
    if marks is None:
        if _belongs_to_newer(noted):
            return 0
        if _is_outdated(noted):
            raise StoreDamaged("the search index is to be made anew", reason="index")
        marks = create_index(db)
    sessions = []
    if codec_of(db) is None:
        sessions = db.execute(
            f"SELECT num, {named_texts(db)} FROM sessions s WHERE num > ? ORDER BY num LIMIT ?", (marks.session, rows)
        ).fetchall()
    messages, after = _next_messages(db, marks, rows)
    if after == marks and not sessions:
        return 0
    with index_work(db):
        for number, *texts in sessions:
            _insert(db, SESSIONS, number, _session_text(*texts))
        for row_id, content in messages:
            _insert(db, MESSAGES, row_id, _message_text(content))
    note_reach(db, evolve(after, session=sessions[-1][0] if sessions else marks.session))
    return len(sessions) + len(messages) or 1


def _next_messages(db: sqlite3.Connection, marks: Reach, rows: int) -> tuple[list[tuple[int, Any]], Reach]:
    """The messages (row id, content) to index next, by row id, and how far the index reaches with them."""
    newest = db.execute("SELECT coalesce(max(id), 0) FROM messages").fetchone()[0]
    if newest > marks.message + JUMP:
        marks = evolve(marks, message=newest, gaps=(*marks.gaps, (marks.message, newest)))
    if newest > marks.message:
        found = _read(db, "id > ? ORDER BY id LIMIT ?", (marks.message, rows))
        return found, evolve(marks, message=found[-1][0])
    if not marks.gaps:
        return [], marks
    start, end = marks.gaps[-1]
    found = _read(db, "id > ? AND id <= ? ORDER BY id DESC LIMIT ?", (start, end, rows))[::-1]
    rest = ((start, found[0][0] - 1),) if found and found[0][0] - 1 > start else ()
    return found, evolve(marks, gaps=(*marks.gaps[:-1], *rest))


def _read(db: sqlite3.Connection, where: str, values: tuple[int, ...]) -> list[tuple[int, bytes]]:
    """Messages until there is enough text for one step; at least one, if there is any."""
    found: list[tuple[int, bytes]] = []
    size = 0
    with closing(db.execute(f"SELECT m.id, {searched_text(db)} FROM messages m WHERE {where}", values)) as rows:
        for row in rows:
            found.append(row)
            size += len(row[1])
            if size >= STEP_BYTES:
                break
    return found


def _message_text(content: bytes) -> tuple[str, str]:
    return index_text(text_of(content))


def _session_text(name: Any, description: Any, tags: Any) -> tuple[str, str]:
    """What of a session is searched as its name: name, description and tags."""
    try:
        each = [str(tag) for tag in json.loads(tags)] if tags else []
    except ValueError:
        each = []
    parts = [index_text(text) for text in (str(name), str(description or ""), *each) if text]
    return _SEPARATOR.join(text for text, _ in parts), _SEPARATOR.join(whole for _, whole in parts if whole)


def reindex_session(db: sqlite3.Connection, before: SessionRecord, after: SessionRecord | None) -> None:
    """Bring a session's name in the index in step with a change, or (None) with its removal, in the same transaction.

    An encrypted store has no index in its file.
    A contentless row can only be deleted by the very text that was inserted, so the change has to be known here.
    Raises StoreDamaged (reason "index"); after `outdate` the change can be made all the same.
    """
    if codec_of(db) is not None:
        return
    old = _record_text(before)
    new = _record_text(after) if after is not None else None
    if old == new:
        return
    marks = reach(db)
    if marks is None:
        outdate(db)
        return
    row = db.execute("SELECT num FROM sessions WHERE id = ?", (before.id,)).fetchone()
    if row is None or row[0] > marks.session:
        return
    with index_work(db):
        _delete(db, SESSIONS, row[0], old)
        if new is not None:
            _insert(db, SESSIONS, row[0], new)


def _record_text(record: SessionRecord) -> tuple[str, str]:
    return _session_text(record.name, record.description, json.dumps(record.tags))


def unindex_messages(db: sqlite3.Connection, row_ids: Sequence[int]) -> Sequence[int]:
    """Take messages that are about to be deleted out of the index; those done, which may be the first ones only.

    Raises StoreDamaged (reason "index"), as `reindex_session` does.
    """
    if codec_of(db) is not None:
        return row_ids
    marks = reach(db)
    if marks is None:
        outdate(db)
        return row_ids
    found = _read(db, f"id IN ({', '.join('?' * len(row_ids))}) ORDER BY id", tuple(row_ids))
    with index_work(db):
        for row_id, content in found:
            if marks.has(row_id):
                _delete(db, MESSAGES, row_id, _message_text(content))
    return [row_id for row_id, _ in found]


@contextmanager
def index_work(db: sqlite3.Connection) -> Iterator[None]:
    """Statements whose faults are the index's own. FTS5 holds rows back until COMMIT, where all would fail with it."""
    try:
        yield
        db.execute("SAVEPOINT index_written")  # makes FTS5 write what it holds back
        db.execute("RELEASE index_written")
    except sqlite3.DatabaseError as error:
        if not is_index_fault(error):
            raise
        raise StoreDamaged("the search index is damaged", reason="index") from error


def is_index_fault(error: sqlite3.Error) -> bool:
    """Whether an error of a statement that only touches the index means that it is damaged or not there."""
    code = getattr(error, "sqlite_errorcode", None) or 0
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_CONSTRAINT) or code == sqlite3.SQLITE_ERROR


def _insert(db: sqlite3.Connection, table: str, row_id: int, texts: tuple[str, str]) -> None:
    db.execute(f"INSERT INTO {table} (rowid, text, whole) VALUES (?, ?, ?)", (row_id, *texts))


def _delete(db: sqlite3.Connection, table: str, row_id: int, texts: tuple[str, str]) -> None:
    db.execute(f"INSERT INTO {table} ({table}, rowid, text, whole) VALUES ('delete', ?, ?, ?)", (row_id, *texts))


def note_reach(db: sqlite3.Connection, marks: Reach) -> None:
    """Note how far the index reaches."""
    values = {
        _VERSION: SEGMENTER_VERSION,
        _UPTO: marks.message,
        _GAPS: json.dumps(marks.gaps),
        _SESSIONS_UPTO: marks.session,
    }
    db.executemany(
        f"INSERT INTO {_notes(db)} (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        list(values.items()),
    )
