"""The turns of one store's sessions: begun, queued, paused, stopped, and those of dead processes ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import frozen

from kore_ls.agents import turn as machine
from kore_ls.agents.agent import Agent, Leave, ToolOutcome, Workplace
from kore_ls.agents.toolbox import ToolOutput
from kore_ls.errors import BadTransition, KoreError, SessionBusy, TurnNotFound
from kore_ls.model.event import Event, EventType
from kore_ls.model.ids import MessageId, SessionId, TurnId
from kore_ls.model.message import Message, Role, ToolCall
from kore_ls.model.permission import PermissionRequest
from kore_ls.model.session import SessionRecord, SessionStatus
from kore_ls.model.turn import Lease, Prompt, StopReason
from kore_ls.sessions.turns.lease_watch import LeaseWatch
from kore_ls.sessions.turns.prompt_queue import CancelledTurn, PromptQueues, QueuedPrompt
from kore_ls.sessions.turns.runner import RunningTurn
from kore_ls.sessions.turns.workbench import NO_TOOLS, Workbench
from kore_ls.storage.process import this_process
from kore_ls.storage.turn_rows import BegunTurn, EndedTurn
from kore_ls.storage.turn_store import TurnStore

if TYPE_CHECKING:
    from kore_ls.sessions.manager import SessionManager

log = logging.getLogger(__name__)

CLOSE_S = 5.0
"""How long ending turns are waited for, where the store does not take their end."""


@frozen(kw_only=True)
class StartedTurn:
    """A turn that was begun with its prompt's message, or (no message) waits for the one before it to end."""

    turn_id: TurnId
    message: Message | None = None


class SessionTurns:
    """See `SessionManager`; its `TurnHost` is this."""

    def __init__(self, manager: SessionManager, workbench: Workbench | None) -> None:
        self._manager = manager
        self._workbench = workbench or NO_TOOLS
        self._running: dict[SessionId, RunningTurn] = {}
        self._queues = PromptQueues(lambda: self.turns)
        self._tasks: set[asyncio.Task[None]] = set()
        self._watch = LeaseWatch(
            lambda: self.turns, lambda found: manager.taken_over(found), lambda: bool(self._running)
        )
        self._closing = False

    # -- what users want

    async def start(self, record: SessionRecord, prompt: Prompt, *, queue: bool, starter: object = None) -> StartedTurn:
        """Begin a turn, or (`queue`) let the prompt wait for the one that runs. Raises as `TurnStore.begin` does.

        What it tells is told after the caller has gone on, so that a reply can come first.
        """
        waiting = QueuedPrompt(turn_id=TurnId(self._manager.new_id()), prompt=prompt, starter=starter)
        if queue and record.id in self._running:
            return await self._enqueue(record.id, waiting)
        if record.status is SessionStatus.IDLE:
            await self._manager.load_agent(record)
        released = asyncio.Event()
        try:
            begun = await self._begin(record.id, waiting, released)
        except SessionBusy:
            if queue and record.id in self._running:
                return await self._enqueue(record.id, waiting)
            raise
        finally:
            asyncio.get_running_loop().call_soon(released.set)
        return StartedTurn(turn_id=waiting.turn_id, message=begun.message)

    async def _enqueue(self, session_id: SessionId, waiting: QueuedPrompt) -> StartedTurn:
        await self._queues.add(session_id, waiting)
        return StartedTurn(turn_id=waiting.turn_id)

    async def _begin(
        self, session_id: SessionId, waiting: QueuedPrompt, released: asyncio.Event, *, waited: bool = False
    ) -> BegunTurn:
        message = Message(
            id=self.new_message_id(),
            session_id=session_id,
            role=Role.USER,
            content=waiting.prompt.text,
            turn_id=waiting.turn_id,
            metadata=waiting.prompt.kept_context(),
        )

        def then(begun: BegunTurn) -> None:
            handle = self._manager.known(begun.session)
            run = RunningTurn(self, handle, begun, waiting.prompt, waiting.starter, released)
            self._running[session_id] = run
            self._keep()
            self._spawn(self._after(run))

        return await self.turns.begin(message, waiting.turn_id, then, waited=waited)

    async def _after(self, run: RunningTurn) -> None:
        await run.done.wait()
        if run.session.status is not SessionStatus.PAUSED:
            self._next(run.session_id)

    def _next(self, session_id: SessionId) -> None:
        """Begin the turn of the next prompt that waits."""
        if self._closing or session_id in self._running:
            return
        if (waiting := self._queues.next(session_id)) is not None:
            self._spawn(self._begin_queued(session_id, waiting))

    async def _begin_queued(self, session_id: SessionId, waiting: QueuedPrompt) -> None:
        released = asyncio.Event()
        released.set()
        try:
            await self._begin(session_id, waiting, released, waited=True)
        except (SessionBusy, BadTransition):  # another turn came first, or the session was paused: its time will come
            self._queues.put_back(session_id, waiting)
        except TurnNotFound:  # another process took this one for dead, and has kept the prompt
            self._next(session_id)
        except KoreError as error:
            log.warning("a queued prompt's turn can't begin: %s", error.kind)
            self._manager.turn_refused(session_id, waiting.turn_id, error)
            await self._let_go(session_id, (waiting,), StopReason.ERROR, keep=True)
            self._next(session_id)

    async def cancel(
        self, session_id: SessionId, reason: StopReason = StopReason.CANCELLED, *, keep: bool = False
    ) -> CancelledTurn:
        """Stop the turn that runs, within a second, and drop what waits; returns when it has ended.

        `keep`: prompts that are dropped become messages, as whoever wrote them does not get them back.
        """
        dropped = self._queues.take_all(session_id)
        run = self._running.get(session_id)
        if run is not None:
            await run.stop(reason)
        if dropped:
            await self._let_go(session_id, dropped, reason, keep=keep)
        return CancelledTurn(cancelled=run is not None, dropped=dropped)

    async def cancel_all(self) -> None:
        """Stop all turns that run here, and drop what waits; returns when they have ended."""
        await asyncio.gather(*(self.cancel(session_id, keep=True) for session_id in {*self._queues, *self._running}))

    async def _let_go(
        self, session_id: SessionId, prompts: Sequence[QueuedPrompt], reason: StopReason, *, keep: bool
    ) -> None:
        """Prompts that waited will have no answer. Where the store does not take that, the next process does it."""
        ended: dict[TurnId, EndedTurn] = {}
        try:
            if keep:
                left = await self.turns.leave([each.stored(session_id) for each in prompts], reason)
                ended = {each.turn.turn_id: each for each in left}
            else:
                await self.turns.drop([each.turn_id for each in prompts])
        except KoreError as error:
            self.store_failed(error)
        for each in prompts:
            self._manager.prompt_dropped(session_id, each.turn_id, reason, ended.get(each.turn_id))

    async def pause(self, session_id: SessionId) -> None:
        """The session was paused: the next tool call and model request wait."""
        if (run := self._running.get(session_id)) is not None:
            await run.happened(machine.PauseAsked())

    async def resume(self, session_id: SessionId) -> None:
        """The session goes on."""
        if (run := self._running.get(session_id)) is not None:
            await run.happened(machine.ResumeAsked())
        else:
            self._next(session_id)

    def running(self, session_id: SessionId) -> RunningTurn | None:
        """The session's turn, where it runs in this process."""
        return self._running.get(session_id)

    def queued(self, session_id: SessionId) -> int:
        """How many prompts wait."""
        return self._queues.count(session_id)

    def forget(self, session_id: SessionId) -> None:
        """The session's agent is unloaded, and its tools with it."""
        self._workbench.forget(session_id)

    def disown(self, session_id: SessionId) -> None:
        """Nothing that was allowed in the session counts any more. Raises StoreReadOnly."""
        self._workbench.disown(session_id)

    def requests(self, session_id: SessionId) -> Sequence[PermissionRequest]:
        """The session's open permission requests."""
        return self._workbench.requests(session_id)

    def lease_of(self, session_id: SessionId) -> Lease | None:
        """Who works in the session; of another process, as it was at the last look."""
        if session_id in self._running:
            return Lease(holder=this_process().words, mine=True)
        lease = self.turns.lease_of(session_id)
        return None if lease is None or lease.mine else lease

    async def save(self) -> None:
        """Bring all drafts to disk."""
        for run in tuple(self._running.values()):
            await run.save()

    # -- keeping watch

    def start_keeping(self) -> None:
        """Begin to look at the store's leases; without a loop to run in, later."""
        self._watch.start()

    def _keep(self) -> None:
        if not self._closing:
            self.start_keeping()

    async def close(self) -> None:
        """Interrupt all turns and watch no more."""
        self._closing = True
        runs = tuple(self._running.values())
        if stops := [asyncio.create_task(run.stop(StopReason.INTERRUPTED)) for run in runs]:
            _, late = await asyncio.wait(stops, timeout=CLOSE_S)
            if late:  # the store takes nothing; what was saved of the drafts is found by the next process
                await asyncio.gather(*(run.abort() for run in runs))
        for session_id in self._queues:
            prompts = self._queues.take_all(session_id)
            leaving = self._let_go(session_id, prompts, StopReason.INTERRUPTED, keep=True)
            with contextlib.suppress(TimeoutError, ValueError):  # ValueError: the store is closed already
                await asyncio.wait_for(leaving, CLOSE_S)
        await self._watch.stop()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- what running turns need (`TurnHost`)

    @property
    def turns(self) -> TurnStore:
        """Where turns are stored."""
        return self._manager.storage.turns

    def new_message_id(self) -> MessageId:
        """The id of the next message."""
        return MessageId(self._manager.new_id())

    async def history(self, session_id: SessionId, before: int) -> AsyncIterator[Message]:
        """The session's messages before a seq, read page by page."""
        async for message in self._manager.iterate_messages(session_id):
            if message.seq >= before:
                return
            yield message

    async def agent(self, record: SessionRecord) -> Agent:
        """The session's agent, made now if need be."""
        return await self._manager.load_agent(record)

    async def give_up(self, session_id: SessionId) -> None:
        """Let go of an agent that does not stop."""
        self._spawn(self._manager.release_agent(session_id))

    async def use_tool(
        self,
        run: RunningTurn,
        name: str,
        arguments: Mapping[str, Any],
        call_id: str | None,
        on_update: Callable[[ToolCall | ToolOutput], Awaitable[None]],
    ) -> ToolOutcome:
        """Use a tool through the permission gate."""
        toolbox = await self._workbench.toolbox(run, lambda: run.session)
        return await toolbox.use(
            name,
            arguments,
            turn_id=run.begun.turn.turn_id,
            call_id=call_id or self._manager.new_id(),
            on_update=on_update,
        )

    async def workplace(self, run: RunningTurn) -> Workplace:
        """Where an external agent would work."""
        return (await self._workbench.toolbox(run, lambda: run.session)).workplace()

    async def permit(
        self,
        run: RunningTurn,
        call: ToolCall,
        *,
        paths: Sequence[str],
        argv: Sequence[str],
        diff: str | None,
        confined: bool,
    ) -> Leave:
        """Ask the gate about something that an external agent does by itself."""
        toolbox = await self._workbench.toolbox(run, lambda: run.session)
        turn_id = run.begun.turn.turn_id
        return await toolbox.permit(call, turn_id=turn_id, paths=paths, argv=argv, diff=diff, confined=confined)

    async def changed_files(self, run: RunningTurn) -> Sequence[str]:
        """The files that the turn changed, in order."""
        return [each.path for each in await self.turns.snapshots(run.begun.turn.turn_id)]

    def release_requests(self, run: RunningTurn) -> None:
        """Answer the turn's open permission requests with `cancelled`."""
        self._workbench.release(run.begun.turn.turn_id)

    def ended(self, run: RunningTurn) -> None:
        """The session has no turn any more."""
        if self._running.get(run.session_id) is run:
            del self._running[run.session_id]

    def stored(self, record: SessionRecord) -> None:
        """The session is now so: tell it."""
        self._manager.session_stored(record)

    def message_stored(self, message: Message) -> None:
        """A message was committed: tell it."""
        self._manager.message_stored(message)

    def tell(self, run: RunningTurn, kind: EventType, data: object) -> None:
        """Publish a fact about a turn."""
        self._manager.events.publish(
            Event(
                type=kind,
                timestamp=self._manager.now(),
                session_id=run.session_id,
                turn_id=run.begun.turn.turn_id,
                data=data,
            )
        )

    def store_failed(self, error: KoreError) -> None:
        """Something could not be stored."""
        self._manager.store_failed(error)
