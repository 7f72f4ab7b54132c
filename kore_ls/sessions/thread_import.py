"""Stores one foreign conversation: whole if it is new, its new end if it grew, as a session of its own if it forked."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from kore_ls.errors import KoreError
from kore_ls.model.event import EventType
from kore_ls.model.ids import IdSource, SessionId
from kore_ls.model.limits import JsonObject, name_problem
from kore_ls.model.message import Message, Role, ToolStatus
from kore_ls.model.session import SessionRecord, Usage, preview_of
from kore_ls.sessions.foreign_reading import ReadingThread, batch, messages_of
from kore_ls.sessions.importers.thread import ForeignThread, Notes, digest
from kore_ls.storage.history_store import StoredThread

if TYPE_CHECKING:
    from kore_ls.sessions.manager import SessionManager

ORIGIN = "imported_from"
"""The key of a session's metadata that says where it came from and how far it was read."""
FALLBACK_NAME = "Imported session"
_NAME_CHARS = 80
_MOST_BRANCHES = 100
"""How often a source may have been taken back; each time is a comparison with what came in then."""
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]+")


class Kind(Enum):
    """What became of a conversation."""

    ADDED = "added"
    GROWN = "grown"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"


@frozen(kw_only=True)
class ThreadOutcome:
    """What became of one conversation; `messages` were new. `later`: it has to be tried again."""

    session_id: SessionId
    kind: Kind
    messages: int = 0
    later: bool = False

    @staticmethod
    def skipped(session_id: SessionId, *, later: bool = False) -> ThreadOutcome:
        """It was left alone: empty, deleted here, or in use, which is to be tried again `later`."""
        return ThreadOutcome(session_id=session_id, kind=Kind.SKIPPED, later=later)


class ThreadImport:
    """Brings conversations in, one after the other. Each is stored as it is read, never all in memory."""

    def __init__(
        self,
        manager: SessionManager,
        reading: ReadingThread,
        notes: Notes,
        now: int,
        new_id: IdSource,
        *,
        dry_run: bool,
    ) -> None:
        self._manager = manager
        self._store = manager.storage.history
        self._reading = reading
        self._notes = notes
        self._now = now
        self._new_id = new_id
        self._dry_run = dry_run
        self._would_be: set[SessionId] = set()
        """What a dry run has found to be new, and will find again where a tool keeps it in two forms."""

    async def bring_in(self, thread: ForeignThread) -> ThreadOutcome:
        """Store what is new of a conversation. Raises store errors; then nothing half is to be seen."""
        stored = await self._store.stored(thread.session_id)
        if stored is None:
            thread.salt = self._new_id()
            return await self._add(thread, thread.session_id)
        thread.salt = str(_origin(stored.record).get("salt") or "")
        if stored.record.deleted_at is not None or not thread.salt:  # it does not say any more where it came from
            return ThreadOutcome.skipped(thread.session_id)
        for _ in range(_MOST_BRANCHES):
            forked_at, common = await self._reading.run(partial(self._compare, thread, stored))
            if forked_at is None:
                return await self._grow(thread, stored, common)
            # The source was taken back and went on otherwise; what was imported stays, and this is another session.
            branch = SessionId(digest(thread.source, thread.source_id, "branch", forked_at))
            known = await self._store.stored(branch)
            if known is None:
                return await self._add(thread, branch, parent=stored.record.id)
            if known.record.deleted_at is not None:
                return ThreadOutcome.skipped(branch)
            stored = known
        return ThreadOutcome.skipped(stored.record.id)

    @contextmanager
    def _messages(self, thread: ForeignThread) -> Iterator[Callable[[], Awaitable[list[Message]]]]:
        """How to get the next messages; what they are read from is closed with the block."""
        messages = messages_of(thread, self._notes, self._new_id, self._now)
        try:
            yield lambda: self._reading.run(partial(batch, messages))
        finally:
            self._reading.close(messages)

    def _compare(self, thread: ForeignThread, stored: StoredThread) -> tuple[str | None, int]:
        """(first message of another branch, or None; the place up to which all is stored), in the reading thread."""
        known = set(stored.message_ids)
        last = _origin(stored.record).get("last")
        first_new: str | None = None
        reached = last is None
        common = 0
        bad, problems = self._notes.bad, self._notes.problems.count
        for place, message in enumerate(messages_of(thread, Notes(), self._new_id, self._now), 1):
            if message.id == last:
                reached, common = True, place
            elif message.id not in known:
                first_new = first_new or message.id
        self._notes.bad = bad  # what is wrong with the source is noted when it is read for good
        self._notes.problems.forget_after(problems)
        return (None if reached or first_new is None else first_new), common

    async def _add(
        self, thread: ForeignThread, session_id: SessionId, parent: SessionId | None = None
    ) -> ThreadOutcome:
        with self._messages(thread) as more:
            first = await more()
            if not first:
                return ThreadOutcome.skipped(session_id)
            then = await more()
            record = self._record(thread, session_id, first, parent)
            count = len(first)
            if self._dry_run:
                if session_id in self._would_be:
                    return ThreadOutcome(session_id=session_id, kind=Kind.UNCHANGED)
                self._would_be.add(session_id)
                while then:
                    count, then = count + len(then), await more()
            elif then:
                count = await self._add_large(record, thread, first, then, more)
            else:
                self._tell(await self._store.put(_settled(record, thread, first[-1]), first))
        return ThreadOutcome(session_id=session_id, kind=Kind.ADDED, messages=count)

    async def _add_large(
        self,
        record: SessionRecord,
        thread: ForeignThread,
        first: list[Message],
        then: list[Message],
        more: Callable[[], Awaitable[list[Message]]],
    ) -> int:
        """Out of sight until it is complete; how many messages it has."""
        count, last = len(first), first[-1]
        await self._store.begin(record)
        try:
            await self._store.add(record.id, first)
            while then:
                await self._store.add(record.id, then)
                count, last, then = count + len(then), then[-1], await more()
            shown = await self._store.show(_settled(record, thread, last))
        except BaseException:
            with suppress(KoreError):  # the purge of a later day finds it
                await asyncio.shield(self._store.discard(record.id))
            raise
        self._tell(shown)
        return count

    def _tell(self, record: SessionRecord) -> None:
        self._manager.brought_in(record, EventType.SESSION_CREATED)

    async def _grow(self, thread: ForeignThread, stored: StoredThread, common: int) -> ThreadOutcome:
        """Append what comes after the first `common` messages and is not stored yet; end the calls that have ended."""
        session_id, known = stored.record.id, set(stored.message_ids)
        count = place = ended = 0
        with self._messages(thread) as more:
            while read := await more():
                new = [each for at, each in enumerate(read, place + 1) if at > common and each.id not in known]
                place += len(read)
                answered = [each for each in read if _has_ended(each, stored.unanswered.get(each.id, ()))]
                count, ended = count + len(new), ended + len(answered)
                if (new or answered) and not self._dry_run:
                    change = partial(_grown, thread=thread, last=new[-1].id if new else None, at=read[-1].timestamp)
                    shown = await self._store.append(session_id, new, change, answered)
                    self._manager.brought_in(shown, EventType.SESSION_UPDATED)
        kind = Kind.GROWN if count or ended else Kind.UNCHANGED
        return ThreadOutcome(session_id=session_id, kind=kind, messages=count)

    def _record(
        self, thread: ForeignThread, session_id: SessionId, first: list[Message], parent: SessionId | None
    ) -> SessionRecord:
        created = thread.created_at if thread.created_at is not None else first[0].timestamp
        return SessionRecord(
            id=session_id,
            name=_name(thread, first),
            agent_mode=self._manager.config.default_mode,
            created_at=created,
            updated_at=max(created, thread.updated_at or created),
            metadata={},
            tags=(thread.source,),
            archived=thread.child,
            imported=True,
            parent_id=parent or thread.parent_id,
        )


def _settled(record: SessionRecord, thread: ForeignThread, last: Message) -> SessionRecord:
    """The record with what is known when all has been read."""
    usage = Usage(input_tokens=thread.input_tokens, output_tokens=thread.output_tokens, cost=thread.cost)
    return evolve(
        record,
        updated_at=max(record.created_at, thread.updated_at or 0, last.timestamp),
        usage=usage if usage != Usage() else None,
        metadata={ORIGIN: _provenance(thread, last.id, record.name)},
    )


def _has_ended(message: Message, places: Sequence[int]) -> bool:
    """Whether one of the calls at these places of a message came to its end."""
    calls = message.tool_calls or ()
    return any(place < len(calls) and calls[place].status is not ToolStatus.CANCELLED for place in places)


def _provenance(thread: ForeignThread, last: str | None, name: str) -> JsonObject:
    said = {
        "tool": thread.source,
        "version": thread.version,
        "path": str(thread.path),
        "source_id": thread.source_id,
        "last": last,
        "salt": thread.salt,
        "name": name,
        "input_tokens": thread.input_tokens,
        "output_tokens": thread.output_tokens,
    }
    return {key: _CONTROL.sub(" ", value)[:4096] if isinstance(value, str) else value for key, value in said.items()}


def _grown(before: SessionRecord, thread: ForeignThread, last: str | None, at: int) -> SessionRecord:
    """The session after its conversation grew: a name that nobody has changed follows the source's."""
    origin = _origin(before)
    name = before.name
    if thread.title and origin.get("name") == name:
        name = _cleaned(thread.title) or name
    usage = before.usage or Usage()
    earlier = [each if isinstance(each := origin.get(key), int) else 0 for key in ("input_tokens", "output_tokens")]
    usage = evolve(
        usage,
        input_tokens=max(0, usage.input_tokens + thread.input_tokens - earlier[0]),
        output_tokens=max(0, usage.output_tokens + thread.output_tokens - earlier[1]),
        cost=thread.cost if thread.cost is not None else usage.cost,
    )
    return evolve(
        before,
        name=name,
        updated_at=max(before.updated_at, thread.updated_at or 0, at),
        usage=usage if usage != Usage() else None,
        metadata={**before.metadata, ORIGIN: _provenance(thread, last or origin.get("last"), name)},
    )


def _origin(record: SessionRecord) -> dict[str, Any]:
    origin = record.metadata.get(ORIGIN)
    return origin if isinstance(origin, dict) else {}


def _name(thread: ForeignThread, first: list[Message]) -> str:
    """The source's title, else the start of the first prompt."""
    prompts = (preview_of(each.content) for each in first if each.role is Role.USER)
    for said in (thread.title or "", *prompts):
        if name := _cleaned(said):
            return name
    return FALLBACK_NAME


def _cleaned(text: str) -> str:
    name = " ".join(_CONTROL.sub(" ", text).split())[:_NAME_CHARS].strip()
    return name if name and name_problem(name) is None else ""
