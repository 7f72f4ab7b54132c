"""Asks one client for permission: by `kore/permission/request` if it opted in, else by a plain choice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import frozen

from kore_ls.api.objects import request_view
from kore_ls.errors import InvalidParams
from kore_ls.model.permission import PermissionAnswer, PermissionOutcome, PermissionRequest
from kore_ls.rpc.codec import Codec
from kore_ls.sessions.client import Client

METHOD = "kore/permission/request"

Asker = Callable[[PermissionRequest], Awaitable[PermissionAnswer | None]]


@frozen(kw_only=True)
class _Reply:
    outcome: PermissionOutcome
    option_id: str | None = None
    feedback: str | None = None


def by_request(client: Client) -> Asker:
    """Asks a client that opted in; an answer that is none of the form is no answer."""

    async def ask(request: PermissionRequest) -> PermissionAnswer | None:
        answer = await client.ask(METHOD, request_view(request), timeout=None)
        if not isinstance(answer, dict):
            return None
        try:
            reply = Codec().structure(answer, _Reply)
        except InvalidParams:
            return None
        return PermissionAnswer(outcome=reply.outcome, option_id=reply.option_id, feedback=reply.feedback)

    return ask


def by_choice(client: Client) -> Asker:
    """Asks the user of a client that knows nothing of Kore; choosing nothing is a refusal."""

    async def ask(request: PermissionRequest) -> PermissionAnswer | None:
        ids = {option.name: option.id for option in request.options}
        title = await client.choose(request.summary, list(ids))
        if title is None:
            return PermissionAnswer(outcome=PermissionOutcome.CANCELLED)
        return PermissionAnswer(outcome=PermissionOutcome.SELECTED, option_id=ids[title])

    return ask
