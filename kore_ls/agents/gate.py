"""The permission gate: mode, kind, paths and command give allow, ask or deny, with the rule that says so. Pure.

Rows of one table, strictest first wins: what a call is (its kind) and, for each path, where it leads and what it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from kore_ls.agents.globs import glob_fits
from kore_ls.agents.paths import Access, Place
from kore_ls.agents.protected import Guard
from kore_ls.agents.rules import Answer, Remembered, Rule
from kore_ls.model.message import ToolKind
from kore_ls.model.mode import AgentMode


@frozen(kw_only=True)
class Action:
    """What a tool call is about to do.

    `kind` is what we know it to be, None where we don't (an external agent's own tool); `declared` is what an agent
    says it is, which can only make the answer stricter. `network` and `unsandboxed` are what a command asks for.
    """

    tool: str
    kind: ToolKind | None
    declared: ToolKind | None = None
    places: tuple[Place, ...] = ()
    argv: tuple[str, ...] = ()
    network: bool = False
    unsandboxed: bool = False


@frozen(kw_only=True)
class Verdict:
    """What the gate says. `rule` names the row for the audit, `reason` is told to the agent and the user.

    `lasting`: "always" may be offered, and a remembered answer counts.
    """

    answer: Answer
    rule: str
    reason: str
    lasting: bool = True


_PLAN, _GENERAL, _BUILD = AgentMode.PLAN, AgentMode.GENERAL, AgentMode.BUILD
_ALLOW, _ASK, _DENY = Answer.ALLOW, Answer.ASK, Answer.DENY
_Row = dict[AgentMode, Answer]

_FREE: _Row = {_PLAN: _ALLOW, _GENERAL: _ALLOW, _BUILD: _ALLOW}
_EDIT: _Row = {_PLAN: _DENY, _GENERAL: _ASK, _BUILD: _ALLOW}
_EXECUTE: _Row = {_PLAN: _DENY, _GENERAL: _ASK, _BUILD: _ALLOW}
_OUTSIDE: _Row = {_PLAN: _DENY, _GENERAL: _DENY, _BUILD: _ASK}
_SECRET: dict[Access, _Row] = {
    Access.READ: {_PLAN: _DENY, _GENERAL: _ASK, _BUILD: _ASK},
    Access.WRITE: {_PLAN: _DENY, _GENERAL: _DENY, _BUILD: _ASK},
}
_INTERNAL: _Row = {_PLAN: _DENY, _GENERAL: _DENY, _BUILD: _DENY}
_CODE: _Row = {_PLAN: _DENY, _GENERAL: _ASK, _BUILD: _ASK}

_ROWS: dict[ToolKind, _Row] = {
    **dict.fromkeys((ToolKind.READ, ToolKind.SEARCH, ToolKind.THINK), _FREE),
    **dict.fromkeys((ToolKind.EDIT, ToolKind.MOVE, ToolKind.DELETE), _EDIT),
    **dict.fromkeys((ToolKind.EXECUTE, ToolKind.FETCH, ToolKind.OTHER), _EXECUTE),
}
_STRICTNESS = {Answer.ALLOW: 0, Answer.ASK: 1, Answer.DENY: 2}
_REASONS = {
    "edit": "changing files is not allowed in {mode} mode",
    "execute": "running commands is not allowed in {mode} mode",
    "sandbox": "commands can't be confined on this machine",
    "network": "the command wants the network",
    "unsandboxed": "the command wants to run without the sandbox",
    "outside": "this is outside of the workspace folder",
    "secret": "this file holds secrets",
    "internal": "Kore's and git's own files are not written by tools",
    "code": "an editor, an agent or git runs what is in this file",
}


def decide(
    mode: AgentMode,
    action: Action,
    *,
    trusted: bool,
    sandboxed: bool,
    rules: Sequence[Rule] = (),
    remembered: Sequence[Remembered] = (),
) -> Verdict:
    """What may happen with an action. `sandboxed`: a command of this action will be confined."""
    effective = mode if trusted else AgentMode.PLAN
    verdict = _strictest(_by_table(effective, action, sandboxed=sandboxed))
    if not trusted and verdict.answer is Answer.DENY and mode is not AgentMode.PLAN:
        verdict = evolve(verdict, reason=f"{verdict.reason}, because this folder is not trusted")
    verdict = _refined(verdict, effective, action, rules, sandboxed=sandboxed)
    return _recalled(verdict, action, remembered)


def _by_table(mode: AgentMode, action: Action, *, sandboxed: bool) -> list[Verdict]:
    known = action.kind or ToolKind.OTHER
    verdicts = [_kind_row(mode, kind) for kind in (known, action.declared) if kind is not None]
    if _ROWS[known] is _EXECUTE and mode is not AgentMode.PLAN:
        if action.network:
            verdicts.append(_verdict(Answer.ASK, "network", mode))
        if not sandboxed:
            # what was once allowed in the sandbox would do something else out of it: each run is a new question
            name = "unsandboxed" if action.unsandboxed else "sandbox"
            verdicts.append(_verdict(Answer.ASK, name, mode, lasting=False))
    for place in action.places:
        verdicts.extend(_place_rows(mode, place))
    return verdicts


def _kind_row(mode: AgentMode, kind: ToolKind) -> Verdict:
    row = _ROWS[kind]
    name = "read" if row is _FREE else "edit" if row is _EDIT and kind in _EDITS else "execute"
    return _verdict(row[mode], name, mode)


_EDITS = frozenset({ToolKind.EDIT, ToolKind.MOVE, ToolKind.DELETE})


def _place_rows(mode: AgentMode, place: Place) -> list[Verdict]:
    found: list[Verdict] = []
    if not place.inside:
        found.append(_verdict(_OUTSIDE[mode], "outside", mode))
    if Guard.SECRET in place.guards:
        found.append(_verdict(_SECRET[place.access][mode], "secret", mode))
    if place.access is Access.WRITE and Guard.INTERNAL in place.guards:
        found.append(_verdict(_INTERNAL[mode], "internal", mode))
    if place.access is Access.WRITE and Guard.CODE in place.guards:
        found.append(_verdict(_CODE[mode], "code", mode, lasting=False))
    return found


def _verdict(answer: Answer, name: str, mode: AgentMode, *, lasting: bool = True) -> Verdict:
    reason = _REASONS.get(name, "").format(mode=mode.value)
    return Verdict(answer=answer, rule=f"{mode.value}.{name}", reason=reason, lasting=lasting)


def _strictest(verdicts: Sequence[Verdict]) -> Verdict:
    """The strictest; of equals the last, which is about a path and says more. One that never lasts makes all so."""
    chosen = verdicts[0]
    for each in verdicts[1:]:
        if _STRICTNESS[each.answer] >= _STRICTNESS[chosen.answer]:
            chosen = each
    return evolve(chosen, lasting=all(each.lasting for each in verdicts))


def _refined(verdict: Verdict, mode: AgentMode, action: Action, rules: Sequence[Rule], *, sandboxed: bool) -> Verdict:
    """The user's rules: the strictest that fits counts; it tightens anything, and loosens only a lasting "ask", or
    one that would last in the sandbox if the rule counts without one as well.
    """
    fitting = [(number, rule) for number, rule in enumerate(rules, 1) if _fits(rule, mode, action)]
    if not fitting or verdict.answer is Answer.DENY:
        return verdict
    number, rule = max(fitting, key=lambda each: (_STRICTNESS[each[1].answer], -each[0]))
    tightens = _STRICTNESS[rule.answer] > _STRICTNESS[verdict.answer]
    confined = _strictest(_by_table(mode, action, sandboxed=True)) if rule.unsandboxed and not sandboxed else verdict
    loosens = rule.answer is Answer.ALLOW and verdict.answer is Answer.ASK and confined.lasting
    if tightens or loosens:
        return evolve(verdict, answer=rule.answer, rule=f"rules.{number}", reason="a rule of the user says so")
    return verdict


def _fits(rule: Rule, mode: AgentMode, action: Action) -> bool:
    if rule.modes and mode not in rule.modes:
        return False
    if rule.kinds and (action.kind or ToolKind.OTHER) not in rule.kinds:
        return False
    if rule.argv and action.argv[: len(rule.argv)] != rule.argv:
        return False
    if rule.answer is Answer.ALLOW and ((rule.argv and action.network) or (action.unsandboxed > rule.unsandboxed)):
        return False
    if not rule.paths:
        return True
    fit = all if rule.answer is Answer.ALLOW else any
    return bool(action.places) and fit(any(_glob_fits(glob, place) for glob in rule.paths) for place in action.places)


def _glob_fits(glob: str, place: Place) -> bool:
    return any(glob_fits(glob, text) for text in (place.relative, str(place.path)))


def _recalled(verdict: Verdict, action: Action, remembered: Sequence[Remembered]) -> Verdict:
    if verdict.answer is not Answer.ASK:
        return verdict
    wanted = key_of(action)
    fitting = [each for each in remembered if _key(each) == wanted]
    if not fitting:
        return verdict
    denied = next((each for each in fitting if each.answer is Answer.DENY), None)
    if denied is None and not verdict.lasting:
        return verdict
    chosen = denied or fitting[-1]
    reason = "the user said never to do this in this session" if denied else "the user said always to allow this"
    return evolve(verdict, answer=chosen.answer, rule=f"remembered.{chosen.id}", reason=reason)


def key_of(action: Action) -> tuple[object, ...]:
    """What an "always" answer is about: exactly this action and no other."""
    paths = tuple(str(place.path) for place in action.places)
    return action.tool, action.kind or ToolKind.OTHER, paths, action.argv, action.network, action.unsandboxed


def _key(rule: Remembered) -> tuple[object, ...]:
    return rule.tool, rule.kind, rule.paths, rule.argv, rule.network, rule.unsandboxed
