"""What a store of sessions must offer; `SQLiteStore` is the one that does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from attrs import frozen

from kore_ls.model.bundle import OnConflict, SessionBundle
from kore_ls.model.event import EventType
from kore_ls.model.ids import MessageId, SessionId
from kore_ls.model.message import Message
from kore_ls.model.retention import SizedSession, Space
from kore_ls.model.search import SearchPage, SearchQuery
from kore_ls.model.session import ForkPoint, SessionRecord
from kore_ls.storage.changes import StoreChange
from kore_ls.storage.encryption import Encryption
from kore_ls.storage.history_store import HistoryStore
from kore_ls.storage.message_rows import MessagePage
from kore_ls.storage.purge import Purge
from kore_ls.storage.session_rows import SessionPage, SessionQuery
from kore_ls.storage.turn_store import TurnStore

Change = Callable[[SessionRecord], SessionRecord]
"""A pure step from a session to its next state; may raise our errors to refuse. Runs in the store's thread."""


@frozen(kw_only=True)
class StoreStatus:
    """A store's state. `path` may not exist yet; sizes are bytes."""

    path: Path
    exists: bool
    encrypted: bool = False
    locked: bool = False
    read_only: bool = False
    journal_mode: str = ""
    sessions: int = 0
    messages: int = 0
    bytes: int = 0
    schema_version: int = 0
    sqlite_version: str = ""
    indexed_messages: int = 0


@frozen(kw_only=True)
class ImportOutcome:
    """What an import did: the sessions now stored, and the ids it left alone."""

    records: tuple[SessionRecord, ...]
    skipped: tuple[SessionId, ...]


class Storage(ABC):
    """Sessions and messages that survive. Every method that writes returns after the write is committed.

    A store that does not exist yet reads as empty and is made by the first write. Any method may raise StoreLocked,
    StoreDamaged, StoreForeign, StoreReadOnly, StoreBusy, StoreFull or UnsupportedStore.
    """

    turns: TurnStore
    """The turns of these sessions."""
    encryption: Encryption
    """Who can read them."""
    purge: Purge
    """What goes for good."""
    history: HistoryStore
    """Conversations of other tools that are brought in."""

    @abstractmethod
    async def create_session(self, record: SessionRecord, *, name_prefix: str | None = None) -> SessionRecord:
        """Store a new session; with `name_prefix` it is named by it and a free number. Raises SessionExists."""

    @abstractmethod
    async def save_session(self, record: SessionRecord) -> SessionRecord:
        """Store a session's own fields, new or known; counters of a known one stay as they are."""

    @abstractmethod
    async def load_session(self, session_id: SessionId, *, deleted: bool = False) -> SessionRecord:
        """Raises SessionNotFound; a deleted session is found only where `deleted` says so."""

    @abstractmethod
    async def change_session(
        self,
        session_id: SessionId,
        change: Change,
        kind: EventType,
        *,
        deleted: bool = False,
        exclusive: bool = False,
    ) -> tuple[SessionRecord, SessionRecord]:
        """Apply `change` in one transaction; (before, after). Raises SessionNotFound and what `change` raises.

        `exclusive`: raises LeaseHeld where another process works in the session and something would change.
        """

    @abstractmethod
    async def list_sessions(self, query: SessionQuery) -> SessionPage:
        """Pinned first, then newest `updated_at`; a page may be short and still have a position to go on from."""

    @abstractmethod
    async def remove_session(self, session_id: SessionId) -> None:
        """Remove a session, deleted or not, for good. Raises SessionNotFound, LeaseHeld."""

    @abstractmethod
    async def fork_session(self, record: SessionRecord, point: ForkPoint) -> SessionRecord:
        """Store `record` as a copy of its `parent_id` up to `point`. Raises SessionNotFound, MessageNotFound."""

    @abstractmethod
    async def add_message(
        self, message: Message, then: Callable[[Message, int], None] | None = None
    ) -> tuple[Message, bool]:
        """Append; (stored, whether new). Raises SessionNotFound, SessionClosed, InvalidParams (id used otherwise).

        `then` is told a new message, and when it was stored, once it is committed, also where the caller was cancelled
        meanwhile.
        """

    @abstractmethod
    async def list_messages(
        self, session_id: SessionId, *, after: int | None = None, before: int | None = None, limit: int = 100
    ) -> MessagePage:
        """Messages in `seq` order: oldest after `after`, else newest before `before`, else newest."""

    @abstractmethod
    async def import_sessions(self, bundles: Sequence[SessionBundle], on_conflict: OnConflict) -> ImportOutcome:
        """Store all or none. Raises SessionExists where `on_conflict` is ERROR."""

    @abstractmethod
    async def search(self, query: SearchQuery, report: Callable[[int], None] | None = None) -> SearchPage:
        """One page of hits, best first; `report` is told how many rows are indexed while the index is built.

        Cancelling interrupts the search. What the user typed is never an error.
        """

    @abstractmethod
    async def expired(
        self, keep_days: int | None, keep_bytes: int | None, spared: Collection[SessionId] = ()
    ) -> list[SizedSession]:
        """The sessions beyond these limits (None: no limit) but the `spared` ones, the one longest untouched first.

        Removes nothing.
        """

    @abstractmethod
    async def space(self) -> Space | None:
        """What takes the store's room; None where there is none or nobody can tell. Reads the whole file."""

    @abstractmethod
    async def active_session(self) -> SessionId | None:
        """The session that was switched to last, if any."""

    @abstractmethod
    async def activate_session(self, session_id: SessionId, change: Change) -> tuple[SessionRecord, SessionRecord]:
        """Make a session the active one and apply `change` to it, in one transaction; (before, after)."""

    @abstractmethod
    async def exists(self) -> bool:
        """Whether there is a store. Raises StoreForeign for one that is not the user's."""

    @abstractmethod
    async def status(self) -> StoreStatus:
        """Counts and conditions."""

    @abstractmethod
    async def flush(self) -> None:
        """Wait for queued writes, then move the log into the file as far as readers allow."""

    @abstractmethod
    async def check(self) -> list[str]:
        """Problems found in the file; empty when it is sound."""

    @abstractmethod
    async def repair(self) -> list[str]:
        """Mend what `check` finds, keeping the damaged file aside; what was done and what was lost."""

    @abstractmethod
    async def backup(self, target: Path) -> int:
        """Write a verified copy to a new file; its bytes. Raises FileExistsError and other OSErrors of the target."""

    @abstractmethod
    def listen(self, listener: Callable[[StoreChange], None]) -> Callable[[], None]:
        """Call `listener` when another process changed what users see; returns how to stop."""

    @abstractmethod
    async def close(self) -> None:
        """Flush and let go of the file; closing twice is fine."""

    @abstractmethod
    async def find_message(self, session_id: SessionId, message_id: MessageId) -> Message:
        """Raises SessionNotFound, MessageNotFound."""
