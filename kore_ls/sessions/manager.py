"""`SessionManager`: everything one can do with the sessions of one store. No editor, no wire."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from attrs import evolve

from kore_ls.agents.agent import AgentFactory
from kore_ls.agents.quiet import quiet_agent
from kore_ls.errors import KoreError
from kore_ls.model import limits
from kore_ls.model.bundle import OnConflict, SessionBundle
from kore_ls.model.event import Event, EventType
from kore_ls.model.ids import Clock, IdSource, new_id, now_ms
from kore_ls.model.message import Message
from kore_ls.model.search import SearchPage, SearchQuery
from kore_ls.model.session import SessionRecord
from kore_ls.sessions.changes import checked, checked_id
from kore_ls.sessions.config import ManagerConfig
from kore_ls.sessions.session import Session
from kore_ls.sessions.turns.loaded import LoadedAgents
from kore_ls.sessions.turns.management import TurnManagement
from kore_ls.sessions.turns.session_turns import SessionTurns
from kore_ls.sessions.turns.workbench import Workbench
from kore_ls.storage.changes import StoreChange
from kore_ls.storage.interface import ImportOutcome, Storage

if TYPE_CHECKING:
    from kore_ls.sessions.documents.redaction import Redactor

log = logging.getLogger(__name__)

_PAGE = 500


class SessionManager(TurnManagement):
    """The sessions of one store: use it as `async with SessionManager(config, storage, factory) as manager`.

    Every method that changes something returns after the change is committed, and publishes the fact on `events`
    before it returns. Methods that take a session's id raise SessionNotFound; all may raise the store's errors.
    """

    def __init__(
        self,
        config: ManagerConfig | None = None,
        storage: Storage | None = None,
        agent_factory: AgentFactory = quiet_agent,
        *,
        workbench: Workbench | None = None,
        clock: Clock = now_ms,
        ids: IdSource = new_id,
    ) -> None:
        config = config or ManagerConfig()
        agents = LoadedAgents(
            agent_factory,
            limit=config.max_sessions,
            evict=config.evict_idle,
            busy=lambda session_id: self.turns.running(session_id) is not None,
        )
        super().__init__(config, storage or _store_in(config), agents, clock, ids)
        self.turns = SessionTurns(self, workbench)
        self._auto_save: asyncio.Task[None] | None = None
        self._stop_listening: Callable[[], None] | None = None
        self._shutdown: asyncio.Task[None] | None = None

    async def __aenter__(self) -> SessionManager:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.shutdown()

    def start(self) -> None:
        """Begin to auto-save and to hear of other processes' changes; entering the manager does it."""
        if self._stop_listening is None:
            self._stop_listening = self.storage.listen(self._changed_elsewhere)
        if self._auto_save is None and self.config.auto_save_interval > 0:
            self._auto_save = asyncio.create_task(self._save_regularly(), name="kore-auto-save")
        self.turns.start_keeping()

    async def shutdown(self) -> None:
        """Save, release all agents, close the store; calling it again is fine. No session's status changes."""
        if self._shutdown is None:
            self._shutdown = asyncio.create_task(self._shut_down(), name="kore-shutdown")
        await asyncio.shield(self._shutdown)

    async def _shut_down(self) -> None:
        if self._auto_save is not None:
            self._auto_save.cancel()
            await asyncio.wait([self._auto_save])
        await self.turns.close()
        await self._steps.settle()
        await self._agents.release_all()
        if self._stop_listening is not None:
            self._stop_listening()
        try:
            with contextlib.suppress(KoreError):  # what was acknowledged is committed already
                await self.storage.flush()
        finally:
            await self.storage.close()

    # -- messages

    async def add_message(self, session_id: str, message: Message) -> Message:
        """Append a message and return it as stored; needs no agent.

        The same id again answers the stored message. Raises SessionClosed, InvalidParams.
        """
        checked("content", message.content, limits.content_problem)
        checked("metadata", message.metadata, limits.metadata_problem)
        if message.id:
            checked("id", message.id, limits.id_problem)
        known = checked_id(session_id)
        if message.session_id != known:
            message = evolve(message, session_id=known)
        stored, _ = await self.storage.add_message(message, self._message_added)
        return stored

    async def get_messages(self, session_id: str) -> list[Message]:
        """All messages of a session in order."""
        return [message async for message in self.iterate_messages(session_id)]

    async def iterate_messages(self, session_id: str) -> AsyncIterator[Message]:
        """A session's messages in order, read page by page."""
        after = 0
        while True:
            page = await self.storage.list_messages(checked_id(session_id), after=after, limit=_PAGE)
            for message in page.messages:
                yield message
            if not page.has_more:
                return
            after = page.messages[-1].seq

    # -- documents

    async def export_session(self, session_id: str) -> dict[str, Any]:
        """The session as a JSON document; deleted ones too."""
        from kore_ls.sessions.documents.export_document import document_of

        record = await self.storage.load_session(checked_id(session_id), deleted=True)
        messages = await self.get_messages(session_id)
        return document_of(record, messages, exported_at=self._clock())

    async def encode_session(
        self, session_id: str, form: str = "json", redactor: Redactor | None = None
    ) -> AsyncIterator[bytes]:
        """The session as pieces of a document ("json", "markdown" or "html"), never all in memory.

        Messages added meanwhile are left out. A `redactor` takes out secrets, and knows afterwards which.
        """
        from kore_ls.sessions.documents.export_form import pieces

        record = await self.storage.load_session(checked_id(session_id), deleted=True)
        async for piece in pieces(form, record, self._batches(record), self._clock, redactor):
            yield piece

    async def _batches(self, record: SessionRecord) -> AsyncIterator[Sequence[Message]]:
        after = 0
        while after < record.last_seq:
            page = await self.storage.list_messages(record.id, after=after, before=record.last_seq + 1, limit=_PAGE)
            if not page.messages:
                return
            yield page.messages
            after = page.messages[-1].seq

    async def import_session(
        self, document: Mapping[str, Any], *, on_conflict: OnConflict | str = OnConflict.ERROR
    ) -> Session:
        """Store a document's session. Raises ImportInvalid, SessionExists; then nothing is stored."""
        from kore_ls.sessions.documents.import_document import parse

        bundles = parse(document, now=self._clock(), new_id=self._ids)
        outcome = await self.import_bundles(bundles, OnConflict(on_conflict))
        if outcome.records:
            return self._handle(outcome.records[0])
        return await self.get_session(outcome.skipped[0])

    async def import_bundles(self, bundles: Sequence[SessionBundle], on_conflict: OnConflict) -> ImportOutcome:
        """Store whole sessions, all or none. Raises SessionExists."""
        if on_conflict is OnConflict.REPLACE:
            for bundle in bundles:
                await self.turns.cancel(bundle.record.id)
        outcome = await self.storage.import_sessions(bundles, on_conflict)
        await self._steps.run(self._imported(outcome))
        return outcome

    async def _imported(self, outcome: ImportOutcome) -> None:
        for record in outcome.records:
            await self._agents.release(record.id)  # a replaced session's agent knows another history
            self.turns.disown(record.id)
            if record.id in self._handles:
                self._handles[record.id].record = record
            self._tell(EventType.SESSION_CREATED, record)

    def brought_in(self, record: SessionRecord, kind: EventType) -> None:
        """Tell of a session that an import of history has just added, or added to."""
        if record.id in self._handles:
            self._handles[record.id].record = record
        self._tell(kind, record)

    # -- search

    async def search_sessions(self, text: str) -> list[Session]:
        """The best twenty sessions whose messages, name, description or tags hold all words of `text`, best first."""
        page = await self.search(SearchQuery(text=text))
        return [self._handle(hit.session) for hit in page.hits]

    async def search(self, query: SearchQuery, report: Callable[[int], None] | None = None) -> SearchPage:
        """One page of hits with their messages; see `Storage.search`."""
        return await self.storage.search(query, report)

    # -- saving and watching

    async def save(self) -> int:
        """Bring everything to disk, drafts too; how many loaded sessions that was."""
        await self.turns.save()
        await self.storage.flush()
        return len(self._agents)

    async def _save_regularly(self) -> None:
        while True:
            await asyncio.sleep(self.config.auto_save_interval)
            try:
                await self.save()
            except KoreError as error:
                log.warning("auto-save failed: %s", error.kind)
                self.store_failed(error)

    def _changed_elsewhere(self, change: StoreChange) -> None:
        locked = EventType.STORE_LOCKED.value in change.kinds
        self.events.publish(
            Event(
                type=EventType.STORE_LOCKED if locked else EventType.STORE_CHANGED,
                timestamp=self._clock(),
                sessions=change.sessions,
                kinds=() if locked else change.kinds,
            )
        )


def _store_in(config: ManagerConfig) -> Storage:
    from kore_ls.storage.store import SQLiteStore

    return SQLiteStore(config.data_dir / "sessions.db")
