"""Statements about drafts: what running turns have said and not yet stored as messages; run inside a hop."""

from __future__ import annotations

import sqlite3

from kore_ls.model.ids import SessionId, TurnId
from kore_ls.model.turn import Draft
from kore_ls.storage.codec import codec_of
from kore_ls.storage.rows import marks
from kore_ls.storage.turn_values import DRAFT_COLUMNS, draft_of, draft_row

_SAVE = (
    f"INSERT INTO drafts ({DRAFT_COLUMNS}) VALUES ({marks(DRAFT_COLUMNS)}) ON CONFLICT (turn_id) DO UPDATE SET "
    "message_id = excluded.message_id, content = excluded.content, thinking = excluded.thinking, "
    "tool_calls = excluded.tool_calls"
)


def save_draft(db: sqlite3.Connection, session_id: SessionId, turn_id: TurnId, draft: Draft) -> None:
    """Keep a turn's draft in the place of the one before."""
    db.execute(_SAVE, draft_row(turn_id, session_id, draft, codec_of(db)))


def find_draft(db: sqlite3.Connection, turn_id: TurnId) -> Draft | None:
    """A turn's draft, if one was saved."""
    row = db.execute(f"SELECT {DRAFT_COLUMNS} FROM drafts WHERE turn_id = ?", (turn_id,)).fetchone()
    return None if row is None else draft_of(row, codec_of(db))


def remove_draft(db: sqlite3.Connection, turn_id: TurnId) -> None:
    """The draft has become a message, or nothing."""
    db.execute("DELETE FROM drafts WHERE turn_id = ?", (turn_id,))
