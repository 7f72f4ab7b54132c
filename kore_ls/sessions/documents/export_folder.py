"""A folder's sessions as files in a directory, with an index: for reading elsewhere. Writes nowhere else."""

from __future__ import annotations

import html
import json
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from kore_ls.errors import InvalidParams, StoreDamaged
from kore_ls.model.ids import SessionId
from kore_ls.model.session import SessionRecord
from kore_ls.sessions.documents.export_file import write_file
from kore_ls.sessions.documents.export_form import SUFFIXES
from kore_ls.sessions.documents.readable.passages import calm, moment
from kore_ls.sessions.documents.redaction import Redactor
from kore_ls.storage.home import within_store
from kore_ls.storage.private_files import make_private_directory
from kore_ls.storage.session_rows import SessionQuery

if TYPE_CHECKING:
    from kore_ls.sessions.manager import SessionManager

_PAGE = 200


@frozen(kw_only=True)
class WrittenSession:
    """A session that was written: its record, as the copy shows it, and the name of its file."""

    record: SessionRecord
    name: str
    bytes: int


@frozen(kw_only=True)
class FolderExport:
    """What was written, and the sessions that were left out because something in them can't be read."""

    written: tuple[WrittenSession, ...]
    damaged: tuple[SessionId, ...]


async def export_folder(
    manager: SessionManager,
    directory: Path,
    form: str,
    sessions: Sequence[SessionId] | None,
    redactor: Redactor | None,
    report: Callable[[str], None],
    *,
    overwrite: bool,
) -> FolderExport:
    """Write each session (absent: all but deleted ones) to a file of its own, and an index beside them.

    The directory is made; one with something in it is only used with `overwrite`. Raises InvalidParams for a
    directory that can't be used, SessionNotFound, StoreFull.
    """
    _prepare(directory, overwrite=overwrite)
    written: list[WrittenSession] = []
    damaged: list[SessionId] = []
    async for record in _records(manager, sessions, damaged):
        # a name is never made of what somebody else wrote
        name = f"{moment(record.created_at)[:10]}-{len(written) + 1:05}{SUFFIXES[form]}"
        pieces = manager.encode_session(record.id, form, redactor)
        try:
            size = await write_file(directory / name, pieces, overwrite=overwrite)
        except StoreDamaged:  # half a session would be no export of it, but the others are
            damaged.append(record.id)
            continue
        written.append(
            WrittenSession(record=record if redactor is None else redactor.record(record), name=name, bytes=size)
        )
        report(f"{len(written)} sessions")
    index = "\n".join(_index(form, written)) + "\n"
    await write_file(directory / f"index{SUFFIXES[form]}", _once(index.encode()), overwrite=overwrite)
    return FolderExport(written=tuple(written), damaged=tuple(damaged))


def _prepare(directory: Path, *, overwrite: bool) -> None:
    try:
        if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
            raise InvalidParams(["params.directory: is not a directory"])
        if within_store(directory / "index"):
            raise InvalidParams(["params.directory: lies in the directory of a store"])
        if not directory.exists():
            if not directory.parent.is_dir():
                raise InvalidParams(["params.directory: the directory it is in does not exist"])
            make_private_directory(directory)
        elif not overwrite and any(directory.iterdir()):
            raise InvalidParams(["params.directory: is not empty; pass overwrite to write into it"])
    except OSError as error:
        raise InvalidParams(["params.directory: can't be written"]) from error


async def _records(
    manager: SessionManager, sessions: Sequence[SessionId] | None, damaged: list[SessionId]
) -> AsyncIterator[SessionRecord]:
    if sessions is not None:
        for session_id in dict.fromkeys(sessions):
            yield await manager.storage.load_session(session_id, deleted=True)
        return
    for archived in (False, True):
        query = SessionQuery(archived=archived, limit=_PAGE)
        while True:
            page = await manager.storage.list_sessions(query)
            damaged += page.damaged
            for record in page.sessions:
                yield record
            if page.position is None:
                break
            query = SessionQuery(archived=archived, limit=_PAGE, after=page.position)


def _index(form: str, written: Sequence[WrittenSession]) -> list[str]:
    if form == "json":
        entries = [{"file": each.name, "id": each.record.id, "name": each.record.name} for each in written]
        return [json.dumps(entries, ensure_ascii=False, indent=1)]
    if form == "markdown":
        from kore_ls.sessions.documents.readable.markdown import escaped

        rows = [f"- [{escaped(each.record.name)}]({each.name}) · {escaped(_facts(each.record))}" for each in written]
        return ["# Sessions", "", *rows]
    from kore_ls.sessions.documents.readable.page import POLICY, STYLE

    rows = [
        f'<article><a href="{each.name}">{html.escape(calm(each.record.name))}</a> '
        f"<time>{html.escape(_facts(each.record))}</time></article>"
        for each in written
    ]
    return [
        '<!doctype html><html><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><meta name="viewport" '
        f'content="width=device-width, initial-scale=1"><title>Sessions</title><style>{STYLE}</style></head>',
        "<body><main><header><h1>Sessions</h1></header>",
        *rows,
        "</main></body></html>",
    ]


def _facts(record: SessionRecord) -> str:
    tags = calm(", ".join(record.tags))
    return " · ".join(filter(None, (moment(record.updated_at), f"{record.message_count} messages", tags)))


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body
