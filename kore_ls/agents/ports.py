"""What agents and tools need from outside: small interfaces, implemented by `sessions` and `lsp`. Does nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from attrs import frozen

from kore_ls.agents.rules import Remembered, Rule
from kore_ls.model.document import Document as Document
from kore_ls.model.document import EditResult as EditResult
from kore_ls.model.ids import SessionId, TurnId
from kore_ls.model.message import Role, ToolCall
from kore_ls.model.mode import AgentMode
from kore_ls.model.permission import OptionKind as OptionKind
from kore_ls.model.permission import PermissionAnswer as PermissionAnswer
from kore_ls.model.permission import PermissionOption as PermissionOption
from kore_ls.model.permission import PermissionOutcome as PermissionOutcome
from kore_ls.model.permission import PermissionRequest as PermissionRequest
from kore_ls.model.session import Usage


class Permissions(Protocol):
    """Asks the user."""

    async def ask(self, request: PermissionRequest) -> PermissionAnswer:
        """Wait for the first answer. Where nobody can be asked, the answer is `cancelled`."""


class Naming(Protocol):
    """Gives sessions their titles."""

    async def wanted(self, session_id: SessionId) -> bool:
        """Whether the session still has the name that Kore gave it."""

    async def name(self, session_id: SessionId, title: str, usage: Usage) -> None:
        """Name it so, unless its user has named it meanwhile; and count what the title used."""


class DecisionKind(Enum):
    """What the gate said."""

    ALLOW = "allow"
    DENY = "deny"
    ASKED = "asked"


@frozen(kw_only=True)
class Decision:
    """One decision of the gate, on its way into the audit log. `outcome` (asked ones only) is an `OptionKind`'s
    value or `cancelled`; `rule` names the rule that decided, `timestamp` is Unix milliseconds.
    """

    session_id: SessionId
    turn_id: TurnId
    call: ToolCall
    mode: AgentMode
    decision: DecisionKind
    rule: str
    outcome: str | None = None
    timestamp: int


class AuditLog(Protocol):
    """Keeps every decision."""

    async def record(self, decision: Decision) -> None:
        """Store it; awaited before the tool runs. What it raises keeps the tool from running."""


class Rules(Protocol):
    """The user's rules, and what the user answered with "always" in this session. Never the folder's own."""

    def rules(self) -> Sequence[Rule]:
        """From `initializationOptions` or the user's state."""

    def remembered(self) -> Sequence[Remembered]:
        """This session's "always" answers that were not revoked."""

    async def remember(self, rule: Remembered) -> None:
        """Keep an "always" answer of this session in the user's state."""


class Editor(Protocol):
    """The editors that have the folder open. Paths are real paths; positions in params are the client's."""

    def document(self, path: Path) -> Document | None:
        """The open document of a file, if any."""

    async def edit(self, path: Path, *, before: str, after: str, version: int | None) -> EditResult:
        """Turn a file's text from `before` into `after` by `workspace/applyEdit`, one edit in flight.

        `version` is the open document's, None if it is not open; a document at another version is `STALE`. A document
        that was clean (or not open) is on disk with the new text when this returns `APPLIED`. It waits for the
        editor's own word that the text changed.
        """

    async def language(self, name: str, params: Mapping[str, Any]) -> Any | None:
        """Ask the editor's language servers: `kore/lsp/<name>`, at most 5 s; None where that is not available.

        Params and result are LSP's, but for positions: lines from 0, characters in UTF-16 units.
        """


class Snapshots(Protocol):
    """Keeps files as they were before a turn changed them, so that the turn can be reverted."""

    async def keep(self, turn_id: TurnId, path: Path, *, before: bytes | None, after: bytes | None) -> None:
        """Remember a change just before it happens: None is "no such file". At most 10 MiB each.

        Of a document with unsaved changes it is the text in the editor that counts, as bytes.

        What it raises keeps the change from happening.
        """

    async def unchanged(self, turn_id: TurnId, path: Path, *, content: bytes | None) -> None:
        """Take back what `keep` said last: the change did not happen, and the file still is `content`."""

    async def lose(self, turn_id: TurnId, path: Path, *, link: str | None = None) -> None:
        """Remember that something goes that has no before-image: too big, or no file. A symlink's target is one.

        What it raises keeps the change from happening.
        """

    async def arrive(self, turn_id: TurnId, path: Path, *, link: str) -> None:
        """Remember that a symlink comes to be where nothing is; `link` is its target.

        What it raises keeps the change from happening.
        """


class CommandNotes(Protocol):
    """What must be known if this process is killed while a command runs: kept in the user's own state. Blocking."""

    def begin(self, session_id: SessionId, mark: str, before: str) -> str | None:
        """Note, before a session's command with this mark starts, the folder as it is; None if that can't be kept."""

    def end(self, noted: str) -> None:
        """All that the command made is known and in order."""


class TodoList(Protocol):
    """The session's list of what is still to be done."""

    async def todo(self) -> list[str]:
        """All entries, as they were kept."""

    async def keep_todo(self, items: list[str]) -> None:
        """Store the whole list. What it raises keeps the list as it was."""


@frozen(kw_only=True)
class PastMatch:
    """A place in a past conversation of this folder."""

    session_id: SessionId
    session_name: str
    role: Role
    timestamp: int
    snippet: str


class Past(Protocol):
    """The folder's past conversations."""

    async def search(self, query: str, *, limit: int) -> Sequence[PastMatch]:
        """Best matches first."""
