"""A small method table and its application: enough to see everything the wire promises."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Annotated, Any

from attrs import evolve, field, frozen

from kore_ls.errors import FolderRequired, InvalidParams, SessionBusy, SessionNotFound
from kore_ls.model.ids import SessionId
from kore_ls.model.limits import id_problem, name_problem
from kore_ls.model.settings import ClientSettings
from kore_ls.rpc.codec import Checked
from kore_ls.rpc.methods import MethodTable, NoParams, method

Notify = Callable[[str, Any], None]
Id = Annotated[SessionId, Checked(id_problem)]


class Mode(Enum):
    BUILD = "build"
    PLAN = "plan"


@frozen(kw_only=True)
class Session:
    id: str
    name: str
    folder: str
    mode: Mode = Mode.BUILD
    active: bool = False
    description: str | None = None


class TableWorkspace:
    """What handlers get first: sessions in memory, and events that tests wait for."""

    def __init__(self, settings: ClientSettings, notify: Notify, tell: Callable[[str], None]) -> None:
        self.settings = settings
        self.notify = notify
        self.tell = tell
        self.folders: list[str] = []
        self.sessions = {
            "one": Session(id="one", name="第一个会话", folder="file:///code", active=True),
            "two": Session(id="two", name="second", folder="file:///code"),
        }
        self.started = asyncio.Event()
        self.release = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.closed = 0
        self.adopted: list[str] = []

    async def open_folder(self, uri: str) -> None:
        await asyncio.sleep(0)
        self.folders.append(uri)

    async def close_folder(self, uri: str) -> None:
        self.folders.remove(uri)

    async def close(self) -> None:
        self.closed += 1
        self.tell("workspace closed")


class TableApplication:
    """All connections' workspaces; counts how often it was really closed."""

    def __init__(self, tell: Callable[[str], None] = lambda _: None) -> None:
        self._tell = tell
        self.workspaces: list[TableWorkspace] = []
        self.closed = 0
        self.hangs = False

    def connect(self, settings: ClientSettings, notify: Notify, client: object = None) -> TableWorkspace:
        self.workspaces.append(TableWorkspace(settings, notify, self._tell))
        return self.workspaces[-1]

    async def close(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if not self.closed:
            await asyncio.sleep(0)
            self._tell("application closed")
        self.closed += 1


@frozen(kw_only=True)
class EchoParams:
    value: Any = None


@frozen(kw_only=True)
class SumParams:
    numbers: tuple[int, ...] = ()


@frozen(kw_only=True)
class SessionParams:
    session_id: Id
    folder: str | None = None


@frozen(kw_only=True)
class RenameParams:
    session_id: Id
    name: Annotated[str, Checked(name_problem)]


@frozen(kw_only=True)
class UpdateParams:
    session_id: Id
    mode: Mode | None = None
    tags: tuple[str, ...] = ()


@frozen(kw_only=True)
class DeleteParams:
    session_id: Id | None = None
    session_ids: tuple[Id, ...] = ()


@frozen(kw_only=True)
class ListParams:
    folder: str | None = None
    limit: int = 50


@frozen(kw_only=True)
class CreateParams:
    folder: str | None = None
    mode: Mode = Mode.BUILD


@frozen(kw_only=True)
class FolderParams:
    folder: str | None = None


@frozen(kw_only=True)
class ExportParams:
    session_id: Id
    path: str | None = None


@frozen(kw_only=True)
class SourceParams:
    document: Mapping[str, Any] | None = None
    path: str | None = None


@frozen(kw_only=True)
class SizeParams:
    size: int
    count: int = 1


@frozen(kw_only=True)
class Page:
    sessions: tuple[Session, ...]
    next_cursor: str | None = None


@frozen(kw_only=True)
class Folders:
    folders: tuple[str, ...] = field(default=())


@method("kore/test/null")
async def null(workspace: TableWorkspace, params: NoParams) -> None:
    """Nothing."""


@method("kore/test/echo")
async def echo(workspace: TableWorkspace, params: EchoParams) -> Any:
    """The same again."""
    return params.value


@method("kore/test/sum")
async def total(workspace: TableWorkspace, params: SumParams) -> int:
    """A sum."""
    return sum(params.numbers)


@method("kore/test/folders")
async def folders(workspace: TableWorkspace, params: NoParams) -> Folders:
    """The open folders."""
    return Folders(folders=tuple(workspace.folders))


@method("kore/test/wait")
async def wait(workspace: TableWorkspace, params: NoParams) -> str:
    """Until released or cancelled; says when it has begun."""
    workspace.started.set()
    workspace.notify("kore/test/begun", {})
    try:
        await workspace.release.wait()
    except asyncio.CancelledError:
        workspace.cancelled.set()
        workspace.notify("kore/test/cancelled", {})
        raise
    return "released"


@method("kore/test/release")
async def release(workspace: TableWorkspace, params: NoParams) -> None:
    """Let `wait` go on."""
    workspace.release.set()


@method("kore/test/print")
async def stray(workspace: TableWorkspace, params: NoParams) -> None:
    """Text on standard output, by accident."""
    print("stray text", flush=True)
    sys.stdout.write("Content-Length: 3\r\n\r\n")


@method("kore/test/big")
async def big(workspace: TableWorkspace, params: SizeParams) -> str:
    """Many characters."""
    for _ in range(params.count - 1):
        workspace.notify("kore/test/part", {"text": "x" * params.size})
    return "x" * params.size


@method("kore/test/crash")
async def crash(workspace: TableWorkspace, params: EchoParams) -> None:
    """An unexpected failure whose text holds what the user wrote."""
    try:
        raise ValueError(f"inner {params.value}")
    except ValueError as error:
        raise RuntimeError(f"outer {params.value}") from error


@method("kore/test/leave")
async def leave(workspace: TableWorkspace, params: NoParams) -> None:
    """What no handler may do."""
    raise SystemExit(3)


@method("kore/test/stray-cancel")
async def stray_cancel(workspace: TableWorkspace, params: NoParams) -> None:
    """A cancellation that nobody asked for."""
    raise asyncio.CancelledError


@method("kore/test/unsendable")
async def unsendable(workspace: TableWorkspace, params: NoParams) -> Any:
    """A result that is no JSON."""
    return {"value": object()}


@method("kore/test/unsendable-error")
async def unsendable_error(workspace: TableWorkspace, params: NoParams) -> None:
    """An error that is no JSON."""
    raise SessionBusy(holder=object())


@method("kore/test/secret", command=False)
async def secret(workspace: TableWorkspace, params: EchoParams) -> None:
    """No command."""


@method("kore/session/list")
async def list_sessions(workspace: TableWorkspace, params: ListParams) -> Page:
    """The newest first."""
    return Page(sessions=tuple(workspace.sessions.values())[: params.limit])


@method("kore/session/create")
async def create(workspace: TableWorkspace, params: CreateParams) -> Session:
    """Needs a folder where several are open."""
    if len(workspace.folders) > 1 and params.folder is None:
        raise FolderRequired
    folder = params.folder or workspace.folders[0]
    made = Session(id=f"s{len(workspace.sessions)}", name="new", folder=folder, mode=params.mode)
    workspace.sessions[made.id] = made
    return made


@method("kore/session/close")
async def close(workspace: TableWorkspace, params: SessionParams) -> Session:
    """Close it."""
    return _session(workspace, params.session_id)


@method("kore/session/rename")
async def rename(workspace: TableWorkspace, params: RenameParams) -> Session:
    """Name it."""
    session = evolve(_session(workspace, params.session_id), name=params.name)
    workspace.sessions[session.id] = session
    return session


@method("kore/session/update")
async def update(workspace: TableWorkspace, params: UpdateParams) -> Session:
    """Change it."""
    session = _session(workspace, params.session_id)
    workspace.sessions[session.id] = session = evolve(session, mode=params.mode or session.mode)
    return session


@method("kore/session/delete", confirm="Delete the session?")
async def delete(workspace: TableWorkspace, params: DeleteParams) -> dict[str, list[str]]:
    """Delete one or several."""
    ids = list(params.session_ids) + ([params.session_id] if params.session_id else [])
    for id_ in ids:
        _session(workspace, id_)
        del workspace.sessions[id_]
    return {"deleted": [str(id_) for id_ in ids]}


@method("kore/session/export")
async def export(workspace: TableWorkspace, params: ExportParams) -> None:
    """Has a document or writes it."""


@method("kore/store/adopt", confirm="Adopt the store?")
async def adopt(workspace: TableWorkspace, params: FolderParams) -> None:
    """Needs a folder where several are open."""
    if params.folder is None:
        raise FolderRequired
    workspace.adopted.append(params.folder)


@method("kore/session/import")
async def import_session(workspace: TableWorkspace, params: SourceParams) -> None:
    """One of two is needed."""
    if params.document is None and params.path is None:
        raise InvalidParams(["params: document or path is required"])


def _session(workspace: TableWorkspace, id_: str) -> Session:
    try:
        return workspace.sessions[id_]
    except KeyError:
        raise SessionNotFound(sessionId=id_) from None


TABLE = MethodTable.of(sys.modules[__name__])
