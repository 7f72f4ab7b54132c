"""What the tools of one folder's sessions work with: its desk, clients, rules, audit log, before-images and past."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve

from kore_ls.agents.ports import Decision, Document, EditResult, PastMatch
from kore_ls.agents.rules import Answer, Remembered, Rule
from kore_ls.agents.sandbox.kinds import NO_SANDBOX, Sandbox
from kore_ls.agents.toolbox import Surroundings, Toolbox
from kore_ls.errors import InvalidParams, KoreError, LeaseHeld, SessionClosed, SessionNotFound
from kore_ls.model.event import Event, EventType, RequestResolved
from kore_ls.model.ids import SessionId, TurnId
from kore_ls.model.json_value import json_value, valid
from kore_ls.model.message import Role, ToolCall
from kore_ls.model.permission import PermissionAnswer, PermissionOutcome, PermissionRequest
from kore_ls.model.search import SearchQuery
from kore_ls.model.session import SessionRecord
from kore_ls.model.settings import UserRule
from kore_ls.model.turn import AuditEntry
from kore_ls.sessions.clients import FolderClients
from kore_ls.sessions.manager import SessionManager
from kore_ls.sessions.turns.command_notes import CommandNotes, told
from kore_ls.sessions.turns.permissions import PermissionDesk
from kore_ls.sessions.turns.remembered import RememberedRules
from kore_ls.sessions.turns.runner import RunningTurn
from kore_ls.storage.private_files import make_private_directory

log = logging.getLogger(__name__)

AUDITED_CHARS = 64 << 10
"""Arguments longer than this, as JSON, are left out of the audit log; the tool call itself keeps them."""


class FolderWorkbench:
    """See `Workbench`. `manager` is set by the folder, whose manager needs this first."""

    manager: SessionManager

    def __init__(
        self,
        folder: Path,
        clients: FolderClients,
        remembered: RememberedRules,
        rules: Sequence[UserRule],
        locale: str | None,
        sandbox: Callable[[], Sandbox] = lambda: NO_SANDBOX,
        store: Path | None = None,
        state: Path | None = None,
        notes: CommandNotes | None = None,
    ) -> None:
        self.folder = folder
        self.clients = clients
        self.remembered = remembered
        self.desk = PermissionDesk(self._tell)
        self._rules = tuple(map(_rule, rules))
        self._locale = locale
        self._find_sandbox = sandbox
        self._store = store
        self._state = None if state is None else Path(os.path.realpath(state))
        self._notes = notes
        self._toolboxes: dict[SessionId, Toolbox] = {}

    async def toolbox(self, run: RunningTurn, session: Callable[[], SessionRecord]) -> Toolbox:
        """The tools of the turn's session; made when they are first needed."""
        await self.clients.ready()
        await self.recover()
        known = self._toolboxes.get(run.session_id)
        if known is None:
            sandbox = await asyncio.to_thread(self._find_sandbox)
            if self._state is not None and self._state.is_relative_to(self.folder):
                with contextlib.suppress(OSError):  # what we can't make, no command makes
                    await asyncio.to_thread(make_private_directory, self._state)  # only what is there can be covered
            known = self._toolboxes.setdefault(run.session_id, Toolbox(self._surroundings(run.session_id, sandbox)))
        return known

    async def recover(self) -> None:
        """Put aside what commands made whose server was killed, and tell it in their sessions."""
        if self._notes is None or not self._notes.waiting():
            return
        internal = tuple(each for each in (self._store, self._state) if each is not None)
        for aside in await asyncio.to_thread(self._notes.recover, internal):
            try:
                await self.manager.add_message(aside.session_id, told(aside, self._locale))
            except (SessionNotFound, SessionClosed, InvalidParams) as gone:  # nobody to be told, or another did it
                log.warning("files that a command had made are renamed, which its session does not say: %s", gone.kind)
            except KoreError as error:  # a store that is locked, say: when its next turn starts
                log.warning("files that a command had made are renamed; told later: %s", error.kind)
                continue
            self._notes.end(aside.noted)

    def _surroundings(self, session_id: SessionId, sandbox: Sandbox) -> Surroundings:
        ports = _SessionPorts(self, session_id)
        return Surroundings(
            folder=self.folder,
            session=lambda: self.run(session_id).session,
            trusted=self.clients.trusted,
            sandbox=sandbox,
            permissions=ports,
            audit=ports,
            rules=ports,
            editor=ports,
            snapshots=ports,
            past=ports,
            todos=ports,
            clock=self.manager.now,
            new_id=self.manager.new_id,
            locale=self._locale,
            store=self._store,
            state=self._state,
            notes=self._notes,
        )

    def run(self, session_id: SessionId) -> RunningTurn:
        """The session's turn. Raises LeaseHeld where it has ended meanwhile."""
        run = self.manager.turns.running(session_id)
        if run is None:
            raise LeaseHeld("the turn has ended", sessionId=session_id)
        return run

    def rules(self) -> Sequence[Rule]:
        """The user's own rules."""
        return self._rules

    def requests(self, session_id: SessionId) -> Sequence[PermissionRequest]:
        """The session's open permission requests, oldest first."""
        return self.desk.requests(session_id)

    def release(self, turn_id: TurnId) -> None:
        """Answer the turn's open permission requests with `cancelled`."""
        self.desk.release(turn_id)

    def forget(self, session_id: SessionId) -> None:
        """The session's agent is unloaded, and its tools with it."""
        self._toolboxes.pop(session_id, None)

    def disown(self, session_id: SessionId) -> None:
        """Nothing that was allowed in the session counts any more. Raises StoreReadOnly."""
        self.forget(session_id)
        self.remembered.forget(session_id)

    def _tell(self, request: PermissionRequest, answer: PermissionAnswer | None) -> None:
        data: object = request
        if answer is not None:
            data = RequestResolved(request_id=request.request_id, outcome=_outcome(request, answer))
        self.manager.events.publish(
            Event(
                type=EventType.PERMISSION_ASKED if answer is None else EventType.PERMISSION_RESOLVED,
                timestamp=self.manager.now(),
                session_id=request.session_id,
                turn_id=request.turn_id,
                data=data,
            )
        )


class _SessionPorts:
    """All ports of one session's tools."""

    def __init__(self, bench: FolderWorkbench, session_id: SessionId) -> None:
        self._bench = bench
        self._session_id = session_id

    @property
    def _starter(self) -> object:
        return self._bench.run(self._session_id).starter

    async def ask(self, request: PermissionRequest) -> PermissionAnswer:
        """See `Permissions`."""
        run = self._bench.run(self._session_id)
        request = evolve(request, call=evolve(request.call, message_id=run.message_id))
        return await self._bench.desk.ask(request, run.starter)

    async def record(self, decision: Decision) -> None:
        """See `AuditLog`."""
        entry = AuditEntry(
            session_id=decision.session_id,
            turn_id=decision.turn_id,
            tool_call=_audited(decision.call),
            mode=decision.mode,
            decision=decision.decision.value,
            rule=decision.rule,
            outcome=decision.outcome,
            timestamp=decision.timestamp,
        )
        await self._bench.manager.storage.turns.record(entry)

    def rules(self) -> Sequence[Rule]:
        """See `Rules`."""
        return self._bench.rules()

    def remembered(self) -> Sequence[Remembered]:
        """See `Rules`."""
        return [rule for _, rule in self._bench.remembered.of(self._session_id)]

    async def remember(self, rule: Remembered) -> None:
        """See `Rules`."""
        await asyncio.to_thread(self._bench.remembered.keep, self._session_id, rule)

    def document(self, path: Path) -> Document | None:
        """See `Editor`."""
        return self._bench.clients.document(path, self._starter)

    async def edit(self, path: Path, *, before: str, after: str, version: int | None) -> EditResult:
        """See `Editor`."""
        return await self._bench.clients.edit(path, self._starter, before=before, after=after, version=version)

    async def language(self, name: str, params: Mapping[str, Any]) -> Any | None:
        """See `Editor`."""
        return await self._bench.clients.language(self._starter, name, params)

    async def keep(self, turn_id: TurnId, path: Path, *, before: bytes | None, after: bytes | None) -> None:
        """See `Snapshots`."""
        mode = None if before is None else await asyncio.to_thread(_permissions, path)
        await self._keep(path, before, after, mode=mode)

    async def unchanged(self, turn_id: TurnId, path: Path, *, content: bytes | None) -> None:
        """See `Snapshots`."""
        fence = self._bench.run(self._session_id).begun.fence
        await self._bench.manager.storage.turns.unchanged(fence, stored_path(self._bench.folder, path), content)

    async def lose(self, turn_id: TurnId, path: Path, *, link: str | None = None) -> None:
        """See `Snapshots`."""
        lost = link is None
        await self._keep(path, os.fsencode(link or ""), None, mode=None if lost else stat.S_IFLNK, lost=lost)

    async def arrive(self, turn_id: TurnId, path: Path, *, link: str) -> None:
        """See `Snapshots`."""
        await self._keep(path, None, os.fsencode(link), mode=stat.S_IFLNK)

    async def _keep(self, path: Path, before: bytes | None, after: bytes | None, **more: Any) -> None:
        fence = self._bench.run(self._session_id).begun.fence
        name = stored_path(self._bench.folder, path)
        await self._bench.manager.storage.turns.keep(fence, name, before, after, **more)

    async def todo(self) -> list[str]:
        """See `TodoList`."""
        return await self._bench.manager.storage.turns.todo(self._session_id)

    async def keep_todo(self, items: list[str]) -> None:
        """See `TodoList`."""
        fence = self._bench.run(self._session_id).begun.fence
        await self._bench.manager.storage.turns.keep_todo(fence, items)

    async def search(self, query: str, *, limit: int) -> Sequence[PastMatch]:
        """See `Past`."""
        page = await self._bench.manager.search(SearchQuery(text=query, limit=limit))
        found = [
            PastMatch(
                session_id=hit.session.id,
                session_name=hit.session.name,
                role=Role(match.role),
                timestamp=match.timestamp,
                snippet=match.snippet,
            )
            for hit in page.hits
            for match in hit.matches
        ]
        return found[:limit]


def stored_path(folder: Path, path: Path) -> str:
    """How a file is named in the store: relative to the folder where it is inside, so that the folder may move."""
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


def _permissions(path: Path) -> int | None:
    """A regular file's permission bits; None where there is none any more."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return None
    return stat.S_IMODE(mode) & 0o777 if stat.S_ISREG(mode) else None


def _audited(call: ToolCall) -> dict[str, Any]:
    arguments = json.dumps(call.arguments, ensure_ascii=False, default=str)
    short = len(arguments) <= AUDITED_CHARS
    return {
        "id": call.id,
        "name": call.name,
        "kind": call.kind.value,
        "title": valid(call.title[:1_000]),
        "arguments": json_value(json.loads(arguments)) if short else {},
    }


def _outcome(request: PermissionRequest, answer: PermissionAnswer) -> str:
    chosen = next((each for each in request.options if each.id == answer.option_id), None)
    if answer.outcome is PermissionOutcome.CANCELLED or chosen is None:
        return PermissionOutcome.CANCELLED.value
    return chosen.kind.value


def _rule(given: UserRule) -> Rule:
    return Rule(
        answer=Answer(given.answer),
        modes=frozenset(given.modes),
        kinds=frozenset(given.kinds),
        paths=given.paths,
        argv=given.argv,
        unsandboxed=given.unsandboxed,
    )
