"""What one session's tools work in and with: its folder, who answers for it, and the ports to the outside. Values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from attrs import frozen

from kore_ls.agents.ports import AuditLog, CommandNotes, Editor, Past, Permissions, Rules, Snapshots, TodoList
from kore_ls.agents.sandbox.kinds import Sandbox
from kore_ls.model.ids import Clock, IdSource
from kore_ls.model.session import SessionRecord


@frozen(kw_only=True)
class Surroundings:
    """What one session's tools work in and with; `folder` is the workspace folder's real path, `store` its store's;
    `state` is the real path of the user's own state directory, where what was allowed is kept.

    `session` and `trusted` are asked before each decision: a mode change counts from the next call on, and a folder
    that is not trusted is in plan mode. `sandbox` is what `agents.sandbox.probe` found, once per process.
    Without `notes`, what a command made is not found again if this process is killed.
    """

    folder: Path
    session: Callable[[], SessionRecord]
    trusted: Callable[[], bool]
    sandbox: Sandbox
    permissions: Permissions
    audit: AuditLog
    rules: Rules
    editor: Editor
    snapshots: Snapshots
    past: Past
    todos: TodoList
    clock: Clock
    new_id: IdSource
    locale: str | None = None
    store: Path | None = None
    state: Path | None = None
    notes: CommandNotes | None = None

    @property
    def internal(self) -> tuple[Path, ...]:
        """Kore's own directories, which no tool writes whatever their names are."""
        return tuple(each for each in (self.store, self.state) if each is not None)
