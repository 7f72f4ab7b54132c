"""Sessions and messages for tests, with only what a test is about spelled out."""

from __future__ import annotations

from typing import Any

from kore_ls.model.bundle import SessionBundle
from kore_ls.model.ids import MessageId, SessionId, new_id
from kore_ls.model.message import Message, Role, ToolCall, ToolKind, ToolStatus
from kore_ls.model.mode import AgentMode
from kore_ls.model.session import SessionRecord


def record(session_id: str | None = None, **fields: Any) -> SessionRecord:
    """A session that is not stored yet."""
    values: dict[str, Any] = {
        "name": "a session",
        "agent_mode": AgentMode.BUILD,
        "created_at": 1_000,
        "updated_at": 1_000,
    } | fields
    return SessionRecord(id=SessionId(session_id or new_id()), **values)


def message(session_id: str, content: str = "hello", **fields: Any) -> Message:
    """A message that is not stored yet."""
    values: dict[str, Any] = {"role": Role.USER} | fields
    return Message(session_id=SessionId(session_id), content=content, **values)


def tool_call(call_id: str = "call", status: ToolStatus = ToolStatus.COMPLETED, **fields: Any) -> ToolCall:
    """A tool call."""
    values: dict[str, Any] = {
        "name": "read",
        "kind": ToolKind.READ,
        "title": "Read a file",
        "arguments": {"path": "a.py"},
    } | fields
    return ToolCall(id=call_id, message_id=MessageId(""), status=status, **values)


def bundle(session_id: str | None = None, count: int = 3, **fields: Any) -> SessionBundle:
    """A session with `count` numbered messages, ready to be imported."""
    of = record(session_id, **fields)
    messages = tuple(
        message(of.id, f"message {seq}", id=MessageId(f"{of.id}-{seq}"), seq=seq, timestamp=seq)
        for seq in range(1, count + 1)
    )
    return SessionBundle(record=of, messages=messages)
