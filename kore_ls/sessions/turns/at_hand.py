"""What an agent has at hand while it answers a turn; of no use once the turn is stopped, lost or over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import evolve

from kore_ls.agents.agent import AgentEvent, Leave, ToolOutcome, ToolReported, Workplace
from kore_ls.agents.toolbox import ToolOutput
from kore_ls.errors import AgentFailed
from kore_ls.model.json_value import json_value, valid
from kore_ls.model.message import UNFINISHED, Message, ToolCall
from kore_ls.model.session import SessionRecord
from kore_ls.model.turn import Prompt
from kore_ls.sessions.turns.host import TurnHost

if TYPE_CHECKING:
    from kore_ls.sessions.turns.runner import RunningTurn


class TurnAtHand:
    """See `AnsweredTurn`. All of it raises CancelledError after `revoke`, whoever kept it."""

    def __init__(self, run: RunningTurn, host: TurnHost) -> None:
        self._run = run
        self._host = host
        self._revoked = False
        self._may_go_on = asyncio.Event()
        self._may_go_on.set()
        self._uses: set[asyncio.Task[ToolOutcome]] = set()

    @property
    def prompt(self) -> Prompt:
        """What to answer."""
        return self._run.prompt

    @property
    def session(self) -> SessionRecord:
        """The session as it is now."""
        return self._run.session

    async def history(self) -> AsyncIterator[Message]:
        """All messages before the prompt's."""
        self._check()
        async for message in self._host.history(self._run.session_id, self._run.begun.message.seq):
            self._check()
            yield message

    async def notes(self, name: str | None = None) -> Mapping[str, str]:
        """What the session's agents noted."""
        self._check()
        return await self._host.turns.notes(self._run.session_id, name)

    async def keep(self, name: str, content: str | None) -> None:
        """Keep a note of the session. Raises LeaseHeld, and what the store raises."""
        self._check()
        await self._host.turns.keep_note(self._run.begun.fence, name, content)

    async def workplace(self) -> Workplace:
        """Where the session's folder is. Raises AgentUnavailable without a folder."""
        self._check()
        return await self._host.workplace(self._run)

    async def permit(
        self, call: ToolCall, *, paths: Sequence[str], argv: Sequence[str], diff: str | None, confined: bool
    ) -> Leave:
        """Ask the gate about something that an external agent does by itself; waits while the session is paused."""
        await self.ready()
        asked = evolve(call, message_id=self._run.message_id)
        return await self._host.permit(self._run, asked, paths=paths, argv=argv, diff=diff, confined=confined)

    async def ready(self) -> None:
        """Wait while the session is paused."""
        await self._may_go_on.wait()
        self._check()

    async def use_tool(self, name: str, arguments: Mapping[str, Any], *, call_id: str | None = None) -> ToolOutcome:
        """Use a tool through the permission gate. Raises AgentFailed for arguments that are not JSON."""
        await self.ready()
        try:
            name, given, call_id = valid(name), json_value(dict(arguments)), call_id and valid(call_id)
        except (TypeError, ValueError, AttributeError) as error:
            raise AgentFailed("a tool's arguments are not JSON", sessionId=self._run.session_id) from error
        # a task of its own: it ends with the turn, also where a task that the agent left behind waits for it
        use = asyncio.create_task(self._use(name, given, call_id), name="kore-tool")
        self._uses.add(use)
        use.add_done_callback(self._uses.discard)
        outcome = await use
        return evolve(outcome, call=evolve(outcome.call, message_id=self._run.message_id))

    async def _use(self, name: str, arguments: Mapping[str, Any], call_id: str | None) -> ToolOutcome:
        return await self._host.use_tool(self._run, name, arguments, call_id, self._changed)

    async def _changed(self, update: ToolCall | ToolOutput) -> None:
        if isinstance(update, ToolOutput):
            await self._run.happened(update)
            return
        if update.status in UNFINISHED:  # it is about to be aimed, or to run
            self._check()
        await self._run.happened(ToolReported(call=update))

    def _check(self) -> None:
        if self._revoked:
            raise asyncio.CancelledError

    # -- what the running turn says

    def hold(self) -> None:
        """Let no tool call and no model request begin."""
        self._may_go_on.clear()

    def let_go(self) -> None:
        """Let what is held go on."""
        self._may_go_on.set()

    def revoke(self) -> None:
        """Nothing more may begin."""
        self._revoked = True
        self._may_go_on.set()

    async def close(self, timeout: float) -> None:
        """Nothing more may begin, and what goes on is cancelled; waits for it at most `timeout` seconds."""
        self.revoke()
        for use in tuple(self._uses):
            if not use.cancelling():
                use.cancel()
        if self._uses:
            await asyncio.wait(tuple(self._uses), timeout=timeout)


def storable(event: AgentEvent) -> AgentEvent:
    """The event with only valid text and JSON in its tool call. Raises ValueError, TypeError where there is no way."""
    if not isinstance(event, ToolReported):
        return event
    call = event.call
    cleaned = evolve(
        call,
        id=valid(call.id),
        name=valid(call.name),
        title=valid(call.title),
        arguments=json_value(dict(call.arguments)),
        result=None if call.result is None else json_value(call.result),
    )
    return evolve(event, call=cleaned)
