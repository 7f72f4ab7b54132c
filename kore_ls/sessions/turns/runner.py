"""One running turn: does what the state machine says. Listens to the agent, stores, tells; decides nothing."""

from __future__ import annotations

import asyncio
import logging

from attrs import evolve

from kore_ls.agents import turn as machine
from kore_ls.agents.agent import StepEnded
from kore_ls.errors import AgentFailed, KoreError, LeaseHeld, SessionNotFound, TurnNotFound
from kore_ls.model.event import (
    AgentActivity,
    AgentStatus,
    EventType,
    ToolCallChanged,
    TurnFinished,
    TurnStarted,
    fault_of,
)
from kore_ls.model.ids import MessageId, SessionId
from kore_ls.model.message import Message, MessageState, ToolCall
from kore_ls.model.session import SessionRecord, Usage
from kore_ls.model.turn import Draft, Prompt, StopReason
from kore_ls.sessions.session import Session
from kore_ls.sessions.turns.answer_text import MOST_CHARS, AnswerText
from kore_ls.sessions.turns.at_hand import TurnAtHand, storable
from kore_ls.sessions.turns.host import TurnHost
from kore_ls.storage.turn_rows import BegunTurn, EndedTurn, message_of_draft, summed

log = logging.getLogger(__name__)

COALESCE_S = 0.04
"""Deltas that come closer together than this are told as one."""
DRAFT_S = 0.3
DRAFT_CHARS_PER_S = 2_000_000
"""A long draft is saved less often: rewriting it costs by its length."""
STOP_S = 0.7
"""How long a cancelled agent is waited for, until it is given up."""
RETRY_S = 1.0


class RunningTurn:
    """A turn that was begun. `released` lets it tell and do its first thing; `done` is set after its last."""

    def __init__(
        self,
        host: TurnHost,
        handle: Session,
        begun: BegunTurn,
        prompt: Prompt,
        starter: object,
        released: asyncio.Event,
    ) -> None:
        self.begun = begun
        self.prompt = prompt
        self.starter = starter
        self.done = asyncio.Event()
        self._host = host
        self._released = released
        self._handle = handle  # kept, so that changes of the session reach it
        self._machine = machine.TurnMachine()
        self._text = AnswerText(host.new_message_id())
        self._usage: Usage | None = None
        self._end: machine.End | None = None
        self._at_hand = TurnAtHand(self, host)
        self._given_up = asyncio.Event()
        self._lost = False
        self._answering: asyncio.Task[None] | None = None
        self._storing: asyncio.Task[None] | None = None
        self._flush: asyncio.TimerHandle | None = None
        self._flushed_at = -1.0
        self._unsaved = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._run(), name="kore-turn")

    @property
    def session_id(self) -> SessionId:
        """The session that it belongs to."""
        return self.begun.turn.session_id

    # -- what others want of it

    @property
    def session(self) -> SessionRecord:
        """The session as it is now."""
        return self._handle.record

    @property
    def message_id(self) -> MessageId:
        """The id that the step's message will have."""
        return self._text.message_id

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The tool calls of the step so far."""
        return tuple(evolve(call, message_id=self._text.message_id) for call in self._machine.calls)

    @property
    def draft(self) -> Draft:
        """What was said since the last stored message."""
        return self._text.draft(self.calls)

    async def stop(self, reason: StopReason) -> None:
        """End it within a second, keeping what was said; returns when it has ended."""
        await self.happened(machine.StopAsked(reason=reason))
        await self.done.wait()

    async def save(self) -> None:
        """Bring the draft to disk now. Raises store errors."""
        self._unsaved.clear()
        try:
            if self._end is None and not self._lost:
                await self._host.turns.save_draft(self.begun.fence, self.draft)
        except LeaseHeld:
            self._lose()

    # -- running

    async def _run(self) -> None:
        await self._released.wait()
        self._host.message_stored(self.begun.message)
        self._host.stored(self.begun.session)
        self._host.tell(self, EventType.TURN_STARTED, TurnStarted(turn_id=self.begun.turn.turn_id))
        self._host.tell(self, EventType.AGENT_THINKING, AgentStatus(status=AgentActivity.THINKING))
        saving = asyncio.create_task(self._save_drafts(), name="kore-draft")
        self._answering = asyncio.create_task(self._answer(), name="kore-answer")
        if self._machine.stopping is not None:
            self._stop_agent()
        giving_up = asyncio.create_task(self._given_up.wait())
        try:
            await asyncio.wait([self._answering, giving_up], return_when=asyncio.FIRST_COMPLETED)
            if not self._answering.done():
                log.error("an agent did not stop when it was told to; it is given up")
                await self._host.give_up(self.session_id)
                await self.happened(machine.AnswerStopped())
            elif self._end is None and not self._lost:  # it was cancelled before its first step
                await self.happened(machine.AnswerStopped())
            giving_up.cancel()
            saving.cancel()
            await asyncio.wait([saving, giving_up])
            await self._finish()
        finally:
            if self._flush is not None:
                self._flush.cancel()
            self._host.ended(self)
            self.done.set()

    async def _answer(self) -> None:
        try:
            agent = await self._host.agent(self.begun.session)
            stream = agent.answer(self._at_hand)
            try:
                async for event in stream:
                    await self.happened(storable(event))
                    if self._end is not None or self._lost:
                        break
            finally:
                if (close := getattr(stream, "aclose", None)) is not None:
                    await close()
            await self.happened(machine.AnswerReturned())
        except asyncio.CancelledError:
            await self.happened(machine.AnswerStopped())
        except LeaseHeld:
            self._lose()
        except KoreError as error:
            await self.happened(machine.AnswerFailed(fault=fault_of(error)))
        except GeneratorExit:  # this coroutine itself is thrown away
            raise
        except BaseException as error:  # the boundary to code that is not ours: its SystemExit is its own, too
            log.error("an agent failed: %s", type(error).__name__)
            await self.happened(machine.AnswerFailed(fault=fault_of(AgentFailed())))

    async def happened(self, happening: machine.Happening) -> None:
        """Something happened: do what is to be done about it."""
        self._machine, effects = self._machine.advance(happening)
        for effect in effects:
            match effect:
                case machine.Say(speech=speech, text=text):
                    self._text.add(speech, text)
                    self._changed()
                    if self._text.chars > MOST_CHARS:
                        await self.happened(StepEnded())
                case machine.ShowTool(type=kind, call=call):
                    self._flush_text()
                    self._unsaved.set()
                    call = evolve(call, message_id=self._text.message_id)
                    self._host.tell(self, kind, ToolCallChanged(tool_call=call))
                case machine.ShowOutput(output=output):
                    self._unsaved.set()
                    self._host.tell(self, EventType.TOOL_OUTPUT, self._text.printed(output))
                case machine.StoreStep(calls=calls, note=note):
                    await self._store_step(calls, note)
                case machine.AddUsage(usage=usage):
                    self._usage = summed(self._usage, usage)
                case machine.Hold():
                    self._at_hand.hold()
                case machine.LetGo():
                    self._at_hand.let_go()
                case machine.StopAgent():
                    self._stop_agent()
                case machine.End():
                    self._end = effect
                    self._at_hand.revoke()

    def _stop_agent(self) -> None:
        self._at_hand.revoke()
        self._host.release_requests(self)
        if self._answering is not None:
            self._answering.cancel()
            self._loop.call_later(STOP_S, self._given_up.set)
        self._released.set()

    def _lose(self) -> None:
        """Another process has taken the turn over: nothing of it can be stored here any more."""
        self._lost = True
        self._at_hand.revoke()
        if self._answering is not None:
            self._answering.cancel()
            self._loop.call_later(STOP_S, self._given_up.set)

    # -- text

    def _changed(self) -> None:
        self._unsaved.set()
        if self._flush is None:
            wait = self._flushed_at + COALESCE_S - self._loop.time()
            if wait > 0:
                self._flush = self._loop.call_later(wait, self._flush_text)
            else:
                self._flush_text()

    def _flush_text(self) -> None:
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        self._flushed_at = self._loop.time()
        for piece in self._text.untold():
            self._host.tell(self, EventType.MESSAGE_STREAMING, piece)

    async def _save_drafts(self) -> None:
        while True:
            await self._unsaved.wait()
            await asyncio.sleep(max(DRAFT_S, self._text.chars / DRAFT_CHARS_PER_S))
            try:
                await self.save()
            except KoreError as error:
                self._host.store_failed(error)
                await asyncio.sleep(RETRY_S)
            except Exception as error:  # whoever ends the step meets it again, and ends the turn all the same
                log.error("a draft can't be stored: %s", type(error).__name__)

    # -- storing

    def _message(self, calls: tuple[ToolCall, ...], state: MessageState | None) -> Message | None:
        """The step so far as its message; what comes next belongs to another."""
        self._flush_text()
        draft = self._text.draft(calls)
        if draft.empty:
            return None
        self._text = AnswerText(self._host.new_message_id())
        return message_of_draft(self.begun.turn, draft, state)

    async def _store_step(self, calls: tuple[ToolCall, ...], note: str | None) -> None:
        message = self._message(calls, None)
        if message is not None and not self._lost:
            self._storing = asyncio.create_task(self._kept(message, note), name="kore-step")
            await asyncio.shield(self._storing)  # an agent cancelled now does not take its step with it

    async def _kept(self, message: Message, note: str | None) -> None:
        """Store a step, however long that takes."""
        while not self._lost:
            try:
                self._host.message_stored(await self._host.turns.end_step(self.begun.fence, message, note))
                return None
            except (LeaseHeld, SessionNotFound, TurnNotFound):
                self._lose()
            except KoreError as error:
                self._host.store_failed(error)
                await asyncio.sleep(RETRY_S)
            except Exception as error:  # nothing that an agent made may keep its turn from going on
                log.error("a step can't be stored: %s", type(error).__name__)
                if not message.tool_calls:
                    return None
                message = evolve(message, tool_calls=())
        return None

    async def _finish(self) -> None:
        if self._storing is not None:
            await asyncio.wait([self._storing])
        self._host.release_requests(self)
        await self._at_hand.close(STOP_S)
        end, ended = self._end, None
        if end is not None and not self._lost:
            ended = await self._stored_end(end, self._message(end.calls, end.state))
        if ended is not None and ended.message is not None:
            self._host.message_stored(ended.message)
        self._host.ended(self)
        if end is not None and end.error is not None:
            self._host.tell(self, EventType.AGENT_ERROR, end.error.fault)
        self._tell_end(end.reason if end is not None and ended is not None else StopReason.INTERRUPTED, ended)
        if ended is not None:
            self._host.stored(ended.session)

    async def _stored_end(self, end: machine.End, message: Message | None) -> EndedTurn | None:
        """The end, stored, however long that takes; None if another process has ended it."""
        while True:
            try:
                return await self._host.turns.end(
                    self.begun.fence,
                    end.reason,
                    message=message,
                    usage=self._usage,
                    changed_files=await self._host.changed_files(self),
                    note=end.note,
                )
            except (LeaseHeld, SessionNotFound, TurnNotFound):  # another has ended it, or it is gone with its store
                return None
            except KoreError as error:
                self._host.store_failed(error)
            except Exception as error:  # the turn has to end, with less of its message if need be
                if isinstance(error, ValueError) and not isinstance(error, UnicodeError):  # the store is closed
                    return None
                log.error("a turn's last message can't be stored: %s", type(error).__name__)
                if message is None and self._usage is None:
                    return None
                message = evolve(message, tool_calls=()) if message is not None and message.tool_calls else None
                self._usage = None
                continue
            await asyncio.sleep(RETRY_S)

    def _tell_end(self, reason: StopReason, ended: EndedTurn | None) -> None:
        finished = TurnFinished(
            stop_reason=reason,
            message=None if ended is None else ended.message,
            usage=self._usage,
            changed_files=(None if ended is None else ended.turn.changed_files) or None,
        )
        self._host.tell(self, EventType.TURN_FINISHED, finished)
        self._host.tell(self, EventType.AGENT_IDLE, AgentStatus(status=AgentActivity.IDLE))

    async def abort(self) -> None:
        """Give up without storing; for a store that takes nothing any more."""
        tasks = [task for task in (self._task, self._answering, self._storing) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=STOP_S)
