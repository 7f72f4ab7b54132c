"""kore/turn/*: prompts, and what agents do to answer them. A turn belongs to its session, not to the request."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from attrs import frozen

from kore_ls.api.fields import Content, SessionIdField, Text
from kore_ls.api.objects import DroppedPrompt, Turn, turn_view
from kore_ls.errors import (
    AgentFailed,
    BadTransition,
    FolderNotFound,
    FolderRequired,
    InvalidParams,
    KoreError,
    LeaseHeld,
    SessionBusy,
    SessionClosed,
    SessionLimitReached,
    SessionNotFound,
    TurnNotFound,
)
from kore_ls.model.ids import SessionId, TurnId
from kore_ls.model.limits import MAX_INTEGER, between, id_problem, one_of
from kore_ls.model.message import Message
from kore_ls.model.turn import Position, Prompt, PromptContext, TextSpan
from kore_ls.rpc.codec import Checked
from kore_ls.rpc.methods import method
from kore_ls.sessions.turns.revert import revert_turn
from kore_ls.sessions.workspace import OpenFolder, Workspace

_Place = Annotated[int, Checked(between(0, MAX_INTEGER))]


@frozen(kw_only=True)
class PositionParams:
    """A place in a document: line from 0, character in UTF-16 units from 0."""

    line: _Place
    character: _Place


@frozen(kw_only=True)
class RangeParams:
    """From `start` up to `end`, which is not included."""

    start: PositionParams
    end: PositionParams


@frozen(kw_only=True)
class ContextParams:
    """Something of the editor that belongs to the prompt: a document, part of it, or its unsaved text."""

    uri: Text
    range: RangeParams | None = None
    text: Content | None = None


@frozen(kw_only=True)
class TurnStartParams:
    """The prompt."""

    session_id: SessionIdField
    prompt: Content
    context: tuple[ContextParams, ...] = ()
    """Kept in the message's metadata as `context`; texts beyond 48 KiB in all are left out there (`textLeftOut`)."""
    when_busy: Annotated[str, Checked(one_of("reject", "queue"))] = "reject"
    """While a turn runs: `reject` answers sessionBusy, `queue` lets the prompt wait. It is stored before the reply:
    where it has no turn any more (closed, restarted) it becomes a message, cancelled or interrupted.
    """
    folder: Text | None = None


@frozen(kw_only=True)
class TurnStart:
    """The turn, and the user's message as it is stored; a prompt that waits (`queued`) has no message yet."""

    turn_id: TurnId
    message: Message | None = None
    queued: bool | None = None


@frozen(kw_only=True)
class TurnCancelParams:
    """Whose turn."""

    session_id: SessionIdField
    folder: Text | None = None


@frozen(kw_only=True)
class TurnCancelled:
    """Whether a turn was running, and the prompts that were waiting and are not any more."""

    cancelled: bool
    dropped: tuple[DroppedPrompt, ...]


@frozen(kw_only=True)
class TurnListParams:
    """Whose turns."""

    session_id: SessionIdField
    limit: Annotated[int, Checked(between(1, 200))] = 50
    cursor: Text | None = None
    folder: Text | None = None


@frozen(kw_only=True)
class TurnList:
    """Turns, newest first."""

    turns: tuple[Turn, ...]
    next_cursor: str | None = None


@frozen(kw_only=True)
class TurnRevertParams:
    """Which turn, and whether only to look."""

    turn_id: Annotated[TurnId, Checked(id_problem)]
    dry_run: bool = False
    folder: Text | None = None


@frozen(kw_only=True)
class TurnReverted:
    """Paths of files that are (with `dryRun`: would be) as before, and of those that can't be: changed
    since, too big to be kept, or no regular files.

    Relative to the workspace folder; files outside of it by their absolute paths.
    """

    reverted: tuple[str, ...]
    conflicts: tuple[str, ...]


@method(
    "kore/turn/start",
    raises=(
        SessionNotFound,
        FolderRequired,
        SessionClosed,
        LeaseHeld,
        SessionBusy,
        BadTransition,
        SessionLimitReached,
        AgentFailed,
    ),
)
async def start(workspace: Workspace, params: TurnStartParams) -> TurnStart:
    """Let the session's agent answer a prompt; the reply comes once the user's message is committed.

    The answer comes as events, all of them after this reply, and as messages. It goes on whatever becomes of the
    request or the connection; `kore/turn/cancel` stops it.
    """
    if not params.prompt.strip():
        raise InvalidParams(["params.prompt: must not be blank"])
    opened = await workspace.folder_of(params.session_id, params.folder)
    prompt = Prompt(text=params.prompt, context=tuple(map(_context, params.context)))
    workspace.ask_about_trust(opened)
    started = await opened.manager.start_turn(
        params.session_id, prompt, queue=params.when_busy == "queue", starter=workspace
    )
    queued = True if started.message is None else None
    return TurnStart(turn_id=started.turn_id, message=started.message, queued=queued)


@method("kore/turn/cancel", raises=(SessionNotFound, FolderRequired, LeaseHeld))
async def cancel(workspace: Workspace, params: TurnCancelParams) -> TurnCancelled:
    """Stop the session's turn within a second; what it said so far is kept as a message, cancelled.

    The reply comes when the turn has ended. Prompts that waited are dropped, each with a `turn.finished` event.
    """
    opened = await workspace.folder_of(params.session_id, params.folder)
    done = await opened.manager.cancel_turn(params.session_id)
    dropped = tuple(DroppedPrompt(turn_id=each.turn_id, prompt=each.prompt.text) for each in done.dropped)
    return TurnCancelled(cancelled=done.cancelled, dropped=dropped)


@method("kore/turn/list", raises=(SessionNotFound, FolderRequired))
async def list_(workspace: Workspace, params: TurnListParams) -> TurnList:
    """A session's turns, newest first."""
    opened = await workspace.folder_of(params.session_id, params.folder)
    await opened.manager.get_session(params.session_id)
    below = None if params.cursor is None else decoded(params.cursor, params.session_id)
    page = await opened.manager.storage.turns.page(params.session_id, limit=params.limit, below=below)
    following = None if page.position is None else encoded(page.position, params.session_id)
    return TurnList(turns=tuple(map(turn_view, page.turns)), next_cursor=following)


@method("kore/turn/revert", raises=(TurnNotFound, FolderRequired, FolderNotFound, SessionBusy))
async def revert(workspace: Workspace, params: TurnRevertParams) -> TurnReverted:
    """Bring the files that a turn changed back to what they were, where they still are as the turn left them."""
    opened = await _folder_of_turn(workspace, params)
    done = await revert_turn(opened.folder.workbench, params.turn_id, dry_run=params.dry_run, starter=workspace)
    return TurnReverted(reverted=done.reverted, conflicts=done.conflicts)


async def _folder_of_turn(workspace: Workspace, params: TurnRevertParams) -> OpenFolder:
    holders: list[OpenFolder] = []
    unread: KoreError | None = None  # it may be in a store that is locked
    for opened in workspace.chosen(params.folder):
        try:
            await opened.manager.storage.turns.find(params.turn_id)
            holders.append(opened)
        except TurnNotFound:
            pass
        except KoreError as error:
            unread = unread or error
    if not holders:
        raise unread or TurnNotFound(turnId=params.turn_id)
    if len(holders) > 1:
        raise FolderRequired
    return holders[0]


def encoded(position: int, bound_to: SessionId | str) -> str:
    """An opaque word for a place in a list of one session's rows."""
    return base64.urlsafe_b64encode(f"{bound_to}:{position}".encode()).decode().rstrip("=")


def decoded(cursor: str, bound_to: SessionId | str) -> int:
    """The place that a cursor means. Raises InvalidParams for a cursor of another list, or none of ours."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (ValueError, binascii.Error):
        text = ""
    owner, _, position = text.rpartition(":")
    if owner != bound_to or not (position.isascii() and position.isdecimal() and len(position) < 17):
        raise InvalidParams(["params.cursor: is not a cursor of this list"])
    return int(position)


def _context(given: ContextParams) -> PromptContext:
    span = None
    if given.range is not None:
        start, end = given.range.start, given.range.end
        span = TextSpan(
            start=Position(line=start.line, character=start.character),
            end=Position(line=end.line, character=end.character),
        )
    return PromptContext(uri=given.uri, range=span, text=given.text)
