"""The objects that results and events are made of, as they stand on the wire."""

from __future__ import annotations

from attrs import frozen

from kore_ls.model.ids import SessionId
from kore_ls.model.limits import JsonObject
from kore_ls.model.mode import AgentMode
from kore_ls.model.session import AgentChoice, LastMessage, SessionRecord, SessionStatus, Usage
from kore_ls.sessions.workspace import OpenFolder


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


@frozen(kw_only=True)
class NoSession:
    """An empty object: the folder has no session to show."""


def session_view(opened: OpenFolder, record: SessionRecord) -> Session:
    """A stored session as this connection sees it; the connection's active session must be known by now."""
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
    )


async def viewed(opened: OpenFolder, record: SessionRecord) -> Session:
    """A stored session as this connection sees it."""
    await opened.active_session()
    return session_view(opened, record)
