"""The objects that results and events are made of, as they stand on the wire."""

from __future__ import annotations

from attrs import frozen

from kore_ls.model import permission
from kore_ls.model import turn as turns
from kore_ls.model.ids import MessageId, SessionId, TurnId
from kore_ls.model.limits import JsonObject
from kore_ls.model.message import UNFINISHED, ToolCall
from kore_ls.model.mode import AgentMode
from kore_ls.model.permission import PermissionOption
from kore_ls.model.session import AgentChoice, LastMessage, SessionRecord, SessionStatus, Usage
from kore_ls.model.turn import Lease, StopReason, TurnState
from kore_ls.sessions.workspace import OpenFolder


@frozen(kw_only=True)
class PermissionRequest:
    """What an agent wants to do and needs the user's word for."""

    request_id: str
    session_id: SessionId
    turn_id: TurnId
    tool_call: ToolCall
    summary: str
    """The server's own words, safe to show."""
    diff: str | None = None
    """Unified diff text."""
    options: tuple[PermissionOption, ...]


@frozen(kw_only=True)
class Turn:
    """A turn as it is stored."""

    turn_id: TurnId
    session_id: SessionId
    state: TurnState
    stop_reason: StopReason | None = None
    started_at: int
    ended_at: int | None = None
    first_seq: int
    """The user's message."""
    last_seq: int | None = None
    """The last message that the turn made."""
    changed_files: tuple[str, ...] | None = None


@frozen(kw_only=True)
class DroppedPrompt:
    """A prompt that waited for its turn and was dropped."""

    turn_id: TurnId
    prompt: str


@frozen(kw_only=True)
class RunningTurn:
    """The turn that runs in a session: all that a client that has just come needs to show it."""

    turn_id: TurnId
    state: TurnState
    started_at: int
    message_id: MessageId | None = None
    """Which message the text below becomes; left out in lists and events, as the texts are."""
    text: str | None = None
    thinking: str | None = None
    open_tool_calls: tuple[ToolCall, ...]
    """Those without an end; where the text is told, `result.text` is what they have printed so far."""
    tool_calls: tuple[ToolCall, ...] | None = None
    """All calls of the message that is being made, those that have ended too; left out as the text is."""
    pending_permissions: tuple[PermissionRequest, ...]
    queued: int
    """How many prompts wait."""


@frozen(kw_only=True)
class Session:
    """One conversation, without its messages."""

    id: SessionId
    name: str
    folder: str
    """URI of its workspace folder, as the client opened it."""
    mode: AgentMode
    status: SessionStatus
    active: bool
    """Whether it is this connection's active session in the folder."""
    created_at: int
    updated_at: int
    """Moves with messages, rename and update; not with switch or pause."""
    message_count: int
    metadata: JsonObject
    tags: tuple[str, ...]
    pinned: bool | None = None
    archived: bool | None = None
    deleted: bool | None = None
    imported: bool | None = None
    description: str | None = None
    parent_id: SessionId | None = None
    forked_at_seq: int | None = None
    last_message: LastMessage | None = None
    usage: Usage | None = None
    agent: AgentChoice | None = None
    config: JsonObject | None = None
    lease: Lease | None = None
    """Which process works in the session now."""
    turn: RunningTurn | None = None


@frozen(kw_only=True)
class NoSession:
    """An empty object: the folder has no session to show."""


def session_view(opened: OpenFolder, record: SessionRecord, *, whole: bool = False) -> Session:
    """A stored session as this connection sees it; the connection's active session must be known by now.

    `whole`: with the text of the answer that is being given.
    """
    return Session(
        id=record.id,
        name=record.name,
        folder=opened.uri,
        mode=record.agent_mode,
        status=record.status,
        active=record.id == opened.active and record.deleted_at is None,
        created_at=record.created_at,
        updated_at=record.updated_at,
        message_count=record.message_count,
        metadata=record.metadata,
        tags=record.tags,
        pinned=record.pinned or None,
        archived=record.archived or None,
        deleted=True if record.deleted_at is not None else None,
        imported=record.imported or None,
        description=record.description,
        parent_id=record.parent_id,
        forked_at_seq=record.forked_at_seq,
        last_message=record.last_message,
        usage=record.usage,
        agent=record.agent,
        config=record.config,
        lease=opened.manager.turns.lease_of(record.id),
        turn=_running_turn(opened, record.id, whole),
    )


def turn_view(turn: turns.Turn) -> Turn:
    """A stored turn on the wire."""
    return Turn(
        turn_id=turn.turn_id,
        session_id=turn.session_id,
        state=turn.state,
        stop_reason=turn.stop_reason,
        started_at=turn.started_at,
        ended_at=turn.ended_at,
        first_seq=turn.first_seq,
        last_seq=turn.last_seq,
        changed_files=turn.changed_files or None,
    )


def request_view(request: permission.PermissionRequest) -> PermissionRequest:
    """A permission request on the wire."""
    return PermissionRequest(
        request_id=request.request_id,
        session_id=request.session_id,
        turn_id=request.turn_id,
        tool_call=request.call,
        summary=request.summary,
        diff=request.diff,
        options=request.options,
    )


def _running_turn(opened: OpenFolder, session_id: SessionId, whole: bool) -> RunningTurn | None:
    run = opened.manager.turns.running(session_id)
    if run is None:
        return None
    draft = run.draft if whole else None
    calls = draft.calls if draft else run.calls
    return RunningTurn(
        turn_id=run.begun.turn.turn_id,
        state=TurnState.RUNNING,
        started_at=run.begun.turn.started_at,
        message_id=draft.message_id if draft else None,
        text=draft.text or None if draft else None,
        thinking=draft.thinking or None if draft else None,
        open_tool_calls=tuple(call for call in calls if call.status in UNFINISHED),
        tool_calls=(calls or None) if draft else None,
        pending_permissions=tuple(map(request_view, opened.manager.turns.requests(session_id))),
        queued=opened.manager.turns.queued(session_id),
    )


async def viewed(opened: OpenFolder, record: SessionRecord, *, whole: bool = True) -> Session:
    """A stored session as this connection sees it; `whole`: with the text of the answer that is being given."""
    await opened.active_session()
    return session_view(opened, record, whole=whole)
