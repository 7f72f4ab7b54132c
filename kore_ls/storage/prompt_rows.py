"""Statements about prompts that wait for a turn, and about what a session still has to do; run inside a hop."""

from __future__ import annotations

import sqlite3

from attrs import frozen

from kore_ls.errors import TurnNotFound
from kore_ls.model.ids import SessionId, TurnId
from kore_ls.model.turn import Prompt
from kore_ls.storage.codec import codec_of
from kore_ls.storage.process import ProcessMark, this_process
from kore_ls.storage.rows import Row, marks
from kore_ls.storage.turn_values import PROMPT_COLUMNS, prompt_of, prompt_row, todo_of, todo_row

_PROCESS = "owner, host, boot_id, pid, started, queued_at"
_KEEP = f"INSERT INTO prompts ({PROMPT_COLUMNS}, {_PROCESS}) VALUES ({marks(PROMPT_COLUMNS)}, {marks(_PROCESS)})"
FOREIGN_MS = 24 * 3600 * 1000
"""A prompt that waits in a process of another machine, of which nothing can be known, is left alone so long."""


@frozen(kw_only=True)
class WaitingPrompt:
    """A prompt that waits, with the id that its turn will have."""

    turn_id: TurnId
    session_id: SessionId
    prompt: Prompt


def keep_prompt(db: sqlite3.Connection, waiting: WaitingPrompt, owner: str, now: int) -> None:
    """Store a prompt that waits in this process, in the store object `owner`."""
    me = this_process()
    values = prompt_row(waiting.turn_id, waiting.session_id, waiting.prompt, codec_of(db))
    db.execute(_KEEP, (*values, owner, me.host, me.boot_id, me.pid, me.started, now))


def take_prompt(db: sqlite3.Connection, turn_id: TurnId) -> None:
    """It waits no more. Raises TurnNotFound where somebody else has seen to it."""
    if not db.execute("DELETE FROM prompts WHERE turn_id = ?", (turn_id,)).rowcount:
        raise TurnNotFound(turnId=turn_id)


def is_waiting(db: sqlite3.Connection, turn_id: TurnId) -> bool:
    """Whether a prompt still waits."""
    return db.execute("SELECT 1 FROM prompts WHERE turn_id = ?", (turn_id,)).fetchone() is not None


def forsaken_prompts(db: sqlite3.Connection, owner: str, now: int) -> list[WaitingPrompt]:
    """Prompts that wait in processes that are gone, in their order."""
    rows = db.execute(
        f"SELECT {PROMPT_COLUMNS}, {_PROCESS} FROM prompts WHERE owner <> ? ORDER BY num", (owner,)
    ).fetchall()
    width = len(PROMPT_COLUMNS.split(","))
    return [_waiting(row[:width], db) for row in rows if _is_gone(row[width:], now)]


def _is_gone(row: Row, now: int) -> bool:
    _, host, boot_id, pid, started, queued_at = row
    process = ProcessMark(host=str(host), boot_id=str(boot_id), pid=int(pid), started=str(started))
    return process.is_gone() or (process.host != this_process().host and now - queued_at > FOREIGN_MS)


def _waiting(row: Row, db: sqlite3.Connection) -> WaitingPrompt:
    prompt = prompt_of(row, codec_of(db))
    return WaitingPrompt(turn_id=TurnId(str(row[0])), session_id=SessionId(str(row[1])), prompt=prompt)


def read_todo(db: sqlite3.Connection, session_id: SessionId) -> list[str]:
    """A session's list of what is to be done."""
    row = db.execute("SELECT session_id, items FROM todos WHERE session_id = ?", (session_id,)).fetchone()
    return [] if row is None else todo_of(row, codec_of(db))


def write_todo(db: sqlite3.Connection, session_id: SessionId, items: list[str]) -> None:
    """Store the whole list in the place of the one before."""
    db.execute(
        "INSERT INTO todos (session_id, items) VALUES (?, ?) ON CONFLICT (session_id) DO UPDATE SET "
        "items = excluded.items",
        todo_row(session_id, items, codec_of(db)),
    )
