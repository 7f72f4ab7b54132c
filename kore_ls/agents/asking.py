"""From the gate's verdict to a yes or no: the user is asked, "always" is remembered, every decision is recorded."""

from __future__ import annotations

import asyncio
import contextlib

from attrs import frozen

from kore_ls.agents.budget import Budget
from kore_ls.agents.gate import Action, Verdict, decide
from kore_ls.agents.ports import (
    Decision,
    DecisionKind,
    OptionKind,
    PermissionAnswer,
    PermissionOption,
    PermissionOutcome,
    PermissionRequest,
)
from kore_ls.agents.question import Question, summary_of
from kore_ls.agents.rules import Answer, Remembered
from kore_ls.agents.surroundings import Surroundings
from kore_ls.agents.words import say
from kore_ls.errors import KoreError
from kore_ls.model.message import ToolKind

_LONGEST_FEEDBACK = 8_000


@frozen(kw_only=True)
class Ruling:
    """Whether the action may go ahead, and why not."""

    allowed: bool
    reason: str = ""


class Asking:
    """Rules on the actions of one session."""

    def __init__(self, around: Surroundings, budget: Budget) -> None:
        self._around, self._budget = around, budget

    def verdict(self, action: Action, *, sandboxed: bool) -> Verdict:
        """What the gate says right now."""
        return decide(
            self._around.session().agent_mode,
            action,
            trusted=self._around.trusted(),
            sandboxed=sandboxed,
            rules=self._around.rules.rules(),
            remembered=self._around.rules.remembered(),
        )

    async def rule(self, question: Question, verdict: Verdict) -> Ruling:
        """Turn a verdict into a ruling, asking the user where it says so. Raises what the ports raise."""
        if verdict.answer is Answer.ALLOW:
            await self._record(question, verdict, DecisionKind.ALLOW)
            return Ruling(allowed=True)
        if verdict.answer is Answer.DENY:
            await self._record(question, verdict, DecisionKind.DENY)
            return Ruling(allowed=False, reason=f"Not allowed: {verdict.reason}.")
        self._budget.ask()
        request = self._request(question, verdict)
        try:
            answer = await self._around.permissions.ask(request)
        except asyncio.CancelledError:
            recording = self._record(question, verdict, DecisionKind.ASKED, outcome=PermissionOutcome.CANCELLED.value)
            with contextlib.suppress(KoreError):  # the turn ends, whatever the store says
                await asyncio.shield(asyncio.ensure_future(recording))
            raise
        chosen = _chosen(request, answer)
        outcome = PermissionOutcome.CANCELLED.value if chosen is None else chosen.value
        again = self.verdict(question.action, sandboxed=question.sandboxed)
        await self._record(question, verdict, DecisionKind.ASKED, outcome=outcome)
        if chosen in (OptionKind.ALLOW_ALWAYS, OptionKind.REJECT_ALWAYS):
            await self._remember(question.action, chosen)
        if chosen not in (OptionKind.ALLOW_ONCE, OptionKind.ALLOW_ALWAYS):
            return Ruling(allowed=False, reason=_refusal(chosen, answer))
        if again.answer is Answer.DENY:  # the mode may have changed while the question was open
            await self._record(question, again, DecisionKind.DENY)
            return Ruling(allowed=False, reason=f"Not allowed: {again.reason}.")
        return Ruling(allowed=True, reason=(answer.feedback or "")[:_LONGEST_FEEDBACK])

    def _request(self, question: Question, verdict: Verdict) -> PermissionRequest:
        locale = self._around.locale
        kinds = [OptionKind.ALLOW_ONCE, OptionKind.ALLOW_ALWAYS, OptionKind.REJECT_ONCE, OptionKind.REJECT_ALWAYS]
        summary, whole = summary_of(question, locale)
        if not verdict.lasting or not whole:  # nobody says "always" to what can't be seen
            kinds = [OptionKind.ALLOW_ONCE, OptionKind.REJECT_ONCE]
        return PermissionRequest(
            request_id=self._around.new_id(),
            session_id=self._around.session().id,
            turn_id=question.turn_id,
            call=question.call,
            summary=summary,
            diff=question.diff,
            options=tuple(PermissionOption(id=kind.value, name=say(kind.value, locale), kind=kind) for kind in kinds),
        )

    async def _record(
        self, question: Question, verdict: Verdict, kind: DecisionKind, *, outcome: str | None = None
    ) -> None:
        session = self._around.session()
        await self._around.audit.record(
            Decision(
                session_id=session.id,
                turn_id=question.turn_id,
                call=question.call,
                mode=session.agent_mode,
                decision=kind,
                rule=verdict.rule,
                outcome=outcome,
                timestamp=self._around.clock(),
            )
        )

    async def _remember(self, action: Action, chosen: OptionKind) -> None:
        await self._around.rules.remember(
            Remembered(
                id=self._around.new_id(),
                answer=Answer.ALLOW if chosen is OptionKind.ALLOW_ALWAYS else Answer.DENY,
                tool=action.tool,
                kind=action.kind or ToolKind.OTHER,
                paths=tuple(str(place.path) for place in action.places),
                argv=action.argv,
                network=action.network,
                unsandboxed=action.unsandboxed,
                created_at=self._around.clock(),
            )
        )


def _chosen(request: PermissionRequest, answer: PermissionAnswer) -> OptionKind | None:
    """The kind of the chosen option; None where nothing was chosen. An option that was not offered is a rejection."""
    if answer.outcome is PermissionOutcome.CANCELLED:
        return None
    offered = {option.id: option.kind for option in request.options}
    return offered.get(answer.option_id or "", OptionKind.REJECT_ONCE)


def _refusal(chosen: OptionKind | None, answer: PermissionAnswer) -> str:
    if chosen is None:
        return "Not allowed: the question was cancelled."
    words = (answer.feedback or "").strip()[:_LONGEST_FEEDBACK]
    return f"Not allowed: the user refused it and says: {words}" if words else "Not allowed: the user refused it."
