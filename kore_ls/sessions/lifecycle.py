"""A session's life: create, switch, pause, close, delete, fork. The part of SessionManager that changes sessions."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakValueDictionary

from attrs import evolve

from kore_ls.agents.agent import Agent
from kore_ls.errors import SessionNotFound, StoreDamaged
from kore_ls.model import limits
from kore_ls.model.event import Event, EventType
from kore_ls.model.ids import Clock, IdSource, MessageId, SessionId
from kore_ls.model.limits import JsonObject
from kore_ls.model.mode import AgentMode
from kore_ls.model.session import ForkPoint, SessionRecord, SessionStatus
from kore_ls.sessions import changes
from kore_ls.sessions.bus import EventBus
from kore_ls.sessions.changes import SessionUpdate, checked, checked_id, checked_mode, checked_tags, fork_name, fork_of
from kore_ls.sessions.config import ManagerConfig
from kore_ls.sessions.session import Session
from kore_ls.sessions.steps import Steps
from kore_ls.sessions.turns.loaded import LoadedAgents
from kore_ls.sessions.turns.session_turns import SessionTurns
from kore_ls.storage.interface import Change, Storage
from kore_ls.storage.session_rows import SessionPage, SessionQuery

if TYPE_CHECKING:
    from kore_ls.sessions.manager import SessionManager

_PAGE = 500


class SessionLifecycle:
    """What SessionManager can do with sessions as such; see there for the rules."""

    def __init__(
        self, config: ManagerConfig, storage: Storage, agents: LoadedAgents, clock: Clock, ids: IdSource
    ) -> None:
        self.config = config
        self.storage = storage
        self.events = EventBus()
        self._clock = clock
        self._ids = ids
        self._agents = agents
        self._steps = Steps()
        self._creating = asyncio.Lock()
        self._handles: WeakValueDictionary[SessionId, Session] = WeakValueDictionary()

    turns: SessionTurns

    def agent_of(self, session_id: SessionId) -> Agent | None:
        """The agent of a loaded session."""
        return self._agents.get(session_id)

    async def release_agent(self, session_id: SessionId) -> None:
        """Unload the session's agent, if it is loaded."""
        self.turns.forget(session_id)
        await self._agents.release(session_id)

    async def create_session(
        self,
        name: str | None = None,
        mode: AgentMode | str | None = None,
        *,
        metadata: JsonObject | None = None,
        tags: Sequence[str] = (),
        activate: bool = True,
        origin: object | None = None,
    ) -> Session:
        """Make a session and its agent. Without a name it gets the configured prefix and a free number.

        `origin` is handed on in the events, so that whoever asked can tell its own.

        Raises InvalidParams, SessionLimitReached, AgentFailed.
        """
        if name is not None:
            checked("name", name, limits.name_problem)
        checked("metadata", metadata or {}, limits.metadata_problem)
        now = self._clock()
        record = SessionRecord(
            id=SessionId(self._ids()),
            name=name or "",
            agent_mode=checked_mode(mode) if mode is not None else self.config.default_mode,
            created_at=now,
            updated_at=now,
            metadata=metadata or {},
            tags=checked_tags(tags),
        )
        await self._agents.load(record)
        return await self._steps.run(self._create(record, activate, origin))

    async def _create(self, record: SessionRecord, activate: bool, origin: object | None) -> Session:
        try:
            prefix = None if record.name else self.config.session_name_prefix
            record = await self.storage.create_session(record, name_prefix=prefix)
            previous = await self.storage.active_session() if activate else None
            if activate:
                await self.storage.activate_session(record.id, changes.switched_to)
        except BaseException:
            await self._agents.release(record.id)
            raise
        session = self._handle(record)
        self._tell(EventType.SESSION_CREATED, record, origin=origin)
        if activate:
            self._tell(EventType.SESSION_SWITCHED, record, previous_id=previous, origin=origin)
        return session

    @contextlib.asynccontextmanager
    async def session(self, name: str | None = None, mode: AgentMode | str | None = None) -> AsyncIterator[Session]:
        """A session for one block of code: made on entering, closed on leaving unless it was deleted."""
        session = await self.create_session(name, mode)
        try:
            yield session
        finally:
            with contextlib.suppress(SessionNotFound):
                await self.close_session(session.id)

    async def get_session(self, session_id: str) -> Session:
        """The session with this id."""
        return self._handle(await self.storage.load_session(checked_id(session_id)))

    async def list_sessions(self, query: SessionQuery | None = None) -> list[Session]:
        """All sessions that match, pinned first, then the one changed last; `query.limit` is the page size used."""
        query = query or SessionQuery(limit=_PAGE)
        found: list[Session] = []
        while True:
            page = await self.page_sessions(query)
            found += [self._handle(record) for record in page.sessions]
            if page.position is None:
                return found
            query = evolve(query, after=page.position)

    async def page_sessions(self, query: SessionQuery) -> SessionPage:
        """One page; it may be short and still have a position to go on from."""
        return await self.storage.list_sessions(query)

    async def current_session(
        self, active: SessionId | None = None, *, create: bool = False, origin: object | None = None
    ) -> Session | None:
        """The active session (`active`, else the store's), else the newest idle one, else (`create`) a new one.

        However many ask at once, one is made. Raises SessionLimitReached, AgentFailed.
        """
        session = await self._current_session(active)
        if session is not None or not create:
            return session
        async with self._creating:
            return await self._current_session(None) or await self.create_session(origin=origin)

    async def _current_session(self, active: SessionId | None) -> Session | None:
        active = active or await self.storage.active_session()
        if active is not None:
            with contextlib.suppress(SessionNotFound, StoreDamaged):  # what can be read is offered in its place
                session = await self.get_session(active)
                if session.is_active():
                    return session
        page = await self.page_sessions(SessionQuery(statuses=(SessionStatus.IDLE,), limit=1))
        return self._handle(page.sessions[0]) if page.sessions else None

    async def switch_session(self, session_id: str, *, origin: object | None = None) -> Session:
        """Make it the active session and load its agent; a closed one is reopened, a paused one stays paused.

        Raises SessionLimitReached, AgentFailed.
        """
        record = await self.storage.load_session(checked_id(session_id))
        was_loaded = self._agents.get(record.id) is not None
        await self._agents.load(record)
        return await self._steps.run(self._switch(record, was_loaded, origin))

    async def _switch(self, record: SessionRecord, was_loaded: bool, origin: object | None) -> Session:
        try:
            previous = await self.storage.active_session()
            before, after = await self.storage.activate_session(record.id, changes.switched_to)
        except BaseException:
            if not was_loaded:
                await self._agents.release(record.id)
            raise
        session = self._handle(after)
        if after != before:
            self._tell(EventType.SESSION_UPDATED, after)
        self._tell(EventType.SESSION_SWITCHED, after, previous_id=previous, origin=origin)
        return session

    async def close_session(self, session_id: str) -> Session:
        """Close it and release its agent; closing a closed one is fine."""
        return await self._steps.run(self._close(session_id))

    async def _close(self, session_id: str) -> Session:
        known = checked_id(session_id)
        await self.turns.cancel(known, keep=True)
        after = await self._step(known, changes.closed, EventType.SESSION_CLOSED, exclusive=True)
        await self.turns.cancel(known, keep=True)  # one that began in between
        await self.release_agent(after.id)
        return self._handle(after)

    async def rename_session(self, session_id: str, name: str) -> Session:
        """Give it another name. Raises InvalidParams."""
        checked("name", name, limits.name_problem)
        now = self._clock()
        return await self._change(
            session_id, lambda record: changes.renamed(record, name, now), EventType.SESSION_UPDATED
        )

    async def update_session(self, session_id: str, **fields: Any) -> Session:
        """Change fields of `SessionUpdate`; metadata is merged, a None value removes its key. Raises InvalidParams."""
        return await self.apply_update(session_id, SessionUpdate(**fields))

    async def apply_update(self, session_id: str, update: SessionUpdate) -> Session:
        """Change what `update` names. Raises InvalidParams."""
        if update.description is not None:
            checked("description", update.description, limits.description_problem)
        if update.tags is not None:
            update = evolve(update, tags=checked_tags(update.tags))
        now = self._clock()
        return await self._change(
            session_id,
            lambda record: changes.updated(record, update, now),
            EventType.SESSION_UPDATED,
            exclusive=update.mode is not None or update.agent is not None,
        )

    async def pause_session(self, session_id: str) -> Session:
        """A running turn holds before its next tool call or model request.

        Raises SessionClosed, LeaseHeld, BadTransition.
        """
        session = await self._change(session_id, changes.paused, EventType.SESSION_UPDATED, exclusive=True)
        await self.turns.pause(session.id)
        return session

    async def resume_session(self, session_id: str) -> Session:
        """Let it, and a turn that was held, go on. Raises SessionClosed, LeaseHeld, BadTransition."""

        def change(record: SessionRecord) -> SessionRecord:
            return changes.resumed(record, working=self.turns.running(record.id) is not None)

        session = await self._change(session_id, change, EventType.SESSION_UPDATED, exclusive=True)
        await self.turns.resume(session.id)
        return session

    async def delete_session(self, session_id: str, *, permanent: bool = False) -> None:
        """Hide it (restorable), or with `permanent` remove it for good."""
        await self._steps.run(self._delete(checked_id(session_id), permanent))

    async def _delete(self, known: SessionId, permanent: bool) -> None:
        if permanent:
            record = await self.storage.load_session(known, deleted=True)
            await self.turns.cancel(known)
            await self.storage.remove_session(known)
            self.turns.disown(known)
            self._handles.pop(known, None)
            self._tell(EventType.SESSION_DELETED, record)
        else:
            now = self._clock()
            await self.turns.cancel(known, keep=True)
            await self._step(
                known,
                lambda record: changes.deleted(record, now),
                EventType.SESSION_DELETED,
                deleted=True,
                exclusive=True,
            )
        await self.turns.cancel(known)
        await self.release_agent(known)

    async def restore_session(self, session_id: str) -> Session:
        """Bring a deleted session back."""
        return await self._change(session_id, changes.restored, EventType.SESSION_RESTORED, deleted=True)

    async def fork_session(
        self, session_id: str, *, message_id: str | None = None, empty: bool = False, name: str | None = None
    ) -> Session:
        """Copy it up to a message (that one included), up to its end, or (`empty`) before its first message.

        Raises MessageNotFound, InvalidParams.
        """
        if name is not None:
            checked("name", name, limits.name_problem)
        source = await self.storage.load_session(checked_id(session_id))
        now = self._clock()
        record = fork_of(source, SessionId(self._ids()), name or fork_name(source.name), now)
        point = ForkPoint(message_id=MessageId(message_id) if message_id else None, empty=empty)
        return await self._steps.run(self._fork(record, point))

    async def _fork(self, record: SessionRecord, point: ForkPoint) -> Session:
        forked = await self.storage.fork_session(record, point)
        self._tell(EventType.SESSION_CREATED, forked)
        return self._handle(forked)

    async def _change(
        self, session_id: str, change: Change, kind: EventType, *, deleted: bool = False, exclusive: bool = False
    ) -> Session:
        step = self._step(session_id, change, kind, deleted=deleted, exclusive=exclusive)
        return self._handle(await self._steps.run(step))

    async def _step(
        self, session_id: str, change: Change, kind: EventType, *, deleted: bool = False, exclusive: bool = False
    ) -> SessionRecord:
        before, after = await self.storage.change_session(
            checked_id(session_id), change, kind, deleted=deleted, exclusive=exclusive
        )
        self._handle(after)
        if after != before:
            self._tell(kind, after)
        return after

    def _handle(self, record: SessionRecord) -> Session:
        """The one handle of this session, brought up to date."""
        handle = self._handles.get(record.id)
        if handle is None:
            handle = self._handles[record.id] = Session(cast("SessionManager", self), record)
        handle.record = record
        return handle

    def _tell(
        self,
        kind: EventType,
        record: SessionRecord,
        *,
        previous_id: SessionId | None = None,
        origin: object | None = None,
    ) -> None:
        self.events.publish(
            Event(
                type=kind,
                timestamp=self._clock(),
                session_id=record.id,
                session=record,
                previous_id=previous_id,
                origin=origin,
            )
        )
