"""What tools answered at length: stored once, however many calls name it, and gone with the last. Run inside a hop."""

from __future__ import annotations

import sqlite3

from kore_ls.model.ids import MessageId, SessionId
from kore_ls.model.message import Message, ToolCall
from kore_ls.storage.codec import Codec, codec_of
from kore_ls.storage.contents import keep_content, opened_content
from kore_ls.storage.rows import (
    RESULT,
    STORED_CALL_COLUMNS,
    Row,
    damage_named,
    sealed_call,
    tool_call_of,
    tool_call_values,
)

LARGE_CHARS = 4_096
"""A result that is as long as this in JSON is not kept with its call."""


def stored_call(db: sqlite3.Connection, row_id: int, position: int, call: ToolCall, message: Message) -> Row:
    """The values of STORED_CALL_COLUMNS for a call made in `message`; a long result is stored by itself."""
    row, output = tool_call_values(row_id, position, call), None
    text = row[RESULT]
    if text is not None and len(text) >= LARGE_CHARS:
        output = keep_content(db, "outputs", text.encode())
        row = (*row[:RESULT], None, *row[RESULT + 1 :])
    return sealed_call((*row, output), message, codec_of(db))


def calls_of(db: sqlite3.Connection, row_id: int, message_id: MessageId, session_id: SessionId) -> tuple[ToolCall, ...]:
    """The tool calls of the message in row `row_id`, in order. Raises StoreDamaged."""
    rows = db.execute(
        f"SELECT {STORED_CALL_COLUMNS}, (SELECT content FROM outputs WHERE name = output) "
        "FROM tool_calls WHERE message_id = ? ORDER BY position",
        (row_id,),
    ).fetchall()
    codec = codec_of(db)
    return tuple(_call_of(row, message_id, session_id, codec) for row in rows)


@damage_named
def _call_of(row: Row, message_id: MessageId, session_id: SessionId, codec: Codec | None) -> ToolCall:
    *_, name, content = row
    output = None if name is None else opened_content(codec, "outputs", name, content)
    return tool_call_of(row, message_id, session_id, codec, output)
