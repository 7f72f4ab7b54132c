"""Every way to a tool: arguments are read, the gate is asked, the decision is recorded, then the tool runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from attrs import frozen

from kore_ls.agents.agent import ToolOutcome
from kore_ls.agents.ports import AuditLog, Editor, Past, Permissions, Rules, Snapshots
from kore_ls.agents.sandbox.kinds import Sandbox
from kore_ls.model.ids import Clock, IdSource, MessageId, TurnId
from kore_ls.model.message import ToolCall, ToolKind, ToolStatus
from kore_ls.model.session import SessionRecord


@frozen(kw_only=True)
class ToolOutput:
    """More of what a running tool prints; `offset` counts UTF-16 units of what came before."""

    call_id: str
    offset: int
    chunk: str


OnUpdate: TypeAlias = Callable[[ToolCall | ToolOutput], Awaitable[None]]
"""Hears each state of a call (pending, inProgress, then completed, failed, denied or cancelled) and its output."""


@frozen(kw_only=True)
class Surroundings:
    """What one session's tools work in and with.

    `session` and `trusted` are asked before each decision: a mode change counts from the next call on, and a folder
    that is not trusted is in plan mode. `sandbox` is what `agents.sandbox.probe` found, once per process.
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
    clock: Clock
    new_id: IdSource
    locale: str | None = None


class Toolbox:
    """One session's tools. It lives as long as the session is loaded; calls of one turn come one after another."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._around = surroundings

    async def use(
        self,
        name: str,
        arguments: Mapping[str, Any],
        *,
        turn_id: TurnId,
        call_id: str,
        on_update: OnUpdate,
        declared: ToolKind | None = None,
    ) -> ToolOutcome:
        """Use a tool; the outcome's call is in its last state, its `message_id` is left empty.

        What the arguments, the gate or the tool say against it is an outcome. Raises CancelledError when cancelled,
        after all child processes are gone and `cancelled` was told; and what a port raises.
        `declared` is the kind that an external agent gives its call: it can only make the decision stricter.
        """
        call = ToolCall(
            id=call_id,
            message_id=MessageId(""),
            name=name,
            kind=ToolKind.OTHER,
            title=name,
            arguments=arguments,
            status=ToolStatus.FAILED,
            result="unknown tool",
        )
        await on_update(call)
        return ToolOutcome(call=call, text="There is no such tool.")
