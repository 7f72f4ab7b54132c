"""Which columns of an encrypted store are encrypted, to what each value is bound, and which stay plain. Pure data.

A test holds every column of the schema that can keep a text against these lists.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen


@frozen(kw_only=True)
class SealedTable:
    """A table with encrypted columns. The others are SQL on the table `t` (and what `join` brings): a row's place."""

    columns: tuple[str, ...]
    uid: str
    session_id: str
    role: str = "''"
    seq: str = "''"
    join: str = ""
    always: Mapping[str, str] = {}
    """Columns that the schema lets be empty, and in SQL when they never are."""

    @property
    def place(self) -> tuple[str, str, str, str]:
        """SQL for (uid, session id, role, seq)."""
        return self.uid, self.session_id, self.role, self.seq


SEALED: Mapping[str, SealedTable] = {
    "sessions": SealedTable(
        columns=("name", "metadata", "tags", "description", "last_preview", "usage", "agent", "config"),
        uid="t.id",
        session_id="t.id",
        always={"last_preview": "t.last_role IS NOT NULL"},
    ),
    "messages": SealedTable(
        columns=("content", "metadata", "thinking"),
        uid="t.uid",
        session_id="t.session_id",
        role="t.role",
        seq="t.seq",
    ),
    "tool_calls": SealedTable(
        columns=("id", "name", "title", "arguments", "result"),
        uid="m.uid",
        session_id="m.session_id",
        role="ifnull(t.output, '')",
        seq="t.position",
        join="CROSS JOIN messages m ON m.id = t.message_id",
    ),
    "turns": SealedTable(columns=("changed_files",), uid="t.id", session_id="t.session_id"),
    "drafts": SealedTable(columns=("content", "thinking", "tool_calls"), uid="t.turn_id", session_id="t.session_id"),
    "audit": SealedTable(
        columns=("tool_call", "rule"),
        uid="t.turn_id",
        session_id="t.session_id",
        role="t.agent_mode || ' ' || t.decision || ' ' || ifnull(t.outcome, '')",
        seq="t.timestamp",
    ),
    "outputs": SealedTable(columns=("content",), uid="t.name", session_id="''"),
    "attached_texts": SealedTable(columns=("content",), uid="t.name", session_id="''"),
    "file_contents": SealedTable(columns=("content",), uid="t.name", session_id="''"),
    "agent_notes": SealedTable(columns=("content",), uid="t.name", session_id="t.session_id"),
    "file_snapshots": SealedTable(
        columns=("path",),
        uid="t.turn_id",
        session_id="''",
        role="ifnull(t.before, '') || ' ' || ifnull(t.after, '') || ' ' || t.kept || ' ' || ifnull(t.mode, '')",
        seq="t.taken_at",
    ),
    "prompts": SealedTable(columns=("content", "context"), uid="t.turn_id", session_id="t.session_id"),
    "todos": SealedTable(columns=("items",), uid="t.session_id", session_id="t.session_id"),
}
"""What users and agents wrote, by table."""

HIDDEN_NAMES: Mapping[str, tuple[str, ...]] = {
    "outputs": ("name",),
    "tool_calls": ("output",),
    "attached_texts": ("name",),
    "attachments": ("name",),
    "file_contents": ("name",),
    "file_snapshots": ("before", "after"),
    "history_files": ("name", "state"),
}
"""Names made of what they name, by table; encrypted so that equal ones stay equal, see `Codec.hide`."""

CONTENTS = ("file_contents", "outputs", "attached_texts")
"""Tables of bytes, each under a name made of them."""

PLAIN_COLUMNS: Mapping[str, frozenset[str]] = {
    "meta": frozenset({"key", "value"}),
    "keys": frozenset({"kdf", "cost", "salt", "wrapped"}),
    "sessions": frozenset({"id", "agent_mode", "status", "parent_id", "last_role"}),
    "messages": frozenset({"session_id", "role", "uid", "turn_id", "state"}),
    "tool_calls": frozenset({"kind", "status"}),
    "changes": frozenset({"writer", "session_id", "kind"}),
    "turns": frozenset({"id", "session_id", "state", "stop_reason"}),
    "drafts": frozenset({"turn_id", "session_id", "message_id"}),
    "leases": frozenset({"session_id", "owner", "host", "boot_id", "started"}),
    "audit": frozenset({"session_id", "turn_id", "agent_mode", "decision", "outcome"}),
    "file_snapshots": frozenset({"turn_id"}),
    "agent_notes": frozenset({"session_id", "name"}),
    "prompts": frozenset({"turn_id", "session_id", "owner", "host", "boot_id", "started"}),
    "todos": frozenset({"session_id"}),
}
"""What can be read without the key, besides numbers: ids, words of fixed sets, and Kore LS' own book-keeping."""
