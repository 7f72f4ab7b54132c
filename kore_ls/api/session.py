"""kore/session/*: one session at a time; lists are in `session_list`, documents in `transfer`."""

from __future__ import annotations

from attrs import frozen

from kore_ls.api.fields import Description, MessageIdField, Metadata, Name, SessionIdField, Tags, Text
from kore_ls.api.objects import NoSession, Session, viewed
from kore_ls.errors import (
    AgentFailed,
    AgentUnavailable,
    BadTransition,
    FolderNotFound,
    FolderRequired,
    InvalidParams,
    LeaseHeld,
    MessageNotFound,
    SessionClosed,
    SessionLimitReached,
    SessionNotFound,
)
from kore_ls.model.ids import SessionId
from kore_ls.model.mode import AgentMode
from kore_ls.model.session import AgentChoice
from kore_ls.rpc.methods import method
from kore_ls.sessions.changes import SessionUpdate
from kore_ls.sessions.workspace import OpenFolder, Workspace


@frozen(kw_only=True)
class SessionParams:
    """Names one session."""

    session_id: SessionIdField
    folder: Text | None = None


@frozen(kw_only=True)
class SessionCreateParams:
    """What the new session is like."""

    folder: Text | None = None
    name: Name | None = None
    """Absent: a prefix ("会话" or "Session", by locale) and a free number."""
    mode: AgentMode | None = None
    metadata: Metadata | None = None
    tags: Tags = ()
    activate: bool = True


@frozen(kw_only=True)
class SessionCurrentParams:
    """Which folder, and whether to make a session where there is none."""

    folder: Text | None = None
    create: bool = False
    """Only on a user's action: it makes the folder's store."""


@frozen(kw_only=True)
class SessionRenameParams:
    """The session's new name."""

    session_id: SessionIdField
    name: Name
    folder: Text | None = None


@frozen(kw_only=True)
class AgentParams:
    """Which agent the session wants."""

    backend: Text
    model: Text | None = None
    """`provider:model`, for the back end `model`; absent: the configured one."""
    preset: Text | None = None
    """For the back end `acp`: `claude-code`, `codex`, `gemini` or `opencode`; absent: the configured one."""


@frozen(kw_only=True)
class SessionUpdateParams:
    """What to change; absent fields stay as they are."""

    session_id: SessionIdField
    folder: Text | None = None
    mode: AgentMode | None = None
    agent: AgentParams | None = None
    config: Metadata | None = None
    tags: Tags | None = None
    description: Description | None = None
    """An empty one removes it."""
    pinned: bool | None = None
    archived: bool | None = None
    metadata: Metadata | None = None
    """Merged into what is there; a null value removes its key."""


@frozen(kw_only=True)
class SessionDeleteParams:
    """One session or several."""

    session_id: SessionIdField | None = None
    session_ids: tuple[SessionIdField, ...] | None = None
    permanent: bool = False
    """False: hidden, and restorable."""
    folder: Text | None = None


@frozen(kw_only=True)
class SessionRestoreParams:
    """One deleted session or several."""

    session_id: SessionIdField | None = None
    session_ids: tuple[SessionIdField, ...] | None = None
    folder: Text | None = None


@frozen(kw_only=True)
class SessionsDeleted:
    """What was deleted, in the order asked."""

    deleted: tuple[SessionId, ...]


@frozen(kw_only=True)
class SessionsRestored:
    """What was restored, in the order asked."""

    restored: tuple[SessionId, ...]


@frozen(kw_only=True)
class SessionForkParams:
    """Where the copy ends."""

    session_id: SessionIdField
    folder: Text | None = None
    message_id: MessageIdField | None = None
    """The last message to copy; absent: all."""
    empty: bool = False
    """True: end before the first message."""
    name: Name | None = None


@frozen(kw_only=True)
class SessionSaveParams:
    """One session, or all that are loaded."""

    session_id: SessionIdField | None = None
    folder: Text | None = None


@frozen(kw_only=True)
class SessionsSaved:
    """How many sessions were brought to disk."""

    saved: int


@method("kore/session/create", raises=(FolderRequired, FolderNotFound, SessionLimitReached, AgentFailed))
async def create(workspace: Workspace, params: SessionCreateParams) -> Session:
    """Make a session and, unless told otherwise, switch to it."""
    opened = workspace.folder(params.folder)
    session = await opened.manager.create_session(
        params.name,
        params.mode,
        metadata=params.metadata,
        tags=params.tags,
        activate=params.activate,
        origin=opened,
    )
    return await viewed(opened, session.record)


@method("kore/session/get", raises=(SessionNotFound, FolderRequired))
async def get(workspace: Workspace, params: SessionParams) -> Session:
    """Read one session."""
    opened = await workspace.folder_of(params.session_id, params.folder)
    return await viewed(opened, (await opened.manager.get_session(params.session_id)).record)


@method("kore/session/current", raises=(FolderRequired, FolderNotFound))
async def current(workspace: Workspace, params: SessionCurrentParams) -> Session | NoSession:
    """The folder's active session, else its newest idle one, else (with `create`) a new one, else an empty object."""
    opened = workspace.folder(params.folder)
    session = await opened.manager.current_session(await opened.active_session(), create=params.create, origin=opened)
    if session is None:
        return NoSession()
    opened.active = session.id
    return await viewed(opened, session.record)


@method("kore/session/switch", raises=(SessionNotFound, FolderRequired, SessionLimitReached, AgentFailed))
async def switch(workspace: Workspace, params: SessionParams) -> Session:
    """Make a session the active one; a closed one is reopened, a paused one stays paused."""
    opened = await workspace.folder_of(params.session_id, params.folder)
    session = await opened.manager.switch_session(params.session_id, origin=opened)
    return await viewed(opened, session.record)


@method("kore/session/close", raises=(SessionNotFound, FolderRequired, LeaseHeld))
async def close(workspace: Workspace, params: SessionParams) -> Session:
    """Close a session and release its agent; a running turn is cancelled first. Closing a closed one is fine."""
    opened = await workspace.folder_of(params.session_id, params.folder)
    return await viewed(opened, (await opened.manager.close_session(params.session_id)).record)


@method("kore/session/rename", raises=(SessionNotFound, FolderRequired))
async def rename(workspace: Workspace, params: SessionRenameParams) -> Session:
    """Give a session another name."""
    opened = await workspace.folder_of(params.session_id, params.folder)
    return await viewed(opened, (await opened.manager.rename_session(params.session_id, params.name)).record)


@method("kore/session/update", raises=(SessionNotFound, FolderRequired, LeaseHeld, AgentUnavailable))
async def update(workspace: Workspace, params: SessionUpdateParams) -> Session:
    """Change a session's mode, agent, tags, description, pin, archive flag or metadata."""
    opened = await workspace.folder_of(params.session_id, params.folder)
    change = SessionUpdate(
        mode=params.mode,
        agent=_agent(opened, params.agent),
        config=params.config,
        tags=params.tags,
        description=params.description,
        pinned=params.pinned,
        archived=params.archived,
        metadata=params.metadata,
    )
    return await viewed(opened, (await opened.manager.apply_update(params.session_id, change)).record)


def _agent(opened: OpenFolder, wanted: AgentParams | None) -> AgentChoice | None:
    if wanted is None:
        return None
    choice = AgentChoice(backend=wanted.backend, name=wanted.preset or wanted.backend, model=wanted.model)
    opened.folder.agents.check(choice)
    return choice


@method("kore/session/pause", raises=(SessionNotFound, FolderRequired, SessionClosed, LeaseHeld, BadTransition))
async def pause(workspace: Workspace, params: SessionParams) -> Session:
    """Pause a session; a running turn holds before its next tool call or model request."""
    opened = await workspace.folder_of(params.session_id, params.folder)
    return await viewed(opened, (await opened.manager.pause_session(params.session_id)).record)


@method("kore/session/resume", raises=(SessionNotFound, FolderRequired, SessionClosed, LeaseHeld, BadTransition))
async def resume(workspace: Workspace, params: SessionParams) -> Session:
    """Let a paused session, and the turn that it holds, go on."""
    opened = await workspace.folder_of(params.session_id, params.folder)
    return await viewed(opened, (await opened.manager.resume_session(params.session_id)).record)


@method("kore/session/delete", raises=(SessionNotFound, FolderRequired, LeaseHeld), confirm="Delete this session?")
async def delete(workspace: Workspace, params: SessionDeleteParams) -> SessionsDeleted:
    """Hide sessions (they can be restored), or with `permanent` remove them for good."""
    ids = _ids(params)
    for session_id, opened in await workspace.folders_of(ids, params.folder):
        await opened.manager.delete_session(session_id, permanent=params.permanent)
    return SessionsDeleted(deleted=ids)


@method("kore/session/restore", raises=(SessionNotFound, FolderRequired))
async def restore(workspace: Workspace, params: SessionRestoreParams) -> SessionsRestored:
    """Bring deleted sessions back."""
    ids = _ids(params)
    for session_id, opened in await workspace.folders_of(ids, params.folder):
        await opened.manager.restore_session(session_id)
    return SessionsRestored(restored=ids)


def _ids(params: SessionDeleteParams | SessionRestoreParams) -> tuple[SessionId, ...]:
    if (params.session_id is None) == (params.session_ids is None):
        raise InvalidParams(["params.sessionId: give either sessionId or sessionIds"])
    if params.session_id is not None:
        return (params.session_id,)
    return tuple(dict.fromkeys(params.session_ids or ()))


@method("kore/session/fork", raises=(SessionNotFound, FolderRequired, MessageNotFound))
async def fork(workspace: Workspace, params: SessionForkParams) -> Session:
    """Copy a session up to a message; the original is untouched, unfinished tool calls become cancelled."""
    if params.empty and params.message_id is not None:
        raise InvalidParams(["params.empty: can't be given together with messageId"])
    opened = await workspace.folder_of(params.session_id, params.folder)
    forked = await opened.manager.fork_session(
        params.session_id, message_id=params.message_id, empty=params.empty, name=params.name
    )
    return await viewed(opened, forked.record)


@method("kore/session/save", raises=(SessionNotFound, FolderRequired))
async def save(workspace: Workspace, params: SessionSaveParams) -> SessionsSaved:
    """Bring everything that is not yet on disk there."""
    if params.session_id is not None:
        opened = await workspace.folder_of(params.session_id, params.folder)
        await opened.manager.get_session(params.session_id)
        await opened.manager.save()
        return SessionsSaved(saved=1)
    return SessionsSaved(saved=sum([await opened.manager.save() for opened in workspace.chosen(params.folder)]))
