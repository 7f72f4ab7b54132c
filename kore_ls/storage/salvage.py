"""Reading what can be read of a damaged store, row by row, into a sound one. Believes nothing that is not valid."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from attrs import define, evolve, field

from kore_ls.errors import SessionExists, StoreDamaged
from kore_ls.model.event import EventType
from kore_ls.model.ids import SessionId, is_id
from kore_ls.model.message import Message, ToolCall
from kore_ls.model.mode import AgentMode
from kore_ls.model.session import SessionRecord
from kore_ls.storage.changes import append_changes
from kore_ls.storage.codec import codec_of
from kore_ls.storage.counting import miscounted, recount
from kore_ls.storage.faults import FAULTS
from kore_ls.storage.keys import LINEAGE
from kore_ls.storage.message_rows import insert_if_new
from kore_ls.storage.rows import (
    MESSAGE_COLUMNS,
    SESSION_COLUMNS,
    STORED_CALL_COLUMNS,
    TOOL_CALL_COLUMNS,
    Row,
    message_of,
    session_of,
    tool_call_of,
)
from kore_ls.storage.salvage_turns import TurnSalvage
from kore_ls.storage.saved_contents import SavedContents
from kore_ls.storage.session_rows import insert_session, write_meta

_CHUNK = 200
_MOST_PROBES = 5_000_000
_UNSTORED = 1 << 62


@define
class Salvage:
    """What was saved and what was lost."""

    sessions: int = 0
    messages: int = 0
    lost_sessions: int = 0
    lost_messages: int = 0
    lost_tool_calls: int = 0
    lost_results: int = 0
    lost_texts: int = 0
    further: list[str] = field(factory=list)
    """What of turns and their like was lost, in sentences."""
    made_up: list[SessionId] = field(factory=list)
    """Sessions of which only messages were left."""

    def texts(self) -> list[str]:
        """The same in sentences."""
        texts = [f"{self.sessions} sessions and {self.messages} messages were saved"]
        for number, what in (
            (self.lost_sessions, "sessions"),
            (self.lost_messages, "messages"),
            (self.lost_tool_calls, "tool calls"),
            (self.lost_results, "results of tools"),
            (self.lost_texts, "texts attached to prompts"),
        ):
            if number:
                texts.append(f"up to {number} {what} could not be read")
        texts += self.further
        texts += [f"session {each}: only its messages were left" for each in self.made_up[:20]]
        return texts


def salvage(source: sqlite3.Connection, target: sqlite3.Connection, now: int) -> Salvage:
    """Copy every valid row of `source` into `target`, an empty store; messages are numbered anew without gaps."""
    source.text_factory = lambda raw: raw.decode(errors="replace")
    found = Salvage()
    target.execute("BEGIN IMMEDIATE")
    hidden = _save_sessions(source, target, found)
    _save_messages(source, target, found, hidden, now)
    for session_id in miscounted(target):
        recount(target, session_id)
    rest = TurnSalvage(source, target, _rows)
    rest.run()
    found.further = rest.texts()
    _save_meta(source, target)
    target.execute("COMMIT")
    return found


def _save_sessions(source: sqlite3.Connection, target: sqlite3.Connection, found: Salvage) -> set[str]:
    """Save the visible sessions; the ids of the hidden ones, whose messages are not wanted either."""
    hidden: set[str] = set()
    top = _number(source, "SELECT value FROM meta WHERE key = 'sessions_made'")
    for row in _rows(source, "sessions", f"hidden, {SESSION_COLUMNS}", top):
        if row is None:
            found.lost_sessions += 1
        elif row[0] and isinstance(row[1], str):
            hidden.add(row[1])
        else:
            try:
                record = session_of(row[1:], codec_of(source))
                if not is_id(record.id):
                    raise StoreDamaged
                insert_session(target, evolve(record, message_count=0, last_seq=0, last_message=None))
            except (StoreDamaged, SessionExists, *FAULTS):
                found.lost_sessions += 1
            else:
                found.sessions += 1
    return hidden


def _save_messages(
    source: sqlite3.Connection, target: sqlite3.Connection, found: Salvage, hidden: set[str], now: int
) -> None:
    known = {row[0] for row in target.execute("SELECT id FROM sessions")}
    outputs, texts = (SavedContents(source, table, _rows) for table in ("outputs", "attached_texts"))

    def find_text(name: str) -> bytes | None:
        text = texts.named(name)
        found.lost_texts += text is None
        return text

    top = _number(source, "SELECT seq FROM sqlite_sequence WHERE name = 'messages'")
    for row in _rows(source, "messages", MESSAGE_COLUMNS, top):
        if row is None:
            found.lost_messages += 1
            continue
        if row[1] in hidden:
            continue
        try:
            message = message_of(row, None, codec_of(source), find_text)
            if not is_id(message.session_id) or not is_id(message.id) or message.seq < 1:
                raise StoreDamaged
            if message.session_id not in known:
                insert_session(target, _made_up(message, now))
                known.add(message.session_id)
                found.made_up.append(message.session_id)
            _save_message(source, target, found, row, message, outputs)
        except (StoreDamaged, *FAULTS):
            found.lost_messages += 1


def _save_message(
    source: sqlite3.Connection,
    target: sqlite3.Connection,
    found: Salvage,
    row: Row,
    message: Message,
    outputs: SavedContents,
) -> None:
    calls = _tool_calls(source, row, message, found, outputs) if row[11] else None
    found.messages += insert_if_new(target, evolve(message, tool_calls=calls or None))  # a row may be reached twice


def _tool_calls(
    source: sqlite3.Connection, row: Row, message: Message, found: Salvage, outputs: SavedContents
) -> tuple[ToolCall, ...]:
    calls: list[ToolCall] = []
    query = f"SELECT {_call_columns(source)} FROM tool_calls WHERE message_id = ? AND position = ?"
    for position in range(min(row[11], 10_000) if isinstance(row[11], int) else 0):
        try:
            call = source.execute(query, (row[0], position)).fetchone()
            output = None if call is None or call[11] is None else outputs.find(call[11])
            calls.append(tool_call_of(call, message.id, message.session_id, codec_of(source), output))
            found.lost_results += output is None and call[11] is not None
        except (StoreDamaged, *FAULTS):
            found.lost_tool_calls += 1
    return tuple(calls)


def _call_columns(source: sqlite3.Connection) -> str:
    """Of a store from before long results were kept apart, too, as what is damaged was not brought up to date."""
    try:
        source.execute("SELECT output FROM tool_calls LIMIT 0")
    except FAULTS:
        return f"{TOOL_CALL_COLUMNS}, NULL"
    return STORED_CALL_COLUMNS


def _made_up(message: Message, now: int) -> SessionRecord:
    return SessionRecord(
        id=message.session_id,
        name=f"Recovered {message.session_id[:8]}",
        agent_mode=AgentMode.PLAN,  # what it may do was lost with the row, so as little as there is
        created_at=message.timestamp,
        updated_at=now,
    )


def _save_meta(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    for key in ("active_session", "session_number", LINEAGE):
        try:
            row = source.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        except FAULTS:
            continue
        if row is not None and (isinstance(row[0], int) or (isinstance(row[0], str) and is_id(row[0]))):
            write_meta(target, key, row[0])
    # Other processes remember the newest change they saw; going on from there tells them to look again.
    newest = _number(source, "SELECT max(n) FROM changes")
    if newest:
        target.execute("INSERT INTO changes (n, writer, session_id, kind) VALUES (?, '', NULL, NULL)", (newest,))
    append_changes(target, "", [(None, EventType.STORE_CHANGED.value)])


def _number(source: sqlite3.Connection, query: str) -> int:
    try:
        row = source.execute(query).fetchone()
    except FAULTS:
        return 0
    return row[0] if row is not None and isinstance(row[0], int) and 0 < row[0] < _UNSTORED else 0


def _rows(source: sqlite3.Connection, table: str, columns: str, top: int) -> Iterator[Row | None]:
    """Every row that can be reached, None for each one that is there but can't be read.

    From both ends to the damage; what lies between is asked for one by one. `top`: a row id that is the last or later.
    """
    if not _is_table(source, table):
        return
    low, high = 0, _UNSTORED
    for row_id, row in _scan(source, table, columns, "rowid > ? ORDER BY rowid", low):
        low = row_id
        yield row
    for row_id, row in _scan(source, table, columns, "rowid < ? ORDER BY rowid DESC", high):
        if row_id <= low:
            return
        high = row_id
        yield row
    last = high if high != _UNSTORED else max(top, low) + 1
    query = f"SELECT {columns} FROM {table} WHERE rowid = ?"
    for row_id in range(low + 1, min(last, low + _MOST_PROBES)):
        try:
            found = source.execute(query, (row_id,)).fetchone()
        except FAULTS:
            yield None
        else:
            if found is not None:
                yield found


def _scan(source: sqlite3.Connection, table: str, columns: str, beyond: str, start: int) -> Iterator[tuple[int, Row]]:
    """Rows in the direction of `beyond` until one can't be read; with ever smaller steps towards that one."""
    at, chunk = start, _CHUNK
    while True:
        try:
            rows = source.execute(
                f"SELECT rowid, {columns} FROM {table} WHERE {beyond} LIMIT ?", (at, chunk)
            ).fetchall()
        except FAULTS:
            if chunk == 1:
                return
            chunk = 1
            continue
        for row in rows:
            if row[0] == at or (row[0] < at) != ("<" in beyond):
                return  # a damaged tree leads around in circles
            at = row[0]
            yield at, row[1:]
        if len(rows) < chunk:
            return


def _is_table(source: sqlite3.Connection, name: str) -> bool:
    try:
        row = source.execute("SELECT type FROM sqlite_master WHERE name = ?", (name,)).fetchone()
    except FAULTS:
        return False
    return row is not None and row[0] == "table"
