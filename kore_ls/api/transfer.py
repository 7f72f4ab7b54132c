"""kore/session/export and kore/session/import: sessions as documents."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated, Any

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
    StoreLocked,
)
from kore_ls.model.bundle import OnConflict, SessionBundle
from kore_ls.model.ids import SessionId, new_id, now_ms
from kore_ls.model.limits import DOCUMENT_BYTES, JsonObject, one_of
from kore_ls.rpc.codec import Checked, loads
from kore_ls.rpc.methods import method
from kore_ls.sessions.documents.export_file import target_path, write_file
from kore_ls.sessions.workspace import OpenFolder, Workspace

if TYPE_CHECKING:
    from kore_ls.sessions.documents.redaction import Redactor


@frozen(kw_only=True)
class SessionExportParams:
    """Which session, and whether to write it to a file."""

    session_id: SessionIdField
    folder: Text | None = None
    format: Annotated[str, Checked(one_of("json", "markdown", "html"))] = "json"
    """Only JSON can be imported; the others are for reading."""
    redact: bool = False
    """True: what looks like a secret is taken out of the copy; what is stored stays as it is."""
    path: Text | None = None
    """A path (relative ones from the folder) or a `file:` URI; absent: the document is the result."""
    overwrite: bool = False


@frozen(kw_only=True)
class Redacted:
    """How many secrets of one kind were taken out."""

    rule: str
    count: int


@frozen(kw_only=True)
class SessionExported:
    """The document, or what was written to the file."""

    document: JsonObject | None = None
    text: str | None = None
    """The document, where it is not JSON."""
    redacted: tuple[Redacted, ...] | None = None
    """What was taken out, where that was asked for."""
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
    """A session as a document; over 32 MiB only into a file."""
    from kore_ls.sessions.documents.redaction import Redactor

    opened = await workspace.folder_of(params.session_id, params.folder, deleted=True)
    manager = opened.manager
    plain = await manager.storage.encryption.active() or None
    redactor = Redactor() if params.redact else None
    pieces = manager.encode_session(params.session_id, params.format, redactor)
    if params.path is not None:
        path = target_path(params.path, opened.folder.path)
        record = await manager.storage.load_session(params.session_id, deleted=True)
        size = await write_file(path, pieces, overwrite=params.overwrite)
        return SessionExported(
            path=str(path), bytes=size, messages=record.message_count, plain=plain, redacted=redacted(redactor)
        )
    body = await _body(pieces)
    if params.format == "json":
        document: JsonObject = loads(body)
        return SessionExported(document=document, plain=plain, redacted=redacted(redactor))
    return SessionExported(text=body.decode(), plain=plain, redacted=redacted(redactor))


def redacted(redactor: Redactor | None) -> tuple[Redacted, ...] | None:
    """What a redactor took out; None without one."""
    if redactor is None:
        return None
    return tuple(Redacted(rule=rule, count=count) for rule, count in sorted(redactor.found.items()))


async def _body(pieces: AsyncIterator[bytes]) -> bytes:
    gathered: list[bytes] = []
    size = 0
    async for piece in pieces:
        gathered.append(piece)
        size += len(piece)
        if size > DOCUMENT_BYTES:
            raise InvalidParams(["params.path: is required, the document is too large for one message"])
    return b"".join(gathered)


@method(
    "kore/session/import",
    raises=(ImportInvalid, SessionExists, FolderRequired, FolderNotFound, LeaseHeld, StoreLocked),
)
async def import_(workspace: Workspace, params: SessionImportParams) -> SessionImported:
    """Store the sessions of a document; all or none."""
    if (params.document is None) == (params.path is None):
        raise InvalidParams(["params.document: give either document or path"])
    opened = workspace.folder(params.folder)
    with Progress(workspace.notify, params.work_done_token, "Importing sessions") as progress:
        progress.report("reading")
        bundles, problems = await _bundles(params, opened)
        progress.report(f"storing {sum(len(bundle.messages) for bundle in bundles)} messages")
        outcome = await opened.manager.import_bundles(bundles, params.on_conflict)
    return SessionImported(
        sessions=tuple([await viewed(opened, record) for record in outcome.records]),
        skipped=outcome.skipped,
        problems=tuple(problems),
    )


async def _bundles(params: SessionImportParams, opened: OpenFolder) -> tuple[list[SessionBundle], list[str]]:
    from kore_ls.sessions.documents.import_document import parse
    from kore_ls.sessions.documents.import_file import bundles_in_file

    if params.path is not None:
        path = target_path(params.path, opened.folder.path)
        ciphers = opened.manager.storage.encryption.ciphers  # a copy of the user's own store opens as that does
        return await asyncio.to_thread(bundles_in_file, path, now=now_ms(), new_id=new_id, ciphers=ciphers)
    return await asyncio.to_thread(parse, params.document, now=now_ms(), new_id=new_id), []
