"""kore/permission/*: what agents ask for, what users answered with "always", and the log of all decisions."""

from __future__ import annotations

from typing import Annotated

from attrs import frozen

from kore_ls.api.fields import Content, SessionIdField, Text, Timestamp
from kore_ls.api.objects import PermissionRequest, request_view
from kore_ls.api.turn import decoded, encoded
from kore_ls.errors import FolderNotFound, FolderRequired, InvalidParams, LeaseHeld, SessionNotFound
from kore_ls.model.ids import SessionId, TurnId
from kore_ls.model.limits import JsonObject, between
from kore_ls.model.message import ToolKind
from kore_ls.model.mode import AgentMode
from kore_ls.model.permission import PermissionAnswer, PermissionOutcome
from kore_ls.rpc.codec import Checked
from kore_ls.rpc.methods import method
from kore_ls.sessions.workspace import OpenFolder, Workspace


@frozen(kw_only=True)
class PermissionListParams:
    """Which folder; absent: all that are open."""

    folder: Text | None = None


@frozen(kw_only=True)
class PermissionList:
    """Open requests, oldest first."""

    requests: tuple[PermissionRequest, ...]


@frozen(kw_only=True)
class PermissionAnswerParams:
    """The user's answer."""

    request_id: Text
    outcome: PermissionOutcome
    option_id: Text | None = None
    """Which option was selected."""
    feedback: Content | None = None
    """What the agent is told besides."""
    folder: Text | None = None


@frozen(kw_only=True)
class PermissionAnswered:
    """Whether this answer counted: False where another was first or the request is not open."""

    accepted: bool


@frozen(kw_only=True)
class PermissionRulesParams:
    """Which folder's rules, or which session's."""

    folder: Text | None = None
    session_id: SessionIdField | None = None


@frozen(kw_only=True)
class RememberedRule:
    """An "always" answer: it counts in its session, for exactly the same tool call."""

    rule_id: str
    session_id: SessionId
    answer: str
    """`allow` or `deny`."""
    tool: str
    kind: ToolKind
    paths: tuple[str, ...]
    argv: tuple[str, ...]
    network: bool
    unsandboxed: bool
    created_at: Timestamp


@frozen(kw_only=True)
class PermissionRules:
    """Remembered answers, oldest first."""

    rules: tuple[RememberedRule, ...]


@frozen(kw_only=True)
class PermissionRevokeParams:
    """Which rule."""

    rule_id: Text
    folder: Text | None = None


@frozen(kw_only=True)
class PermissionRevoked:
    """Whether there was such a rule."""

    revoked: bool


@frozen(kw_only=True)
class PermissionLogParams:
    """Whose decisions; without a session the folder's."""

    session_id: SessionIdField | None = None
    limit: Annotated[int, Checked(between(1, 200))] = 50
    cursor: Text | None = None
    folder: Text | None = None


@frozen(kw_only=True)
class LoggedCall:
    """A tool call as it was when it was decided about."""

    id: str
    name: str
    kind: str
    title: str
    arguments: JsonObject
    """Empty if they were too long to be logged."""


@frozen(kw_only=True)
class PermissionDecision:
    """One decision of the permission gate."""

    session_id: SessionId
    turn_id: TurnId
    tool_call: LoggedCall
    mode: AgentMode
    decision: str
    """`allow`, `deny` or `asked`."""
    rule: str
    outcome: str | None = None
    """Of what was asked: the kind of the option chosen, or `cancelled`."""
    timestamp: Timestamp


@frozen(kw_only=True)
class PermissionLog:
    """Decisions, newest first."""

    decisions: tuple[PermissionDecision, ...]
    next_cursor: str | None = None


@method("kore/permission/list", raises=(FolderNotFound,))
async def list_(workspace: Workspace, params: PermissionListParams) -> PermissionList:
    """The permission requests that wait for an answer."""
    found = [
        request for opened in workspace.chosen(params.folder) for request in opened.folder.workbench.desk.requests()
    ]
    return PermissionList(requests=tuple(map(request_view, found)))


@method("kore/permission/answer", raises=(FolderNotFound, LeaseHeld), command=False)
async def answer(workspace: Workspace, params: PermissionAnswerParams) -> PermissionAnswered:
    """Answer a permission request; the first answer of any client counts.

    A request that is not this server's, where another one works in a session of the folder: leaseHeld.
    """
    if params.outcome is PermissionOutcome.SELECTED and params.option_id is None:
        raise InvalidParams(["params.optionId: is needed where an option was selected"])
    given = PermissionAnswer(outcome=params.outcome, option_id=params.option_id, feedback=params.feedback)
    for opened in workspace.chosen(params.folder):
        desk = opened.folder.workbench.desk
        request = desk.find(params.request_id)
        if request is None:
            continue
        if params.option_id is not None and params.option_id not in (each.id for each in request.options):
            raise InvalidParams(["params.optionId: is none of the request's options"])
        return PermissionAnswered(accepted=desk.answer(params.request_id, given))
    for opened in workspace.chosen(params.folder):
        if not opened.folder.workbench.desk.was_asked(params.request_id):
            for session_id, lease in opened.manager.storage.turns.held_by_others().items():
                raise LeaseHeld(sessionId=session_id, holder=lease.holder)
    return PermissionAnswered(accepted=False)


@method("kore/permission/rules", raises=(FolderNotFound, FolderRequired, SessionNotFound))
async def rules(workspace: Workspace, params: PermissionRulesParams) -> PermissionRules:
    """What users of this folder answered with "always"; it is kept in the user's own state."""
    chosen = workspace.chosen(params.folder)
    if params.session_id is not None:
        opened = await workspace.folder_of(params.session_id, params.folder)
        await opened.manager.get_session(params.session_id)
        chosen = (opened,)
    found = [
        RememberedRule(
            rule_id=rule.id,
            session_id=session_id,
            answer=rule.answer.value,
            tool=rule.tool,
            kind=rule.kind,
            paths=rule.paths,
            argv=rule.argv,
            network=rule.network,
            unsandboxed=rule.unsandboxed,
            created_at=rule.created_at,
        )
        for opened in chosen
        for session_id, rule in opened.folder.workbench.remembered.of(params.session_id)
    ]
    return PermissionRules(rules=tuple(found))


@method("kore/permission/revoke", raises=(FolderNotFound,))
async def revoke(workspace: Workspace, params: PermissionRevokeParams) -> PermissionRevoked:
    """Forget an "always" answer; it counts from the next tool call on."""
    done = [opened.folder.workbench.remembered.revoke(params.rule_id) for opened in workspace.chosen(params.folder)]
    return PermissionRevoked(revoked=any(done))


@method("kore/permission/log", raises=(FolderNotFound, FolderRequired, SessionNotFound))
async def log(workspace: Workspace, params: PermissionLogParams) -> PermissionLog:
    """Every decision of the permission gate, newest first."""
    opened = await _log_folder(workspace, params)
    bound = params.session_id or "*"
    below = None if params.cursor is None else decoded(params.cursor, bound)
    page = await opened.manager.storage.turns.decisions(params.session_id, limit=params.limit, below=below)
    decisions = tuple(
        PermissionDecision(
            session_id=entry.session_id,
            turn_id=entry.turn_id,
            tool_call=_logged(entry.tool_call),
            mode=entry.mode,
            decision=entry.decision,
            rule=entry.rule,
            outcome=entry.outcome,
            timestamp=entry.timestamp,
        )
        for entry in page.entries
    )
    return PermissionLog(
        decisions=decisions, next_cursor=None if page.position is None else encoded(page.position, bound)
    )


def _logged(call: JsonObject) -> LoggedCall:
    words = {key: str(call.get(key, "")) for key in ("id", "name", "kind", "title")}
    return LoggedCall(**words, arguments=call.get("arguments") or {})


async def _log_folder(workspace: Workspace, params: PermissionLogParams) -> OpenFolder:
    if params.session_id is None:
        return workspace.folder(params.folder)
    opened = await workspace.folder_of(params.session_id, params.folder)
    await opened.manager.get_session(params.session_id)
    return opened
