"""Turns in a store: what they said, who works on them, what they decided and changed. The other half of `Storage`."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from typing import TypeAlias

from attrs import frozen

from kore_ls.errors import StoreDamaged, TurnNotFound
from kore_ls.model.ids import Clock, IdSource, MessageId, SessionId, TurnId
from kore_ls.model.message import Message
from kore_ls.model.session import Usage
from kore_ls.model.turn import AuditEntry, Draft, FileSnapshot, Lease, StopReason, Turn
from kore_ls.storage import (
    audit_rows,
    contents,
    draft_rows,
    lease_rows,
    note_rows,
    prompt_rows,
    rewind_rows,
    snapshot_rows,
    turn_rows,
)
from kore_ls.storage.audit_rows import AuditPage
from kore_ls.storage.lease_rows import HeldLease
from kore_ls.storage.prompt_rows import WaitingPrompt
from kore_ls.storage.rewind_rows import Copied, RewindPoint, Rewound
from kore_ls.storage.store_file import StoreFile
from kore_ls.storage.turn_rows import BegunTurn, EndedTurn, Fence, TurnPage
from kore_ls.storage.writer import Transaction

_Seen: TypeAlias = tuple[list[HeldLease], list[SessionId], list[WaitingPrompt]]


@frozen(kw_only=True)
class Recovery:
    """What was found unfinished, with nobody working on it, and was ended."""

    turns: tuple[EndedTurn, ...] = ()
    sessions: tuple[SessionId, ...] = ()


class TurnStore:
    """The turns of one store; `owner` is the store object's id, which its leases are held under.

    Writes return after COMMIT. Those that take a fence raise LeaseHeld once another process has taken the turn over.
    """

    def __init__(self, file: StoreFile, owner: str, clock: Clock, ids: IdSource) -> None:
        self._file = file
        self._owner = owner
        self._clock = clock
        self._ids = ids
        self._leases: dict[SessionId, HeldLease] = {}

    # -- turns

    async def begin(
        self,
        message: Message,
        turn_id: TurnId,
        then: Callable[[BegunTurn], None] | None = None,
        *,
        waited: bool = False,
    ) -> BegunTurn:
        """Store the prompt and take the session's lease; `then` is told once it is committed, whoever was cancelled.

        `waited`: it was stored by `wait`. Raises SessionNotFound, SessionClosed, LeaseHeld, SessionBusy,
        BadTransition; TurnNotFound where a waiting prompt is not there any more.
        """
        now = self._clock()
        return await self._file.write(
            lambda transaction: turn_rows.begin_turn(transaction, message, turn_id, self._owner, now, waited=waited),
            on=message.session_id,
            then=then,
        )

    async def save_draft(self, fence: Fence, draft: Draft) -> None:
        """Keep what the turn has said so far; other processes hear nothing of it."""

        def work(transaction: Transaction) -> None:
            lease_rows.check_epoch(transaction.db, fence.session_id, fence.owner, fence.epoch)
            draft_rows.save_draft(transaction.db, fence.session_id, fence.turn_id, draft)

        await self._file.write(work)

    async def end_step(self, fence: Fence, message: Message, note: str | None = None) -> Message:
        """Store a step's message, which has an id, in the place of the draft; and its agent's note."""
        now = self._clock()
        return await self._file.write(lambda transaction: turn_rows.end_step(transaction, fence, message, now, note))

    async def end(
        self,
        fence: Fence,
        reason: StopReason,
        *,
        message: Message | None,
        usage: Usage | None,
        changed_files: Sequence[str] = (),
        note: str | None = None,
    ) -> EndedTurn:
        """End the turn, with its last message if there is one, and release the lease."""
        now = self._clock()
        return await self._file.write(
            lambda transaction: turn_rows.end_turn(
                transaction, fence, reason, message, usage, tuple(changed_files), now, note
            )
        )

    async def find(self, turn_id: TurnId) -> Turn:
        """Raises TurnNotFound."""

        def work(db: sqlite3.Connection) -> tuple[Turn] | None:
            return (turn_rows.find_turn(db, turn_id),)

        found = await self._file.read(work, None)
        if found is None:
            raise TurnNotFound(turnId=turn_id)
        return found[0]

    async def page(self, session_id: SessionId, *, limit: int, below: int | None = None) -> TurnPage:
        """A session's turns, newest first, from below a position."""
        return await self._file.read(lambda db: turn_rows.list_turns(db, session_id, limit, below), TurnPage())

    async def rewind_point(self, session_id: SessionId, message_id: MessageId) -> RewindPoint:
        """What would go if the session went back to before a message. Raises SessionNotFound, MessageNotFound."""
        return await self._file.read_session(
            session_id, lambda db: rewind_rows.rewind_point(db, session_id, message_id)
        )

    async def rewind(self, session_id: SessionId, message_id: MessageId, copied: Copied) -> Rewound:
        """Take a session back to before a message; a copy, whose record `copied` makes of its own, keeps all there was.

        Raises SessionNotFound, MessageNotFound, SessionClosed, SessionBusy, LeaseHeld.
        """
        now = self._clock()

        def work(transaction: Transaction) -> Rewound:
            self.check_free(transaction, session_id)
            return rewind_rows.rewind_session(transaction, session_id, message_id, copied, now)

        return await self._file.write(work, on=session_id)

    # -- agents' notes

    async def notes(self, session_id: SessionId, name: str | None = None) -> dict[str, str]:
        """What agents noted in a session, by message id or another name; all, or one."""
        nothing: dict[str, str] = {}
        return await self._file.read(lambda db: note_rows.find_notes(db, session_id, name), nothing)

    async def keep_note(self, fence: Fence, name: str, content: str | None) -> None:
        """Keep a note of a running turn's agent; None removes it."""

        def work(transaction: Transaction) -> None:
            lease_rows.check_epoch(transaction.db, fence.session_id, fence.owner, fence.epoch)
            note_rows.save_note(transaction.db, fence.session_id, name, content)

        await self._file.write(work)

    # -- prompts that wait, and what a session still has to do

    async def wait(self, waiting: WaitingPrompt) -> None:
        """Store a prompt that waits for its turn; it outlives this process."""
        now = self._clock()
        await self._file.write(
            lambda transaction: prompt_rows.keep_prompt(transaction.db, waiting, self._owner, now),
            on=waiting.session_id,
        )

    async def drop(self, turn_ids: Sequence[TurnId]) -> None:
        """Prompts wait no more, and whoever wrote them has them back."""

        def work(transaction: Transaction) -> None:
            for turn_id in turn_ids:
                with contextlib.suppress(TurnNotFound):
                    prompt_rows.take_prompt(transaction.db, turn_id)

        await self._file.write(work)

    async def leave(self, prompts: Sequence[WaitingPrompt], reason: StopReason) -> list[EndedTurn]:
        """Prompts will have no answer; each is kept as a message. Those that somebody else has seen to are left out."""
        return await self._file.write(lambda transaction: self._leave(transaction, prompts, reason))

    def _leave(self, transaction: Transaction, prompts: Sequence[WaitingPrompt], reason: StopReason) -> list[EndedTurn]:
        now, ended = self._clock(), []
        for waiting in prompts:
            if prompt_rows.is_waiting(transaction.db, waiting.turn_id):
                message_id = MessageId(self._ids())
                ended.append(turn_rows.leave_prompt(transaction, waiting, message_id, reason, now))
        return [each for each in ended if each is not None]

    async def todo(self, session_id: SessionId) -> list[str]:
        """What a session still has to do."""
        return await self._file.read(lambda db: prompt_rows.read_todo(db, session_id), [])

    async def keep_todo(self, fence: Fence, items: list[str]) -> None:
        """Store it."""

        def work(transaction: Transaction) -> None:
            lease_rows.check_epoch(transaction.db, fence.session_id, fence.owner, fence.epoch)
            prompt_rows.write_todo(transaction.db, fence.session_id, items)

        await self._file.write(work)

    # -- leases

    def lease_of(self, session_id: SessionId) -> Lease | None:
        """Who works in a session, as far as was seen by the last look."""
        held = self._leases.get(session_id)
        return None if held is None else Lease(holder=held.process.words, mine=held.owner == self._owner)

    def held_by_others(self) -> dict[SessionId, Lease]:
        """Where other processes work, as far as was seen by the last look."""
        return {
            session_id: Lease(holder=held.process.words, mine=False)
            for session_id, held in self._leases.items()
            if held.owner != self._owner
        }

    async def renew(self) -> None:
        """The heartbeat: this process is alive and works on."""
        now = self._clock()
        await self._file.write(lambda transaction: lease_rows.renew_leases(transaction.db, self._owner, now))

    async def look(self) -> Recovery:
        """See who works in which session; where nobody does any more, end what was left running."""
        opened = self._file.current
        if opened is None:
            return Recovery()
        nothing: _Seen = ([], [], [])
        held, left, prompts = await self._file.read(self._seen, nothing)
        self._leases = {lease.session_id: lease for lease in held}
        if not (left or prompts) or opened.read_only:
            return Recovery()
        return await self._file.write(self.recover)

    def recover(self, transaction: Transaction) -> Recovery:
        """End what dead processes left running; to be run in a transaction, also as the first one of a store."""
        held, left, prompts = self._seen(transaction.db)
        now = self._clock()
        ended: list[EndedTurn | None] = []
        for session_id in left:
            with contextlib.suppress(StoreDamaged):  # a session that can't be read must not keep the others running
                ended.append(turn_rows.take_over(transaction, session_id, now))
        ended += self._leave(transaction, prompts, StopReason.INTERRUPTED)
        gone = frozenset(left)
        self._leases = {lease.session_id: lease for lease in held if lease.session_id not in gone}
        return Recovery(turns=tuple(turn for turn in ended if turn is not None), sessions=tuple(left))

    def _seen(self, db: sqlite3.Connection) -> _Seen:
        held, now = lease_rows.held_leases(db), self._clock()
        return held, turn_rows.forsaken(db, held, now), prompt_rows.forsaken_prompts(db, self._owner, now)

    def check_free(self, transaction: Transaction, session_id: SessionId) -> None:
        """Raise LeaseHeld if another process works in the session."""
        turn_rows.check_free(transaction, session_id, self._owner, self._clock())

    # -- what turns decided and changed

    async def record(self, entry: AuditEntry) -> None:
        """Append a decision to the audit log."""
        await self._file.write(lambda transaction: audit_rows.add_entry(transaction.db, entry))

    async def decisions(self, session_id: SessionId | None, *, limit: int, below: int | None = None) -> AuditPage:
        """Decisions, newest first, from below a position; of one session or of all."""
        return await self._file.read(lambda db: audit_rows.list_entries(db, session_id, limit, below), AuditPage())

    async def keep(
        self,
        fence: Fence,
        path: str,
        before: bytes | None,
        after: bytes | None,
        *,
        mode: int | None = None,
        lost: bool = False,
    ) -> None:
        """Remember a file's change just before it happens; `lost`: what was there before can't be brought back."""
        now = self._clock()

        def work(transaction: Transaction) -> None:
            lease_rows.check_epoch(transaction.db, fence.session_id, fence.owner, fence.epoch)
            snapshot_rows.keep_snapshot(transaction.db, fence.turn_id, path, before, after, now, mode=mode, lost=lost)

        await self._file.write(work)

    async def unchanged(self, fence: Fence, path: str, content: bytes | None) -> None:
        """The last change of a file that was remembered did not happen: it still is `content`."""

        def work(transaction: Transaction) -> None:
            lease_rows.check_epoch(transaction.db, fence.session_id, fence.owner, fence.epoch)
            snapshot_rows.take_back(transaction.db, fence.turn_id, path, content)

        await self._file.write(work)

    async def snapshots(self, turn_id: TurnId) -> Sequence[FileSnapshot]:
        """The files that a turn changed, in the order of their first change."""
        return await self._file.read(lambda db: snapshot_rows.list_snapshots(db, turn_id), [])

    async def content(self, name: str) -> bytes | None:
        """A kept content; None where it is not kept any more."""
        return await self._file.read(lambda db: contents.find_content(db, "file_contents", name), None)

    @property
    def can_purge(self) -> bool:
        """Whether the store is open and can be written."""
        opened = self._file.current
        return opened is not None and not opened.read_only

    async def purge(self) -> None:
        """Forget snapshots older than 30 days."""
        now = self._clock()
        await self._file.write(lambda transaction: snapshot_rows.purge_snapshots(transaction.db, now))
