"""What an external agent may ask of us: permission, files, commands. Each goes through the session's own gate."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

from acp import RequestError
from acp.schema import (
    AllowedOutcome,
    CreateElicitationResponse,
    CreateTerminalResponse,
    DeniedOutcome,
    KillTerminalResponse,
    ReadTextFileResponse,
    ReleaseTerminalResponse,
    RequestPermissionResponse,
    TerminalExitStatus,
    TerminalOutputResponse,
    WaitForTerminalExitResponse,
    WriteTextFileResponse,
)

from kore_ls.agents.acp.calls import Calls
from kore_ls.agents.agent import AgentEvent, AnsweredTurn, ToolOutcome
from kore_ls.agents.tools.read_file import NO_SUCH_FILE
from kore_ls.errors import KoreError
from kore_ls.model.message import ToolStatus

log = logging.getLogger(__name__)

_ALLOWING = ("allow_once",)
_REJECTING = ("reject_once", "reject_always")
_PAGES = 400
_WAITING = 1_000
"""So many events may wait to be taken; then the agent waits."""


class Client:
    """See `acp.interfaces.Client`. `turn` is the one under way; between turns everything is refused."""

    def __init__(self, *, confined: bool) -> None:
        self.confined = confined
        self.events: asyncio.Queue[AgentEvent] = asyncio.Queue(_WAITING)
        self.calls = Calls()
        self.turn: AnsweredTurn | None = None
        self.replaying = False
        self.external: str | None = None
        self._terminals: dict[str, asyncio.Task[ToolOutcome]] = {}
        self._asking: set[asyncio.Task[Any]] = set()

    def on_connect(self, conn: Any) -> None:
        """Nothing to do."""

    def begin(self, turn: AnsweredTurn) -> None:
        """A turn begins; nothing of the one before belongs to it."""
        self.events = asyncio.Queue(_WAITING)
        self.calls.new_turn()
        self.turn = turn

    def stop(self) -> None:
        """The turn ends: what is still asked is answered with `cancelled`, what still runs is stopped."""
        self.turn = None
        for task in (*self._asking, *self._terminals.values()):
            task.cancel()
        while not self.events.empty():  # whoever waits to tell more goes on
            self.events.get_nowait()

    def _current(self, session_id: str) -> AnsweredTurn:
        if self.turn is None or session_id != self.external:
            raise RequestError.invalid_request({"reason": "no turn is under way"})
        return self.turn

    # -- what it tells

    async def told(self, session_id: str, update: Any) -> None:
        """Hand an update on; what is replayed of the past is known already."""
        if self.turn is None or self.replaying or session_id != self.external:
            return
        try:
            events = list(self.calls.events(update))
        except Exception as error:  # the boundary to words that are not ours: what they tell is lost, not the turn
            log.error("an external agent's update can't be told: %s", type(error).__name__)
            return
        for event in events:
            await self.events.put(event)

    async def session_update(self, session_id: str, update: Any, **kwargs: Any) -> None:
        """Never called: the pipe tells."""

    # -- permission

    async def request_permission(
        self, session_id: str, tool_call: Any, options: Sequence[Any], **kwargs: Any
    ) -> RequestPermissionResponse:
        """Our gate's answer, in the agent's options: once, never for good, as it would keep that by itself."""
        cancelled = RequestPermissionResponse(outcome=DeniedOutcome(outcome="cancelled"))
        turn = self.turn
        if turn is None or session_id != self.external:
            return cancelled
        reported = list(self.calls.asked(tool_call))
        claim = self.calls.claim(tool_call)
        for event in reported:
            await self.events.put(event)
        asking = asyncio.ensure_future(
            turn.permit(claim.call, paths=claim.paths, argv=claim.argv, diff=claim.diff, confined=self.confined)
        )
        self._asking.add(asking)
        try:
            leave = await asking
        except (asyncio.CancelledError, KoreError):
            return cancelled
        finally:
            self._asking.discard(asking)
        if not leave.allowed and self.turn is turn:
            await self.events.put(self.calls.denied(str(tool_call.tool_call_id), leave.reason))
        wanted = _ALLOWING if leave.allowed else _REJECTING
        chosen = next((each.option_id for kind in wanted for each in options if each.kind == kind), None)
        if chosen is None:
            return cancelled
        return RequestPermissionResponse(outcome=AllowedOutcome(outcome="selected", option_id=chosen))

    # -- files

    async def read_text_file(
        self, session_id: str, path: str, line: int | None = None, limit: int | None = None, **kwargs: Any
    ) -> ReadTextFileResponse:
        """A file's text as it is in the editor, or on disk."""
        turn = self._current(session_id)
        first, last = max(line or 1, 1), None if limit is None else max(line or 1, 1) + limit - 1
        text: list[str] = []
        for _ in range(_PAGES):
            asked: dict[str, Any] = {"path": path, "first": first} | ({} if last is None else {"last": last})
            outcome = await turn.use_tool("read_file", asked)
            if outcome.call.status is ToolStatus.FAILED and outcome.text == NO_SUCH_FILE:
                raise RequestError.resource_not_found(path)  # agents look whether a file is there before they make it
            facts = _done(outcome)
            end, lines = int(facts["lastLine"]), int(facts["lines"])
            whole = end >= (lines if last is None else min(last, lines))
            text.append(outcome.text if whole else outcome.text.rpartition("[... line ")[0])
            if whole or end < first:
                break
            first = end + 1
        return ReadTextFileResponse(content="".join(text))

    async def write_text_file(
        self, session_id: str, path: str, content: str, **kwargs: Any
    ) -> WriteTextFileResponse | None:
        """Write a file, through the editor where it has it open."""
        _done(await self._current(session_id).use_tool("write_file", {"path": path, "content": content}))
        return WriteTextFileResponse()

    # -- commands

    async def create_terminal(
        self,
        session_id: str,
        command: str,
        args: list[str] | None = None,
        env: Any = None,
        cwd: str | None = None,
        output_byte_limit: int | None = None,
        **kwargs: Any,
    ) -> CreateTerminalResponse:
        """Begin a command; what it wants in its environment is not given."""
        turn = self._current(session_id)
        argv = [command, *(args or [])]
        if not args and re.search(r"\s", command):
            argv = ["sh", "-c", command]
        asked = {"argv": argv} | ({} if cwd is None else {"cwd": cwd})
        name = f"terminal-{len(self._terminals) + 1}"
        self._terminals[name] = asyncio.ensure_future(turn.use_tool("run_command", asked))
        return CreateTerminalResponse(terminal_id=name)

    async def terminal_output(self, session_id: str, terminal_id: str, **kwargs: Any) -> TerminalOutputResponse:
        """What a command printed, once it has ended."""
        task = self._terminal(terminal_id)
        if not task.done():
            return TerminalOutputResponse(output="", truncated=False)
        outcome = _outcome(task)
        text = "Cancelled." if outcome is None else outcome.text
        return TerminalOutputResponse(output=text, truncated=False, exit_status=_status(outcome))

    async def wait_for_terminal_exit(
        self, session_id: str, terminal_id: str, **kwargs: Any
    ) -> WaitForTerminalExitResponse:
        """Wait for a command's end."""
        task = self._terminal(terminal_id)
        await asyncio.wait([task])
        status = _status(_outcome(task))
        return WaitForTerminalExitResponse(exit_code=status.exit_code, signal=status.signal)

    async def kill_terminal(self, session_id: str, terminal_id: str, **kwargs: Any) -> KillTerminalResponse | None:
        """Stop a command."""
        self._terminal(terminal_id).cancel()
        return KillTerminalResponse()

    async def release_terminal(
        self, session_id: str, terminal_id: str, **kwargs: Any
    ) -> ReleaseTerminalResponse | None:
        """Stop a command if it still runs, and forget it."""
        self._terminal(terminal_id).cancel()
        return ReleaseTerminalResponse()

    def _terminal(self, name: str) -> asyncio.Task[ToolOutcome]:
        if name not in self._terminals:
            raise RequestError.invalid_params({"reason": "there is no such terminal"})
        return self._terminals[name]

    async def create_elicitation(self, message: str, mode: Any, **kwargs: Any) -> CreateElicitationResponse:
        """The user is asked nothing but for permission."""
        raise RequestError.method_not_found("elicitation/create")

    async def complete_elicitation(self, elicitation_id: str, **kwargs: Any) -> None:
        """None is begun."""

    async def ext_method(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """There are none."""
        raise RequestError.method_not_found(method)

    async def ext_notification(self, method: str, params: dict[str, Any]) -> None:
        """There are none."""


def _done(outcome: ToolOutcome) -> Mapping[str, Any]:
    """What a tool found. Raises RequestError with its words where it failed or was refused."""
    if outcome.call.status is not ToolStatus.COMPLETED:
        raise RequestError(-32603, outcome.text)
    result = outcome.call.result
    return result if isinstance(result, Mapping) else {}


def _outcome(task: asyncio.Task[ToolOutcome]) -> ToolOutcome | None:
    return None if task.cancelled() or task.exception() is not None else task.result()


def _status(outcome: ToolOutcome | None) -> TerminalExitStatus:
    result = None if outcome is None else outcome.call.result
    code = result.get("exitCode") if isinstance(result, Mapping) else None
    if isinstance(code, int):
        return TerminalExitStatus(exit_code=code) if code >= 0 else TerminalExitStatus(signal=str(-code))
    return TerminalExitStatus(exit_code=126)
