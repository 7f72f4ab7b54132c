"""The rest of a damaged store: turns, drafts, decisions, before-images, prompts that wait and what is to be done.

Each row is read as a value and written anew; one that is not valid, or belongs to nothing that was saved, is left out.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from attrs import evolve

from kore_ls.errors import StoreDamaged
from kore_ls.model.ids import SessionId, TurnId, is_id
from kore_ls.storage.codec import codec_of
from kore_ls.storage.contents import keep_content
from kore_ls.storage.draft_rows import save_draft
from kore_ls.storage.faults import FAULTS
from kore_ls.storage.note_rows import save_note
from kore_ls.storage.rows import Row, marks
from kore_ls.storage.saved_contents import Rows, SavedContents
from kore_ls.storage.turn_values import (
    AUDIT_COLUMNS,
    DRAFT_COLUMNS,
    PROMPT_COLUMNS,
    SNAPSHOT_COLUMNS,
    TURN_COLUMNS,
    audit_of,
    audit_row,
    draft_of,
    prompt_of,
    prompt_row,
    snapshot_of,
    snapshot_row,
    todo_of,
    todo_row,
    turn_of,
    turn_row,
)

_PROCESS = "owner, host, boot_id, pid, started, queued_at"


class TurnSalvage:
    """Copies from `source` into `target`, whose sessions and messages are saved already; `lost` counts by table."""

    def __init__(self, source: sqlite3.Connection, target: sqlite3.Connection, rows: Rows) -> None:
        self._source, self._target, self._rows = source, target, rows
        self._contents = SavedContents(source, "file_contents", rows)
        self._sessions = {row[0] for row in target.execute("SELECT id FROM sessions")}
        self._turns: set[str] = set()
        self.lost: dict[str, int] = {}

    def run(self) -> None:
        """All tables, those first that others belong to."""
        self._each("turns", f"num, {TURN_COLUMNS}", self._turn)
        self._each("drafts", DRAFT_COLUMNS, self._draft)
        self._each("audit", AUDIT_COLUMNS, self._decision)
        self._each("file_snapshots", f"id, {SNAPSHOT_COLUMNS}", self._snapshot)
        self._each("prompts", f"num, {PROMPT_COLUMNS}, {_PROCESS}", self._prompt)
        self._each("todos", "session_id, items", self._todo)
        self._each("agent_notes", "session_id, name, content", self._note)

    def texts(self) -> list[str]:
        """What was lost, in sentences."""
        names = {"turns": "turns", "audit": "decisions", "file_snapshots": "earlier states of files"}
        return [
            f"up to {self.lost[table]} {what} could not be read"
            for table, what in names.items()
            if self.lost.get(table)
        ]

    def _each(self, table: str, columns: str, save: Callable[[Row], None]) -> None:
        top = self._top(table)
        for row in self._rows(self._source, table, columns, top):
            try:
                if row is None:
                    raise StoreDamaged
                save(row)
            except (StoreDamaged, *FAULTS):
                self.lost[table] = self.lost.get(table, 0) + 1

    def _top(self, table: str) -> int:
        try:
            row = self._source.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
        except FAULTS:
            return 0
        return row[0] if row is not None and isinstance(row[0], int) and 0 < row[0] < 1 << 32 else 0

    def _known(self, session_id: object, turn_id: object | None = None) -> None:
        if session_id not in self._sessions or (turn_id is not None and not is_id(str(turn_id))):
            raise StoreDamaged

    def _insert(self, table: str, columns: str, values: Row) -> None:
        self._target.execute(f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({marks(columns)})", values)

    def _turn(self, row: Row) -> None:
        turn = turn_of(row[1:], codec_of(self._source))
        self._known(turn.session_id, turn.turn_id)
        # messages may be numbered anew
        first, last = self._target.execute(
            "SELECT min(seq), max(seq) FROM messages WHERE session_id = ? AND turn_id = ?",
            (turn.session_id, turn.turn_id),
        ).fetchone()
        if first is None:
            raise StoreDamaged
        turn = evolve(turn, first_seq=first, last_seq=None if turn.last_seq is None else last)
        self._insert("turns", f"num, {TURN_COLUMNS}", (row[0], *turn_row(turn, codec_of(self._target))))
        self._turns.add(turn.turn_id)

    def _draft(self, row: Row) -> None:
        if row[0] in self._turns:
            draft = draft_of(row, codec_of(self._source))
            save_draft(self._target, SessionId(str(row[1])), TurnId(str(row[0])), draft)

    def _decision(self, row: Row) -> None:
        entry = audit_of(row, codec_of(self._source))
        self._known(entry.session_id, entry.turn_id)
        self._insert("audit", AUDIT_COLUMNS, (entry.id, *audit_row(entry, codec_of(self._target))))

    def _snapshot(self, row: Row) -> None:
        if row[1] not in self._turns:
            raise StoreDamaged
        snapshot = snapshot_of(row[1:], codec_of(self._source))
        if snapshot.before is not None and snapshot.kept:
            snapshot = evolve(snapshot, kept=self._content(snapshot.before))
        values = snapshot_row(TurnId(str(row[1])), snapshot, _number(row[6]), codec_of(self._target))
        self._insert("file_snapshots", f"id, {SNAPSHOT_COLUMNS}", (row[0], *values))

    def _content(self, name: str) -> bool:
        """Copy a file's earlier content; whether it is there, and what it was."""
        content = self._contents.named(name)
        if content is None:
            return False
        keep_content(self._target, "file_contents", content)
        return True

    def _prompt(self, row: Row) -> None:
        columns = row[1:5]
        self._known(columns[1], columns[0])
        if not all(isinstance(each, str) for each in (*row[5:8], row[9])):
            raise StoreDamaged
        _number(row[8])
        _number(row[10])
        prompt = prompt_of(columns, codec_of(self._source))
        values = prompt_row(TurnId(str(columns[0])), SessionId(str(columns[1])), prompt, codec_of(self._target))
        self._insert("prompts", f"num, {PROMPT_COLUMNS}, {_PROCESS}", (row[0], *values, *row[5:]))

    def _todo(self, row: Row) -> None:
        self._known(row[0])
        items = todo_of(row, codec_of(self._source))
        self._insert("todos", "session_id, items", todo_row(SessionId(str(row[0])), items, codec_of(self._target)))

    def _note(self, row: Row) -> None:
        session_id, name, content = row
        self._known(session_id)
        codec = codec_of(self._source)
        text = (
            content if codec is None else codec.open(codec.place("agent_notes", name, session_id), "content", content)
        )
        if not isinstance(text, str) or not isinstance(name, str):
            raise StoreDamaged
        save_note(self._target, SessionId(str(session_id)), name, text)


def _number(value: Any) -> int:
    if not isinstance(value, int):
        raise StoreDamaged
    return value
