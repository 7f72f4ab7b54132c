"""`kore/event`: committed facts as notifications, to connections that opted in and have the folder open."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from attrs import evolve, frozen

from kore_ls.api.objects import PermissionRequest, Session, request_view, session_view
from kore_ls.model import permission
from kore_ls.model.event import (
    AgentFault,
    AgentStatus,
    Event,
    EventType,
    RequestResolved,
    StreamedOutput,
    StreamedText,
    ToolCallChanged,
    TurnFinished,
    TurnStarted,
)
from kore_ls.model.ids import SessionId, TurnId
from kore_ls.model.message import Message
from kore_ls.sessions.workspace import OpenFolder, Workspace

METHOD = "kore/event"
LOOK_S = 0.05
"""How often a slow client is looked at, whether it has caught up."""


@frozen(kw_only=True)
class SessionEvent:
    """A session as it is now."""

    session: Session


@frozen(kw_only=True)
class SessionSwitched:
    """The session switched to, and the one before it."""

    session: Session
    previous_id: SessionId | None = None


@frozen(kw_only=True)
class SessionRewound:
    """A session that has fewer messages now, and the one that keeps them."""

    session: Session
    kept_id: SessionId


@frozen(kw_only=True)
class MessageAdded:
    """A message that was stored."""

    message: Message


@frozen(kw_only=True)
class AgentError:
    """Why an agent could not go on."""

    error: AgentFault


@frozen(kw_only=True)
class PermissionAsked:
    """A question to the user, open from now on."""

    request: PermissionRequest


@frozen(kw_only=True)
class PermissionResolved:
    """A question that is answered: by an option's kind, or `cancelled`."""

    request_id: str
    outcome: str


@frozen(kw_only=True)
class StoreChanged:
    """Another process changed these sessions in these ways; both empty: anything may have changed."""

    sessions: tuple[SessionId, ...]
    kinds: tuple[str, ...]


@frozen(kw_only=True)
class StoreIsLocked:
    """The store needs a key from now on: it was locked here, or encrypted or given another key elsewhere."""

    sessions: tuple[SessionId, ...]
    kinds: tuple[str, ...]


@frozen(kw_only=True)
class StoreFault:
    """What is wrong, by its stable word."""

    kind: str


@frozen(kw_only=True)
class StoreError:
    """The store could not be saved to or looked at."""

    error: StoreFault


EVENTS: Mapping[str, type] = {
    EventType.SESSION_CREATED.value: SessionEvent,
    EventType.SESSION_UPDATED.value: SessionEvent,
    EventType.SESSION_SWITCHED.value: SessionSwitched,
    EventType.SESSION_CLOSED.value: SessionEvent,
    EventType.SESSION_DELETED.value: SessionEvent,
    EventType.SESSION_RESTORED.value: SessionEvent,
    EventType.SESSION_REWOUND.value: SessionRewound,
    EventType.MESSAGE_ADDED.value: MessageAdded,
    EventType.MESSAGE_STREAMING.value: StreamedText,
    EventType.AGENT_THINKING.value: AgentStatus,
    EventType.AGENT_IDLE.value: AgentStatus,
    EventType.AGENT_ERROR.value: AgentError,
    EventType.TURN_STARTED.value: TurnStarted,
    EventType.TURN_FINISHED.value: TurnFinished,
    EventType.TOOL_START.value: ToolCallChanged,
    EventType.TOOL_UPDATE.value: ToolCallChanged,
    EventType.TOOL_OUTPUT.value: StreamedOutput,
    EventType.TOOL_COMPLETE.value: ToolCallChanged,
    EventType.TOOL_ERROR.value: ToolCallChanged,
    EventType.PERMISSION_ASKED.value: PermissionAsked,
    EventType.PERMISSION_RESOLVED.value: PermissionResolved,
    EventType.STORE_CHANGED.value: StoreChanged,
    EventType.STORE_LOCKED.value: StoreIsLocked,
    EventType.STORE_ERROR.value: StoreError,
}
"""The data of each type of event."""


@frozen(kw_only=True)
class EventNotification:
    """One `kore/event`; `seq` counts what was sent on this connection, from 1."""

    type: EventType
    folder: str
    seq: int
    timestamp: int
    session_id: SessionId | None = None
    turn_id: TurnId | None = None
    data: Any


@frozen(kw_only=True)
class Subscription:
    """What a connection wants to hear; a session's id leaves out what is about other sessions."""

    types: tuple[EventType, ...]
    session_id: SessionId | None = None

    def wants(self, event: Event) -> bool:
        """Whether to send this one."""
        about_another = self.session_id is not None and event.session_id not in (None, self.session_id)
        return event.type in self.types and not about_another


class EventStream:
    """Turns a workspace's facts into notifications on its connection.

    For a client that reads slowly, pieces of the same text are held and merged; all else is sent, in order.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._sent = 0
        self._held: dict[object, tuple[OpenFolder, Event]] = {}
        self._looking: asyncio.TimerHandle | None = None
        self.subscription = _initial(workspace.settings.events)

    @classmethod
    def of(cls, workspace: Workspace) -> EventStream:
        """The workspace's one stream, listening from the first call on."""
        stream = workspace.listener
        if not isinstance(stream, cls):
            stream = workspace.listener = cls(workspace)
        return stream

    def __call__(self, opened: OpenFolder, event: Event) -> None:
        """Send the fact if it is wanted."""
        if self.subscription is None or not self.subscription.wants(event):
            return
        stream = _stream(event.data)
        if stream is not None and (self._held or self._slow):
            self._hold(stream, opened, event)
            return
        self._release()
        self._send(opened, event)

    @property
    def _slow(self) -> bool:
        client = self._workspace.client
        return client is not None and client.slow

    def _hold(self, stream: object, opened: OpenFolder, event: Event) -> None:
        before = self._held.get(stream)
        if before is not None:
            event = evolve(before[1], data=_merged(before[1].data, event.data))
        self._held[stream] = (opened, event)
        if self._looking is None:
            self._looking = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def _look(self) -> None:
        self._looking = None
        if self._slow and self._held:
            self._looking = asyncio.get_running_loop().call_later(LOOK_S, self._look)
        else:
            self._release()

    def _release(self) -> None:
        held, self._held = self._held, {}
        for opened, event in held.values():
            self._send(opened, event)

    def _send(self, opened: OpenFolder, event: Event) -> None:
        self._sent += 1
        self._workspace.notify(
            METHOD,
            EventNotification(
                type=event.type,
                folder=opened.uri,
                seq=self._sent,
                timestamp=event.timestamp,
                session_id=event.session_id,
                turn_id=event.turn_id,
                data=_data(opened, event),
            ),
        )


def _stream(data: object) -> object | None:
    """What pieces of text belong together; None for all other facts."""
    if isinstance(data, StreamedText):
        return data.message_id, data.kind
    if isinstance(data, StreamedOutput):
        return data.tool_call_id
    return None


def _merged(before: object, more: object) -> object:
    """Two pieces of the same text, one after the other, as one."""
    if isinstance(before, StreamedText) and isinstance(more, StreamedText):
        return evolve(before, delta=before.delta + more.delta)
    if isinstance(before, StreamedOutput) and isinstance(more, StreamedOutput):
        return evolve(before, chunk=before.chunk + more.chunk)
    return more


def _initial(wanted: bool | tuple[str, ...]) -> Subscription | None:
    if wanted is True:
        return Subscription(types=tuple(EventType))
    if not wanted:
        return None
    return Subscription(types=tuple(each for each in EventType if each.value in wanted))


def _data(opened: OpenFolder, event: Event) -> Any:
    if event.message is not None:
        return MessageAdded(message=event.message)
    if event.data is not None:
        return _own(event.data)
    if event.type is EventType.STORE_CHANGED:
        return StoreChanged(sessions=event.sessions, kinds=event.kinds)
    if event.type is EventType.STORE_LOCKED:
        return StoreIsLocked(sessions=event.sessions, kinds=event.kinds)
    if event.session is None:
        return StoreError(error=StoreFault(kind=event.error_kind or "internal"))
    session = session_view(opened, event.session)
    if event.type is EventType.SESSION_SWITCHED:
        return SessionSwitched(session=session, previous_id=event.previous_id)
    if event.kept_id is not None:
        return SessionRewound(session=session, kept_id=event.kept_id)
    return SessionEvent(session=session)


def _own(data: object) -> Any:
    """What a fact says by itself, as it stands on the wire."""
    if isinstance(data, AgentFault):
        return AgentError(error=data)
    if isinstance(data, permission.PermissionRequest):
        return PermissionAsked(request=request_view(data))
    if isinstance(data, RequestResolved):
        return PermissionResolved(request_id=data.request_id, outcome=data.outcome)
    return data
