"""kore/history/*: other tools' conversations brought into a folder's sessions, and sessions written out to be read."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from attrs import frozen

from kore_ls.api.fields import SessionIdField, Text
from kore_ls.api.progress import Progress
from kore_ls.api.transfer import Redacted, redacted
from kore_ls.errors import FolderNotFound, FolderRequired, SessionNotFound, StoreFull
from kore_ls.model.ids import SessionId, new_id, now_ms
from kore_ls.model.limits import one_of
from kore_ls.rpc.codec import Checked
from kore_ls.rpc.methods import method
from kore_ls.sessions.documents.export_file import target_path
from kore_ls.sessions.workspace import Workspace

if TYPE_CHECKING:
    from kore_ls.sessions.history import FoundSource, History, ImportedSource

_REPORT_SECONDS = 0.2
_MOST_IDS = 1_000


@frozen(kw_only=True)
class HistoryScanParams:
    """Which tools to look for; all, without a source."""

    folder: Text | None = None
    source: Text | None = None
    """A tool's name, as in the results."""
    path: Text | None = None
    """A file or directory of that tool in another place; all of it counts, whatever folder it belongs to."""
    changed: bool = False
    """True: files that have not changed since they were imported are not read, only counted."""
    work_done_token: Any = None


@frozen(kw_only=True)
class HistorySession:
    """A conversation that was found. `sessionId` is the session that it becomes, or has become (`imported`)."""

    source_id: str
    session_id: SessionId
    title: str | None = None
    messages: int
    created_at: int | None = None
    updated_at: int | None = None
    imported: bool | None = None


@frozen(kw_only=True)
class HistorySource:
    """What one tool holds for the folder; `imported`: how many of the sessions are here already."""

    source: str
    title: str
    checked: str
    """The versions of the tool that were tried."""
    everywhere: bool | None = None
    """True: the tool does not know folders, so this is all it has; it is imported only where it is named."""
    sessions: int
    messages: int
    imported: int
    since: int | None = None
    until: int | None = None
    unread: int | None = None
    """Files that have not changed since they were imported, where only others were asked for."""
    bad: int
    """Records that can't be read and are left out."""
    problems: tuple[str, ...]
    newest: tuple[HistorySession, ...]
    """The conversations with the latest changes, at most 100."""


@frozen(kw_only=True)
class HistoryScanned:
    """The tools that hold something, or whose files can't be read."""

    sources: tuple[HistorySource, ...]


@frozen(kw_only=True)
class HistoryImportParams:
    """What to bring in; without a source, all that belongs to the folder."""

    folder: Text | None = None
    source: Text | None = None
    path: Text | None = None
    """A file or directory of that tool in another place; all of it counts, whatever folder it belongs to."""
    sessions: tuple[Text, ...] | None = None
    """Only these: their `sourceId` or `sessionId`."""
    dry_run: bool = False
    again: bool = False
    """True: files that have not changed since they were read are read again, too."""
    work_done_token: Any = None


@frozen(kw_only=True)
class HistoryImportedSource:
    """What was done with one tool's conversations; `skipped`: empty ones, deleted ones, and those in use."""

    source: str
    title: str
    added: int
    grown: int
    unchanged: int
    unread: int
    """Files that have not changed since they were read, and so were not read again."""
    skipped: int
    messages: int
    """New ones."""
    bad: int
    """Records that can't be read and are left out."""
    problems: tuple[str, ...]


@frozen(kw_only=True)
class HistoryImported:
    """What was done; `sessions` are those added or grown, at most 1,000 of them."""

    sources: tuple[HistoryImportedSource, ...]
    sessions: tuple[SessionId, ...]


@frozen(kw_only=True)
class HistoryExportParams:
    """Which sessions to write where; without `sessions` all but deleted ones."""

    directory: Text
    """A path (relative ones from the folder) or a `file:` URI; made if it is not there."""
    folder: Text | None = None
    format: Annotated[str, Checked(one_of("json", "markdown", "html"))] = "markdown"
    sessions: tuple[SessionIdField, ...] | None = None
    redact: bool = False
    """True: what looks like a secret is taken out of the copies; what is stored stays as it is."""
    overwrite: bool = False
    """Whether a directory with something in it may be written into."""
    work_done_token: Any = None


@frozen(kw_only=True)
class HistoryExported:
    """What was written: an index, and a file for each session."""

    directory: str
    index: str
    sessions: int
    bytes: int
    redacted: tuple[Redacted, ...] | None = None
    """What was taken out, where that was asked for."""
    plain: bool | None = None
    """True: the store is encrypted, and these copies are not."""
    damaged: tuple[SessionId, ...] | None = None
    """Sessions that are left out because something in them can't be read; kore/store/check says more."""


@method("kore/history/scan", raises=(FolderRequired, FolderNotFound, StoreFull))
async def scan(workspace: Workspace, params: HistoryScanParams) -> HistoryScanned:
    """Look for conversations of other tools that belong to the folder. Changes nothing."""
    history, path = _history(workspace, params)
    with Progress(workspace.notify, params.work_done_token, "Looking for conversations") as progress:
        found = await history.scan(params.source, path, _seldom(progress), changed=params.changed)
    return HistoryScanned(sources=tuple(_found(each) for each in found))


def _found(source: FoundSource) -> HistorySource:
    return HistorySource(
        source=source.importer.name,
        title=source.importer.title,
        checked=source.importer.checked,
        everywhere=None if source.importer.knows_folders else True,
        sessions=source.sessions,
        messages=source.messages,
        imported=source.stored,
        since=source.since,
        until=source.until,
        unread=source.unread or None,
        bad=source.notes.bad,
        problems=tuple(source.notes.problems.texts()),
        newest=tuple(
            HistorySession(
                source_id=one.source_id,
                session_id=one.session_id,
                title=one.title,
                messages=one.messages,
                created_at=one.created_at,
                updated_at=one.updated_at,
                imported=one.stored or None,
            )
            for one in source.newest
        ),
    )


@method("kore/history/import", raises=(FolderRequired, FolderNotFound, StoreFull))
async def import_(workspace: Workspace, params: HistoryImportParams) -> HistoryImported:
    """Bring conversations of other tools in, session by session; again adds only what is new.

    Files that have not changed since they were read are passed over, also where their sessions were removed for good;
    `again` and `sessions` read them. A cancelled import keeps the sessions that are complete.
    """
    history, path = _history(workspace, params)
    with Progress(workspace.notify, params.work_done_token, "Importing conversations") as progress:
        done, changed = await history.bring_in(
            params.source,
            path,
            params.sessions,
            _seldom(progress),
            dry_run=params.dry_run,
            again=params.again,
        )
    return HistoryImported(sources=tuple(_imported(each) for each in done), sessions=tuple(changed[:_MOST_IDS]))


def _imported(source: ImportedSource) -> HistoryImportedSource:
    return HistoryImportedSource(
        source=source.importer.name,
        title=source.importer.title,
        added=source.added,
        grown=source.grown,
        unchanged=source.unchanged,
        unread=source.unread,
        skipped=source.skipped,
        messages=source.messages,
        bad=source.notes.bad,
        problems=tuple(source.notes.problems.texts()),
    )


def _history(workspace: Workspace, params: HistoryScanParams | HistoryImportParams) -> tuple[History, Path | None]:
    """What other tools have for the folder that is meant, and the place that is to be looked at alone."""
    from kore_ls.sessions.history import History

    opened = workspace.folder(params.folder)
    place = None if params.path is None else target_path(params.path, opened.folder.path)
    return History(opened.folder.path, opened.manager, now_ms(), new_id), place


def _seldom(progress: Progress) -> Callable[[str], None]:
    """Reports, but not so often that they keep a client busy."""
    last = 0.0

    def report(message: str) -> None:
        nonlocal last
        if (now := time.monotonic()) - last >= _REPORT_SECONDS:
            last = now
            progress.report(message)

    return report


@method("kore/history/export", raises=(FolderRequired, FolderNotFound, SessionNotFound, StoreFull))
async def export(workspace: Workspace, params: HistoryExportParams) -> HistoryExported:
    """Write a folder's sessions to a directory, to be read anywhere."""
    from kore_ls.sessions.documents.export_folder import export_folder
    from kore_ls.sessions.documents.export_form import SUFFIXES
    from kore_ls.sessions.documents.redaction import Redactor

    opened = workspace.folder(params.folder)
    directory = target_path(params.directory, opened.folder.path)
    redactor = Redactor() if params.redact else None
    with Progress(workspace.notify, params.work_done_token, "Writing sessions") as progress:
        done = await export_folder(
            opened.manager,
            directory,
            params.format,
            params.sessions,
            redactor,
            _seldom(progress),
            overwrite=params.overwrite,
        )
    return HistoryExported(
        directory=str(directory),
        index=str(directory / f"index{SUFFIXES[params.format]}"),
        sessions=len(done.written),
        bytes=sum(each.bytes for each in done.written),
        damaged=done.damaged or None,
        redacted=redacted(redactor),
        plain=await opened.manager.storage.encryption.active() or None,
    )
