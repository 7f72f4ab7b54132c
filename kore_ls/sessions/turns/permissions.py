"""Permission requests of one folder's turns: asked of every client that wants to be asked; the first answer wins."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from attrs import define, field

from kore_ls.model.ids import SessionId, TurnId
from kore_ls.model.permission import PermissionAnswer, PermissionOutcome, PermissionRequest

Asker = Callable[[PermissionRequest], Awaitable[PermissionAnswer | None]]
"""Asks one client, until cancelled; None where it gives no answer."""
_REMEMBERED = 1_000
CANCELLED = PermissionAnswer(outcome=PermissionOutcome.CANCELLED)


@define(eq=False)
class _Pending:
    request: PermissionRequest
    starter: object
    answer: asyncio.Future[PermissionAnswer]
    asking: dict[object, asyncio.Task[None]] = field(factory=dict)


class PermissionDesk:
    """Where permission requests lie until they are answered.

    `tell` hears of each request when it is asked, and (with its answer) when it is resolved.
    """

    def __init__(self, tell: Callable[[PermissionRequest, PermissionAnswer | None], None]) -> None:
        self._tell = tell
        self._askers: dict[object, Asker] = {}
        self._choosers: dict[object, Asker] = {}
        self._pending: dict[str, _Pending] = {}
        self._past: deque[str] = deque(maxlen=_REMEMBERED)

    def join(self, client: object, asker: Asker | None, chooser: Asker | None) -> None:
        """A client is there: `asker` if it opted in, `chooser` for one that shows plain choices."""
        if asker is not None:
            self._askers[client] = asker
            for pending in self._pending.values():
                self._ask(pending, client, asker)
        if chooser is not None:
            self._choosers[client] = chooser

    def leave(self, client: object) -> None:
        """The client is gone; what it was asked stays open for others."""
        self._askers.pop(client, None)
        self._choosers.pop(client, None)
        for pending in self._pending.values():
            if (task := pending.asking.pop(client, None)) is not None:
                task.cancel()

    async def ask(self, request: PermissionRequest, starter: object) -> PermissionAnswer:
        """Wait for the first answer; `starter` is the client that is asked where none opted in."""
        answer: asyncio.Future[PermissionAnswer] = asyncio.get_running_loop().create_future()
        pending = self._pending[request.request_id] = _Pending(request, starter, answer)
        self._tell(request, None)
        for client, asker in tuple(self._askers.items()):
            self._ask(pending, client, asker)
        if not pending.asking and (chooser := self._choosers.get(starter)) is not None:
            self._ask(pending, starter, chooser)
        given = CANCELLED
        try:
            given = await answer
        finally:
            self._pending.pop(request.request_id, None)
            self._past.append(request.request_id)
            for task in pending.asking.values():
                task.cancel()
            self._tell(request, given)
        return given

    def _ask(self, pending: _Pending, client: object, asker: Asker) -> None:
        async def run() -> None:
            given = await asker(pending.request)
            pending.asking.pop(client, None)
            if given is not None and not pending.answer.done():
                pending.answer.set_result(given)

        pending.asking[client] = asyncio.create_task(run(), name="kore-permission")

    def answer(self, request_id: str, answer: PermissionAnswer) -> bool:
        """Answer a request; False if it is not open."""
        pending = self._pending.get(request_id)
        if pending is None or pending.answer.done():
            return False
        pending.answer.set_result(answer)
        return True

    def find(self, request_id: str) -> PermissionRequest | None:
        """An open request."""
        pending = self._pending.get(request_id)
        return pending.request if pending is not None and not pending.answer.done() else None

    def was_asked(self, request_id: str) -> bool:
        """Whether this was a request of ours, open or lately resolved."""
        return request_id in self._pending or request_id in self._past

    def requests(self, session_id: SessionId | None = None) -> Sequence[PermissionRequest]:
        """The open requests, oldest first; of one session or of all."""
        return [
            pending.request
            for pending in self._pending.values()
            if session_id in (None, pending.request.session_id) and not pending.answer.done()
        ]

    def release(self, turn_id: TurnId) -> None:
        """The turn is over: its requests are answered with `cancelled`."""
        for pending in tuple(self._pending.values()):
            if pending.request.turn_id == turn_id and not pending.answer.done():
                pending.answer.set_result(CANCELLED)
