"""Turns as SessionManager offers them, and what running turns ask of it. The part of SessionManager between the two."""

from __future__ import annotations

from attrs import evolve

from kore_ls.agents.agent import Agent
from kore_ls.errors import KoreError, LeaseHeld
from kore_ls.model import limits
from kore_ls.model.event import Event, EventType, TurnFinished, fault_of
from kore_ls.model.ids import MessageId, SessionId, TurnId
from kore_ls.model.message import Message
from kore_ls.model.session import LastMessage, SessionRecord, Usage, preview_of
from kore_ls.model.turn import Prompt, StopReason
from kore_ls.sessions.changes import checked, checked_id, fork_of, rewound_name
from kore_ls.sessions.lifecycle import SessionLifecycle
from kore_ls.sessions.session import Session
from kore_ls.sessions.turns.prompt_queue import CancelledTurn
from kore_ls.sessions.turns.session_turns import StartedTurn
from kore_ls.storage.note_rows import DEFAULT_NAME
from kore_ls.storage.rewind_rows import Rewound
from kore_ls.storage.turn_rows import EndedTurn, summed
from kore_ls.storage.turn_store import Recovery


class TurnManagement(SessionLifecycle):
    """See `SessionManager`."""

    async def start_turn(
        self, session_id: str, prompt: Prompt | str, *, queue: bool = False, starter: object = None
    ) -> StartedTurn:
        """Let the session's agent answer a prompt; `queue` lets it wait for a turn that runs.

        Returns when the user's message is committed; the answer comes as events and messages. Raises SessionClosed,
        LeaseHeld, SessionBusy, BadTransition, SessionLimitReached, AgentFailed.
        """
        asked = Prompt(text=prompt) if isinstance(prompt, str) else prompt
        checked("prompt", asked.text, limits.content_problem)
        record = await self.storage.load_session(checked_id(session_id))
        return await self.turns.start(record, asked, queue=queue, starter=starter)

    async def cancel_turn(self, session_id: str) -> CancelledTurn:
        """Stop the session's turn within a second, keeping what was said. Raises LeaseHeld."""
        known = checked_id(session_id)
        await self.storage.load_session(known)
        return await self._steps.run(self._cancel_turn(known))

    async def rest(self) -> None:
        """Stop all turns, keeping what was said, and let go of all agents, which remember it."""
        await self.turns.cancel_all()
        for session_id in self._agents.loaded:
            await self.release_agent(session_id)

    async def _cancel_turn(self, session_id: SessionId) -> CancelledTurn:
        lease = self.turns.lease_of(session_id)
        if lease is not None and not lease.mine and self.turns.running(session_id) is None:
            raise LeaseHeld(sessionId=session_id, holder=lease.holder)
        return await self.turns.cancel(session_id)

    async def rewind_session(self, session_id: str, message_id: str) -> Rewound:
        """Go on from before a message; all there was is kept in a copy, archived.

        Raises MessageNotFound, SessionClosed, SessionBusy, LeaseHeld.
        """
        known = checked_id(session_id)
        return await self._steps.run(self._rewind(known, MessageId(message_id)))

    async def _rewind(self, session_id: SessionId, message_id: MessageId) -> Rewound:
        now, new_id = self._clock(), SessionId(self._ids())

        def copied(record: SessionRecord) -> SessionRecord:
            return evolve(fork_of(record, new_id, rewound_name(record.name), now), archived=True)

        done = await self.storage.turns.rewind(session_id, message_id, copied)
        self._handle(done.session)
        await self.release_agent(session_id)  # it remembers what is not the session's history any more
        self._tell(EventType.SESSION_CREATED, done.kept)
        self.events.publish(
            Event(
                type=EventType.SESSION_REWOUND,
                timestamp=now,
                session_id=session_id,
                session=done.session,
                kept_id=done.kept.id,
            )
        )
        return done

    # -- titles

    async def default_name(self, session_id: SessionId) -> str | None:
        """The name that Kore gave the session when it was made without one."""
        return (await self.storage.turns.notes(session_id, DEFAULT_NAME)).get(DEFAULT_NAME)

    async def title_session(self, session_id: SessionId, title: str, usage: Usage) -> None:
        """Name a session that still has Kore's own name for it; `usage` is counted in any case."""
        default = await self.default_name(session_id)

        def change(record: SessionRecord) -> SessionRecord:
            name = title if record.name == default else record.name
            return evolve(record, name=name, usage=summed(record.usage, usage))

        await self._change(session_id, change, EventType.SESSION_UPDATED)

    # -- what running turns ask

    def new_id(self) -> str:
        """A new id."""
        return self._ids()

    def now(self) -> int:
        """Unix milliseconds."""
        return self._clock()

    async def load_agent(self, record: SessionRecord) -> Agent:
        """The session's agent, made now if need be. Raises SessionLimitReached, AgentFailed."""
        return await self._agents.load(record)

    def known(self, record: SessionRecord) -> Session:
        """The handle of a session, brought up to date."""
        return self._handle(record)

    def session_stored(self, record: SessionRecord) -> None:
        """A session was committed by a turn: tell it."""
        self._handle(record)
        self._tell(EventType.SESSION_UPDATED, record)

    def message_stored(self, message: Message) -> None:
        """A message was committed by a turn: tell it."""
        self._message_added(message, self._clock())

    def _message_added(self, message: Message, now: int) -> None:
        self._note_message(message, now)
        self.events.publish(
            Event(type=EventType.MESSAGE_ADDED, timestamp=now, session_id=message.session_id, message=message)
        )

    def _note_message(self, message: Message, now: int) -> None:
        handle = self._handles.get(message.session_id)
        if handle is not None:
            handle.record = evolve(
                handle.record,
                message_count=message.seq,
                last_seq=message.seq,
                last_message=LastMessage(
                    seq=message.seq,
                    role=message.role,
                    preview=preview_of(message.content),
                    timestamp=message.timestamp,
                ),
                updated_at=max(handle.updated_at, now),
            )

    def turn_refused(self, session_id: SessionId, turn_id: TurnId, error: KoreError) -> None:
        """A prompt that waited can't become a turn: tell it."""
        for kind, data in (
            (EventType.AGENT_ERROR, fault_of(error)),
            (EventType.TURN_FINISHED, TurnFinished(stop_reason=StopReason.ERROR)),
        ):
            self.events.publish(
                Event(type=kind, timestamp=self._clock(), session_id=session_id, turn_id=turn_id, data=data)
            )

    def prompt_dropped(
        self, session_id: SessionId, turn_id: TurnId, reason: StopReason, ended: EndedTurn | None
    ) -> None:
        """A prompt that waited will have no answer: tell it. `ended` is what was kept of it."""
        message = None if ended is None else ended.message
        if message is not None:
            self.message_stored(message)
        if reason is not StopReason.ERROR:
            data = TurnFinished(stop_reason=reason, message=message)
            now = self._clock()
            self.events.publish(
                Event(type=EventType.TURN_FINISHED, timestamp=now, session_id=session_id, turn_id=turn_id, data=data)
            )
        if ended is not None:
            self.session_stored(ended.session)

    def taken_over(self, recovery: Recovery) -> None:
        """What a dead process had left running was ended: tell it."""
        for ended in recovery.turns:
            if ended.message is not None:
                self.message_stored(ended.message)
            self.session_stored(ended.session)

    def store_failed(self, error: KoreError) -> None:
        """Something could not be stored: tell it."""
        self.events.publish(Event(type=EventType.STORE_ERROR, timestamp=self._clock(), error_kind=error.kind))
