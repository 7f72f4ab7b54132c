"""kore/session/export and kore/session/import: sessions as documents."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

from attrs import frozen

from kore_ls.api.fields import SessionIdField, Text
from kore_ls.api.objects import Session, viewed
from kore_ls.api.progress import Progress
from kore_ls.errors import (
    FolderNotFound,
    FolderRequired,
    ImportInvalid,
    InvalidParams,
    LeaseHeld,
    SessionExists,
    SessionNotFound,
)
from kore_ls.model.bundle import OnConflict, SessionBundle
from kore_ls.model.ids import SessionId, new_id, now_ms
from kore_ls.model.limits import DOCUMENT_BYTES, JsonObject, one_of
from kore_ls.rpc.codec import Checked, loads
from kore_ls.rpc.methods import method
from kore_ls.sessions.export_file import target_path, write_file
from kore_ls.sessions.manager import SessionManager
from kore_ls.sessions.workspace import Workspace


@frozen(kw_only=True)
class SessionExportParams:
    """Which session, and whether to write it to a file."""

    session_id: SessionIdField
    folder: Text | None = None
    format: Annotated[str, Checked(one_of("json"))] = "json"
    path: Text | None = None
    """A path (relative ones from the folder) or a `file:` URI; absent: the document is the result."""
    overwrite: bool = False


@frozen(kw_only=True)
class SessionExported:
    """The document, or what was written to the file."""

    document: JsonObject | None = None
    path: str | None = None
    bytes: int | None = None
    messages: int | None = None
    plain: bool | None = None
    """True: the store is encrypted, and this copy of the session is not."""


@frozen(kw_only=True)
class SessionImportParams:
    """A document, or a file that holds one (JSON, or an SQLite store in the seed's schema or ours)."""

    document: Any = None
    path: Text | None = None
    folder: Text | None = None
    on_conflict: OnConflict = OnConflict.ERROR
    """What to do with a session whose id is already stored."""
    work_done_token: Any = None


@frozen(kw_only=True)
class SessionImported:
    """The sessions now stored, the ids left alone, and what could not be used of a database."""

    sessions: tuple[Session, ...]
    skipped: tuple[SessionId, ...]
    problems: tuple[str, ...]


@method("kore/session/export", raises=(SessionNotFound, FolderRequired))
async def export(workspace: Workspace, params: SessionExportParams) -> SessionExported:
    """A session as a JSON document; over 32 MiB only into a file."""
    opened = await workspace.folder_of(params.session_id, params.folder, deleted=True)
    manager = opened.manager
    plain = await manager.storage.encryption.active() or None
    if params.path is not None:
        path = target_path(params.path, opened.folder.path)
        record = await manager.storage.load_session(params.session_id, deleted=True)
        size = await write_file(path, manager.encode_session(params.session_id), overwrite=params.overwrite)
        return SessionExported(path=str(path), bytes=size, messages=record.message_count, plain=plain)
    return SessionExported(document=await _document(manager, params.session_id), plain=plain)


async def _document(manager: SessionManager, session_id: SessionId) -> JsonObject:
    pieces: list[bytes] = []
    size = 0
    async for piece in manager.encode_session(session_id):
        pieces.append(piece)
        size += len(piece)
        if size > DOCUMENT_BYTES:
            raise InvalidParams(["params.path: is required, the document is too large for one message"])
    document: JsonObject = loads(b"".join(pieces))
    return document


@method("kore/session/import", raises=(ImportInvalid, SessionExists, FolderRequired, FolderNotFound, LeaseHeld))
async def import_(workspace: Workspace, params: SessionImportParams) -> SessionImported:
    """Store the sessions of a document; all or none."""
    if (params.document is None) == (params.path is None):
        raise InvalidParams(["params.document: give either document or path"])
    opened = workspace.folder(params.folder)
    with Progress(workspace.notify, params.work_done_token, "Importing sessions") as progress:
        progress.report("reading")
        bundles, problems = await _bundles(params, opened.folder.path)
        progress.report(f"storing {sum(len(bundle.messages) for bundle in bundles)} messages")
        outcome = await opened.manager.import_bundles(bundles, params.on_conflict)
    return SessionImported(
        sessions=tuple([await viewed(opened, record) for record in outcome.records]),
        skipped=outcome.skipped,
        problems=tuple(problems),
    )


async def _bundles(params: SessionImportParams, folder: Path) -> tuple[list[SessionBundle], list[str]]:
    from kore_ls.sessions.import_document import parse
    from kore_ls.sessions.import_file import bundles_in_file

    if params.path is not None:
        path = target_path(params.path, folder)
        return await asyncio.to_thread(bundles_in_file, path, now=now_ms(), new_id=new_id)
    return await asyncio.to_thread(parse, params.document, now=now_ms(), new_id=new_id), []
