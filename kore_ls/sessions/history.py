"""Bringing other tools' conversations in: what this machine holds for a folder, and storing what is new of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import define, evolve, field, frozen

from kore_ls.errors import KoreError
from kore_ls.model.ids import IdSource, SessionId
from kore_ls.sessions.foreign_reading import (
    ReadingThread,
    chosen_importers,
    entries_of,
    files_of,
    threads_in,
)
from kore_ls.sessions.importers.thread import ForeignThread, Importer, Notes, Where
from kore_ls.sessions.source_files import SourceFile, SourceFiles, source_file
from kore_ls.sessions.thread_import import Kind, ThreadImport, ThreadOutcome

if TYPE_CHECKING:
    from kore_ls.sessions.manager import SessionManager

Report = Callable[[str], None]

NEWEST = 100
"""How many conversations of a source a scan names."""


@frozen(kw_only=True)
class FoundThread:
    """A conversation as a scan shows it; `stored`: its session is here already."""

    source_id: str
    session_id: SessionId
    title: str | None
    messages: int
    created_at: int | None
    updated_at: int | None
    stored: bool


@define(kw_only=True)
class FoundSource:
    """What one tool holds. `newest` are the conversations with the latest changes, newest first."""

    importer: Importer
    notes: Notes = field(factory=Notes)
    sessions: int = 0
    messages: int = 0
    stored: int = 0
    since: int | None = None
    until: int | None = None
    unread: int = 0
    """Files that have not changed since they were read, and so were not read."""
    newest: list[FoundThread] = field(factory=list)

    def count(self, found: FoundThread) -> None:
        """Add a conversation."""
        self.sessions += 1
        self.messages += found.messages
        self.stored += found.stored
        if found.created_at is not None:
            self.since = min(found.created_at, self.since or found.created_at)
        if found.updated_at is not None:
            self.until = max(found.updated_at, self.until or found.updated_at)
        self.newest.append(found)
        if len(self.newest) > 2 * NEWEST:
            self.cut()

    def cut(self) -> None:
        """Keep the newest conversations only."""
        self.newest.sort(key=lambda each: -(each.updated_at or 0))
        del self.newest[NEWEST:]


@define(kw_only=True)
class ImportedSource:
    """What an import did with one tool's conversations."""

    importer: Importer
    notes: Notes = field(factory=Notes)
    added: int = 0
    grown: int = 0
    unchanged: int = 0
    skipped: int = 0
    messages: int = 0
    unread: int = 0
    """Files that have not changed since they were read; what is in them counts as unchanged."""

    @property
    def sessions(self) -> int:
        """How many conversations were looked at."""
        return self.added + self.grown + self.unchanged + self.skipped

    def count(self, outcome: ThreadOutcome) -> None:
        """Add a conversation's outcome."""
        self.messages += outcome.messages
        setattr(self, outcome.kind.value, getattr(self, outcome.kind.value) + 1)

    def pass_over(self, sessions: int) -> None:
        """Add a file that need not be read, by how many conversations are in it; none: it must be."""
        self.unchanged += sessions
        self.unread += sessions > 0

    def told(self) -> str:
        """How far it is, in words."""
        return f"{self.importer.title}: {self.sessions} sessions, {self.messages} new messages"


class History:
    """Other tools' conversations for one folder's sessions."""

    def __init__(self, folder: Path, manager: SessionManager, now: int, new_id: IdSource) -> None:
        self._manager = manager
        self._where = Where(folder=folder, home=Path.home(), environ=os.environ, now=now)
        self._new_id = new_id

    async def scan(
        self, source: str | None, path: Path | None, report: Report, *, changed: bool = False
    ) -> list[FoundSource]:
        """What there is, by tool; tools that hold nothing and have no problem are left out. Changes nothing.

        With `changed`, files that are as they were when an import read them are only counted.
        """
        found = [FoundSource(importer=each) for each in chosen_importers(source, path=path is not None)]
        where = self._where if path is None else evolve(self._where, everything=True)
        known = SourceFiles(self._manager.storage.history)
        if changed:
            await known.load()
        async with ReadingThread() as reading:
            for each in found:
                seen: set[SessionId] = set()
                files = files_of(each.importer, path, where, each.notes)
                try:
                    while (file := await reading.run(partial(_next_file, files, each.importer, where))) is not None:
                        if known.unread(file):
                            each.unread += 1
                            continue
                        threads = threads_in(each.importer, file.path, where, each.notes)
                        await self._found(reading, threads, each, seen, report)
                finally:
                    reading.close(files)
                each.cut()
        return [each for each in found if each.sessions or each.notes.bad or each.unread]

    async def _found(
        self,
        reading: ReadingThread,
        threads: Iterator[ForeignThread],
        found: FoundSource,
        seen: set[SessionId],
        report: Report,
    ) -> None:
        """Count what is in one file."""
        try:
            while (one := await reading.run(partial(_next_found, threads, found.notes))) is not None:
                if one.session_id not in seen and one.messages:
                    seen.add(one.session_id)
                    found.count(evolve(one, stored=await self._manager.storage.history.has(one.session_id)))
                    report(f"{found.importer.title}: {found.sessions} sessions, {found.messages} messages")
        finally:
            reading.close(threads)

    async def bring_in(
        self,
        source: str | None,
        path: Path | None,
        sessions: Sequence[str] | None,
        report: Report,
        *,
        dry_run: bool = False,
        again: bool = False,
    ) -> tuple[list[ImportedSource], list[SessionId]]:
        """Store what is new, session by session; by tool what was done, and the sessions added or grown.

        Without a source, tools that know no folders are passed over. Cancelling keeps whole sessions only. Files that
        are as they were when they were read are read `again` only where that is asked for, or some `sessions` are.
        """
        importers = chosen_importers(source, path=path is not None)
        done = [ImportedSource(importer=each) for each in importers if each.knows_folders or source is not None]
        wanted = None if sessions is None else frozenset(sessions)
        where = self._where if path is None else evolve(self._where, everything=True)
        known = SourceFiles(self._manager.storage.history)
        if wanted is None and not again:
            await known.load()
        changed: list[SessionId] = []
        async with ReadingThread() as reading:
            for each in done:
                work = ThreadImport(self._manager, reading, each.notes, where.now, self._new_id, dry_run=dry_run)
                files = files_of(each.importer, path, where, each.notes)
                try:
                    while (file := await reading.run(partial(_next_file, files, each.importer, where))) is not None:
                        each.pass_over(known.unread(file))
                        if not known.unread(file):
                            threads = threads_in(each.importer, file.path, where, each.notes)
                            count = await self._file(reading, work, threads, each, wanted, changed, report)
                            if wanted is None and not dry_run:
                                await known.read(file, count)
                        report(each.told())
                finally:
                    reading.close(files)
                    await known.flush()
        return [each for each in done if each.sessions or each.notes.bad], changed

    async def _file(
        self,
        reading: ReadingThread,
        work: ThreadImport,
        threads: Iterator[ForeignThread],
        done: ImportedSource,
        wanted: frozenset[str] | None,
        changed: list[SessionId],
        report: Report,
    ) -> int:
        """Store what is new in one file; how many conversations it holds, 0 if another reading may find more."""
        problems, count, whole = done.notes.problems.count, 0, True
        try:
            while (thread := await reading.run(partial(next, threads, None))) is not None:
                if wanted is not None and wanted.isdisjoint((thread.source_id, thread.session_id)):
                    continue
                outcome = await self._one(work, thread, done.notes)
                done.count(outcome)
                count, whole = count + 1, whole and not (outcome.later or thread.changing)
                if outcome.kind in (Kind.ADDED, Kind.GROWN):
                    changed.append(outcome.session_id)
                report(done.told())
        finally:
            reading.close(threads)
        return count if whole and done.notes.problems.count == problems else 0

    @staticmethod
    async def _one(work: ThreadImport, thread: ForeignThread, notes: Notes) -> ThreadOutcome:
        try:
            return await work.bring_in(thread)
        except KoreError as error:
            if error.kind not in ("storeBusy", "leaseHeld", "sessionClosed", "sessionExists", "sessionNotFound"):
                raise
            notes.problems.note(f"session {thread.session_id}: {error.message}")
            return ThreadOutcome.skipped(thread.session_id, later=True)


def _next_file(files: Iterator[Path], importer: Importer, where: Where) -> SourceFile | None:
    """The next file and its state; in the reading thread."""
    path = next(files, None)
    return None if path is None else source_file(importer, path, where)


def _next_found(threads: Iterator[ForeignThread], notes: Notes) -> FoundThread | None:
    """The next conversation, read to its end; in the reading thread."""
    thread = next(threads, None)
    if thread is None:
        return None
    first, last, count = thread.created_at, thread.updated_at, 0
    for entry in entries_of(thread, notes):
        count += 1
        at = entry.get("timestamp")
        if isinstance(at, int):
            first, last = min(at, first or at), max(at, last or at)
    return FoundThread(
        source_id=thread.source_id,
        session_id=thread.session_id,
        title=thread.title,
        messages=count,
        created_at=first,
        updated_at=last or first,
        stored=False,
    )
