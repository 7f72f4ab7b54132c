"""kore/message/*: reading and appending messages."""

from __future__ import annotations

from typing import Annotated

from attrs import frozen

from kore_ls.api.fields import Content, MessageIdField, Metadata, Seq, SessionIdField, Text, Timestamp
from kore_ls.errors import FolderRequired, SessionClosed, SessionNotFound
from kore_ls.model.ids import MessageId
from kore_ls.model.limits import between
from kore_ls.model.message import Message, Role
from kore_ls.rpc.codec import Checked
from kore_ls.rpc.methods import method
from kore_ls.sessions.workspace import Workspace


@frozen(kw_only=True)
class MessageAddParams:
    """The message to append."""

    session_id: SessionIdField
    role: Role
    content: Content
    id: MessageIdField | None = None
    """The client's own id makes a repeated call harmless."""
    timestamp: Timestamp | None = None
    """Unix milliseconds; absent: now."""
    metadata: Metadata | None = None
    folder: Text | None = None


@frozen(kw_only=True)
class MessageListParams:
    """Which stretch of the history."""

    session_id: SessionIdField
    after_seq: Seq | None = None
    """The oldest messages after this one."""
    before_seq: Seq | None = None
    """The newest messages before this one."""
    limit: Annotated[int, Checked(between(1, 1000))] = 100
    folder: Text | None = None


@frozen(kw_only=True)
class MessageList:
    """Messages in `seq` order; a page ends early at 8 MiB, and before a message that can't be read.

    Where that is the first one the answer is `storeDamaged`, whose params name `sessionId`, `messageId` and `seq`; the
    messages beyond it are read from that `seq` on.
    """

    messages: tuple[Message, ...]
    has_more: bool
    """Whether there are more in the direction asked for."""


@method("kore/message/add", raises=(SessionNotFound, FolderRequired, SessionClosed))
async def add(workspace: Workspace, params: MessageAddParams) -> Message:
    """Append a message; the reply comes after it is committed.

    The same id again in this session answers the stored message if role and content agree.
    """
    opened = await workspace.folder_of(params.session_id, params.folder)
    message = Message(
        id=params.id or MessageId(""),
        session_id=params.session_id,
        role=params.role,
        content=params.content,
        timestamp=params.timestamp or 0,
        metadata=params.metadata or {},
    )
    return await opened.manager.add_message(params.session_id, message)


@method("kore/message/list", raises=(SessionNotFound, FolderRequired))
async def list_(workspace: Workspace, params: MessageListParams) -> MessageList:
    """A stretch of a session's messages; without bounds the newest."""
    opened = await workspace.folder_of(params.session_id, params.folder)
    await opened.manager.get_session(params.session_id)  # a deleted session's messages are hidden with it
    page = await opened.manager.storage.list_messages(
        params.session_id, after=params.after_seq, before=params.before_seq, limit=params.limit
    )
    return MessageList(messages=page.messages, has_more=page.has_more)
