"""Every way to a tool: arguments are read, the gate is asked, the decision is recorded, then the tool runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import evolve, frozen

from kore_ls.agents.agent import Leave, ToolOutcome, Workplace
from kore_ls.agents.budget import Budget, bounded
from kore_ls.agents.problem import ToolProblem
from kore_ls.agents.rules import Answer
from kore_ls.agents.surroundings import Surroundings
from kore_ls.errors import KoreError
from kore_ls.model.display import visible
from kore_ls.model.ids import MessageId, TurnId
from kore_ls.model.json_value import json_value, valid
from kore_ls.model.message import ToolCall, ToolKind, ToolStatus

if TYPE_CHECKING:
    from kore_ls.agents.asking import Asking
    from kore_ls.agents.gate import Action
    from kore_ls.agents.paths import Place
    from kore_ls.agents.tools.tool import Aim, Tool, ToolResult

__all__ = ["OnUpdate", "Surroundings", "ToolOutput", "Toolbox"]

log = logging.getLogger(__name__)

_TITLE_CHARS = 300
_PRINTED_CHARS = 256_000
"""So much of what a tool prints is kept for a result that is cut off."""


@frozen(kw_only=True)
class ToolOutput:
    """More of what a running tool prints; `offset` counts UTF-16 units of what came before."""

    call_id: str
    offset: int
    chunk: str


OnUpdate: TypeAlias = Callable[[ToolCall | ToolOutput], Awaitable[None]]
"""Hears each state of a call (pending, inProgress, then completed, failed, denied or cancelled) and its output."""


class Toolbox:
    """One session's tools. It lives as long as the session is loaded; calls of one turn come one after another."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._around = surroundings
        self._budget = Budget()

    async def use(
        self,
        name: str,
        arguments: Mapping[str, Any],
        *,
        turn_id: TurnId,
        call_id: str,
        on_update: OnUpdate,
        declared: ToolKind | None = None,
    ) -> ToolOutcome:
        """Use a tool; the outcome's call is in its last state, its `message_id` is left empty.

        What the arguments, the gate or the tool say against it is an outcome. Raises CancelledError when cancelled,
        after all child processes are gone and `cancelled` was told; and what a port raises.
        `declared` is the kind that an external agent gives its call: it can only make the decision stricter.
        """
        from kore_ls.agents.tools.table import TOOLS

        tool = TOOLS.get(name)
        call = ToolCall(
            id=call_id,
            message_id=MessageId(""),
            name=name,
            kind=ToolKind.OTHER if tool is None else tool.kind,
            title=visible(name)[:_TITLE_CHARS],
            arguments=dict(arguments),
            status=ToolStatus.PENDING,
            started_at=self._around.clock(),
        )
        use = _Use(self._around, self._budget, turn_id, call, on_update, declared)
        return await use.whole(tool)

    def workplace(self) -> Workplace:
        """Where an external agent would work."""
        around = self._around
        return Workplace(
            folder=around.folder, trusted=around.trusted(), sandbox=around.sandbox, internal=around.internal
        )

    async def permit(
        self,
        call: ToolCall,
        *,
        turn_id: TurnId,
        paths: Sequence[str],
        argv: Sequence[str],
        diff: str | None,
        confined: bool,
    ) -> Leave:
        """Ask the gate about something that an external agent does by itself; see `AnsweredTurn`."""
        from kore_ls.agents.asking import Asking
        from kore_ls.agents.question import foreign_question

        try:
            self._budget.call(turn_id)
            question = foreign_question(self._around, call, turn_id, paths, argv, diff, confined=confined)
            asking = Asking(self._around, self._budget)
            verdict = asking.verdict(question.action, sandboxed=confined)
            ruling = await asking.rule(question, verdict)
        except ToolProblem as problem:
            return Leave(allowed=False, reason=str(problem))
        return Leave(allowed=ruling.allowed, reason=ruling.reason)


class _Refused(Exception):
    """A call wants to look where it may not."""


class _Use:
    """One call on its way through the gate."""

    def __init__(
        self,
        around: Surroundings,
        budget: Budget,
        turn_id: TurnId,
        call: ToolCall,
        on_update: OnUpdate,
        declared: ToolKind | None,
    ) -> None:
        from kore_ls.agents.asking import Asking

        self.around, self.budget, self.turn_id = around, budget, turn_id
        self.call, self.on_update, self.declared = call, on_update, declared
        self.asking: Asking = Asking(around, budget)
        self.told = 0
        self.aimed = False
        self.outside: list[Place] = []
        self.printed = ""

    async def whole(self, kind: type[Tool] | None) -> ToolOutcome:
        """From pending to its last state."""
        try:
            await self.on_update(self.call)
            return await self.through_gate(kind)
        except asyncio.CancelledError:
            text = "\n".join([*([self.printed.rstrip("\n")] if self.printed else []), "Cancelled."])
            await asyncio.shield(asyncio.ensure_future(self.end(ToolStatus.CANCELLED, text)))
            raise
        except ToolProblem as problem:
            return await self.end(ToolStatus.FAILED, str(problem))
        except KoreError as error:
            await self.end(ToolStatus.FAILED, error.message)
            raise
        except Exception as error:  # the boundary: the agent learns that the tool failed, the log where
            places = [f"{each.tb_frame.f_code.co_qualname}:{each.tb_lineno}" for each in _frames(error)]
            log.error("the tool of kind %s failed: %s at %s", self.call.kind.value, type(error).__name__, places[-3:])
            return await self.end(ToolStatus.FAILED, "The tool failed; Kore's log says where.")

    async def through_gate(self, kind: type[Tool] | None) -> ToolOutcome:
        """Aim, ask, run."""
        self.budget.call(self.turn_id)
        if kind is None:
            raise ToolProblem("There is no such tool.")
        tool = kind(self.call.arguments, self.desk(kind))
        try:
            aim = await tool.aim()
        except _Refused:
            return await self.end(ToolStatus.DENIED, await self.leave_to_look(tool) or "Not allowed.")
        except ToolProblem:
            # what is the matter outside of the folder is told to nobody who may not go there
            refusal = await self.leave_to_look(tool) if self.outside else None
            if refusal is not None:
                return await self.end(ToolStatus.DENIED, refusal)
            raise
        self.aimed = True
        self.call = self.titled(tool.title_as_given() if self.outside else aim.title)
        action = evolve(await self.as_linked(aim.action), declared=self.declared)
        refusal, feedback = await self.ruling(tool, aim, action)
        if refusal is not None:
            return await self.end(ToolStatus.DENIED, refusal)
        self.call = evolve(self.call, status=ToolStatus.IN_PROGRESS)
        await self.on_update(self.call)
        result = await tool.run()
        text = f"{result.text}\n\nThe user allowed this and says: {feedback}" if feedback else result.text
        return await self.end(ToolStatus.FAILED if result.failed else ToolStatus.COMPLETED, text, result)

    def located(self, kind: type[Tool], place: Place) -> None:
        """Before a call is aimed: nothing is learned of what lies outside, or is Kore's or git's own, and is denied."""
        from kore_ls.agents.paths import Access
        from kore_ls.agents.protected import Guard

        internal = place.access is Access.WRITE and Guard.INTERNAL in place.guards
        if self.aimed or (place.inside and not internal):
            return
        self.outside.append(place)
        if self.asking.verdict(self.outwards(kind), sandboxed=True).answer is Answer.DENY:
            raise _Refused

    def outwards(self, kind: type[Tool]) -> Action:
        """What is known of a call that is not aimed yet: where it wants to go that is none of its business."""
        from kore_ls.agents.gate import Action

        places = tuple(dict.fromkeys(self.outside))
        return Action(tool=kind.name, kind=kind.kind, places=places, declared=self.declared)

    def titled(self, title: str) -> ToolCall:
        """The call with its title."""
        return evolve(self.call, title=visible(title)[:_TITLE_CHARS])

    async def leave_to_look(self, tool: Tool) -> str | None:
        """Why the call may not even be aimed, if so."""
        from kore_ls.agents.question import Question

        self.call = self.titled(tool.title_as_given())
        action = self.outwards(type(tool))
        verdict = self.asking.verdict(action, sandboxed=True)
        if verdict.answer is Answer.ASK:
            await self.on_update(self.call)
        question = Question(turn_id=self.turn_id, call=self.call, action=action, sandboxed=True)
        ruling = await self.asking.rule(question, verdict)
        return None if ruling.allowed else ruling.reason

    async def as_linked(self, action: Action) -> Action:
        """The action on what its paths really are, whatever links lead to them."""
        from kore_ls.agents.aliases import as_linked

        if action.argv or not action.places:
            return action
        return evolve(action, places=await asyncio.to_thread(as_linked, self.around.folder, action.places))

    async def ruling(self, tool: Tool, aim: Aim, action: Action) -> tuple[str | None, str]:
        """Why the call may not go ahead, if so; and what the user said when allowing it."""
        from kore_ls.agents.question import Question

        verdict = self.asking.verdict(action, sandboxed=aim.sandboxed)
        diff = None
        if verdict.answer is Answer.ASK:
            await self.on_update(self.call)  # its title stands above the question
            try:
                diff = await tool.preview()
            except ToolProblem:
                if not action.places or any(not place.inside or place.guards for place in action.places):
                    diff = None  # whether a change fits a file that needs leave is told after the leave
                else:
                    raise
        question = Question(
            turn_id=self.turn_id,
            call=self.call,
            action=action,
            sandboxed=aim.sandboxed,
            remarks=aim.remarks,
            diff=diff,
        )
        ruling = await self.asking.rule(question, verdict)
        return (None, ruling.reason) if ruling.allowed else (ruling.reason, "")

    def desk(self, kind: type[Tool]) -> Any:
        """What the tool has at hand."""
        from kore_ls.agents.tools.tool import Desk

        return Desk(
            around=self.around,
            turn_id=self.turn_id,
            budget=self.budget,
            tell=self.tell,
            may=self.may,
            located=lambda place: self.located(kind, place),
        )

    async def tell(self, chunk: str) -> None:
        """Pass output on, whole characters at a time."""
        chunk = valid(chunk)
        self.printed += chunk[: _PRINTED_CHARS - len(self.printed)]
        offset, self.told = self.told, self.told + len(chunk.encode("utf-16-le")) // 2
        await self.on_update(ToolOutput(call_id=self.call.id, offset=offset, chunk=chunk))

    async def may(self, action: Action, words: str) -> bool:
        """Whether a running tool may do something more."""
        from kore_ls.agents.question import Question

        action = await self.as_linked(action)
        question = Question(turn_id=self.turn_id, call=self.call, action=action, words=words)
        ruling = await self.asking.rule(question, self.asking.verdict(action, sandboxed=False))
        return ruling.allowed

    async def end(self, status: ToolStatus, text: str, result: ToolResult | None = None) -> ToolOutcome:
        """Tell the last state and give the outcome."""
        text = valid(bounded(text))
        kept = json_value({"text": text} | (dict(result.facts) if result is not None else {}))
        self.call = evolve(self.call, status=status, result=kept, ended_at=self.around.clock())
        await self.on_update(self.call)
        return ToolOutcome(call=self.call, text=text)


def _frames(error: BaseException) -> list[Any]:
    frames, each = [], error.__traceback__
    while each is not None:
        frames.append(each)
        each = each.tb_next
    return frames
