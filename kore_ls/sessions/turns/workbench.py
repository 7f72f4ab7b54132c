"""Where the tools of a manager's sessions come from; a manager without a folder has none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from kore_ls.agents.agent import Leave, ToolOutcome, Workplace
from kore_ls.agents.toolbox import ToolOutput
from kore_ls.errors import AgentUnavailable
from kore_ls.model.ids import MessageId, SessionId, TurnId
from kore_ls.model.message import ToolCall, ToolKind, ToolStatus
from kore_ls.model.permission import PermissionRequest
from kore_ls.model.session import SessionRecord

if TYPE_CHECKING:
    from kore_ls.sessions.turns.runner import RunningTurn


class Tools(Protocol):
    """One session's tools; see `agents.toolbox.Toolbox`."""

    async def use(
        self,
        name: str,
        arguments: Mapping[str, Any],
        *,
        turn_id: TurnId,
        call_id: str,
        on_update: Callable[[ToolCall | ToolOutput], Awaitable[None]],
    ) -> ToolOutcome:
        """Use a tool."""

    def workplace(self) -> Workplace:
        """Where an external agent would work. Raises AgentUnavailable without a folder."""

    async def permit(
        self,
        call: ToolCall,
        *,
        turn_id: TurnId,
        paths: Sequence[str],
        argv: Sequence[str],
        diff: str | None,
        confined: bool,
    ) -> Leave:
        """Ask the gate about something that an external agent does by itself."""


class Workbench(Protocol):
    """Gives each session its tools, and knows the open permission requests."""

    async def toolbox(self, run: RunningTurn, session: Callable[[], SessionRecord]) -> Tools:
        """The tools of the turn's session."""

    def requests(self, session_id: SessionId) -> Sequence[PermissionRequest]:
        """The session's open permission requests, oldest first."""

    def release(self, turn_id: TurnId) -> None:
        """Answer the turn's open permission requests with `cancelled`."""

    def forget(self, session_id: SessionId) -> None:
        """The session's agent is unloaded, and its tools with it."""

    def disown(self, session_id: SessionId) -> None:
        """The session is gone for good, or another one has its id: nothing that was allowed in it counts any more."""


class _NoTools:
    """For managers that know no folder."""

    async def toolbox(self, run: RunningTurn, session: Callable[[], SessionRecord]) -> Tools:
        return self

    def requests(self, session_id: SessionId) -> Sequence[PermissionRequest]:
        return ()

    def release(self, turn_id: TurnId) -> None:
        pass

    def forget(self, session_id: SessionId) -> None:
        pass

    def disown(self, session_id: SessionId) -> None:
        pass

    def workplace(self) -> Workplace:
        raise AgentUnavailable("there is no folder that an external agent could work in", reason="folder")

    async def permit(self, call: ToolCall, **asked: Any) -> Leave:
        return Leave(allowed=False, reason="There is no folder here.")

    async def use(
        self,
        name: str,
        arguments: Mapping[str, Any],
        *,
        turn_id: TurnId,
        call_id: str,
        on_update: Callable[[ToolCall | ToolOutput], Awaitable[None]],
    ) -> ToolOutcome:
        call = ToolCall(
            id=call_id,
            message_id=MessageId(""),
            name=name,
            kind=ToolKind.OTHER,
            title=name,
            arguments=arguments,
            status=ToolStatus.FAILED,
            result="there are no tools here",
        )
        await on_update(call)
        return ToolOutcome(call=call, text="There are no tools here.")


NO_TOOLS: Workbench = _NoTools()
"""Every tool call fails."""
