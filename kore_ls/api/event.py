"""kore/event/subscribe and unsubscribe: which facts this connection wants to hear."""

from __future__ import annotations

from attrs import frozen

from kore_ls.api.events import EventStream, Subscription
from kore_ls.api.fields import SessionIdField, Text
from kore_ls.errors import FolderNotFound, FolderRequired, SessionNotFound
from kore_ls.model.event import EventType
from kore_ls.rpc.methods import NoParams, method
from kore_ls.sessions.workspace import Workspace


@frozen(kw_only=True)
class EventSubscribeParams:
    """A narrower choice; without any: everything."""

    types: tuple[EventType, ...] | None = None
    session_id: SessionIdField | None = None
    folder: Text | None = None


@frozen(kw_only=True)
class EventSubscribed:
    """What will be sent from now on."""

    types: tuple[EventType, ...]


@method("kore/event/subscribe", command=False, raises=(SessionNotFound, FolderRequired, FolderNotFound))
async def subscribe(workspace: Workspace, params: EventSubscribeParams) -> EventSubscribed:
    """Start the events, or choose others; the newest choice counts."""
    if params.session_id is not None:
        opened = await workspace.folder_of(params.session_id, params.folder)
        await opened.manager.get_session(params.session_id)
    subscription = Subscription(types=params.types or tuple(EventType), session_id=params.session_id)
    EventStream.of(workspace).subscription = subscription
    return EventSubscribed(types=subscription.types)


@method("kore/event/unsubscribe", command=False)
async def unsubscribe(workspace: Workspace, params: NoParams) -> EventSubscribed:
    """Stop the events."""
    EventStream.of(workspace).subscription = None
    return EventSubscribed(types=())
