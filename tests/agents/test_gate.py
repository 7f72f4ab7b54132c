"""The table of the permission gate, cell by cell, and what refines it."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve

from kore_ls.agents.gate import Action, decide
from kore_ls.agents.paths import Access, Place
from kore_ls.agents.protected import Guard
from kore_ls.agents.rules import Answer, Remembered, Rule
from kore_ls.model.message import ToolKind
from kore_ls.model.mode import AgentMode

FREE = (ToolKind.READ, ToolKind.SEARCH, ToolKind.THINK)
EDITS = (ToolKind.EDIT, ToolKind.MOVE, ToolKind.DELETE)
COMMAND = Action(tool="run_command", kind=ToolKind.EXECUTE, argv=("make", "all"))


def place(access: Access, *guards: Guard, inside: bool = True, name: str = "a/b.py") -> Place:
    path = Path("/work" if inside else "/else", name)
    return Place(
        path=path,
        relative=name if inside else str(path),
        inside=inside,
        guards=frozenset(guards),
        access=access,
        identity=(1, 1),
    )


def answer(mode: str, action: Action, *, trusted: bool = True, sandboxed: bool = True) -> str:
    return decide(AgentMode(mode), action, trusted=trusted, sandboxed=sandboxed).answer.value


def reading(*guards: Guard, inside: bool = True) -> Action:
    return Action(tool="read_file", kind=ToolKind.READ, places=(place(Access.READ, *guards, inside=inside),))


def writing(*guards: Guard, inside: bool = True, kind: ToolKind = ToolKind.EDIT) -> Action:
    return Action(tool="write_file", kind=kind, places=(place(Access.WRITE, *guards, inside=inside),))


@pytest.mark.parametrize("mode", ["plan", "general", "build"])
@pytest.mark.parametrize("kind", FREE)
def test_reading_searching_and_thinking_are_free(mode: str, kind: ToolKind) -> None:
    action = Action(tool="t", kind=kind, places=(place(Access.READ),))
    assert answer(mode, action) == answer(mode, evolve(action, places=())) == "allow"


@pytest.mark.parametrize("kind", EDITS)
@pytest.mark.parametrize(("mode", "wanted"), [("plan", "deny"), ("general", "ask"), ("build", "allow")])
def test_plan_denies_changes_general_asks_build_allows(mode: str, kind: ToolKind, wanted: str) -> None:
    assert answer(mode, writing(kind=kind)) == wanted


@pytest.mark.parametrize(
    ("mode", "sandboxed", "wanted"),
    [
        *(("plan", True, "deny"), ("plan", False, "deny"), ("general", True, "ask"), ("general", False, "ask")),
        *(("build", True, "allow"), ("build", False, "ask")),
    ],
)
def test_commands_are_denied_asked_or_run_in_the_sandbox(mode: str, sandboxed: bool, wanted: str) -> None:
    assert answer(mode, COMMAND, sandboxed=sandboxed) == wanted


@pytest.mark.parametrize("kind", [ToolKind.FETCH, ToolKind.OTHER, None])
@pytest.mark.parametrize(
    ("mode", "sandboxed", "wanted"),
    [
        *(("plan", True, "deny"), ("plan", False, "deny"), ("general", True, "ask"), ("general", False, "ask")),
        *(("build", True, "allow"), ("build", False, "ask")),
    ],
)
def test_what_is_unknown_or_fetches_counts_as_a_command(
    mode: str, sandboxed: bool, kind: ToolKind | None, wanted: str
) -> None:
    assert answer(mode, Action(tool="t", kind=kind), sandboxed=sandboxed) == wanted


@pytest.mark.parametrize(("mode", "wanted"), [("plan", "deny"), ("general", "ask"), ("build", "ask")])
@pytest.mark.parametrize("want", ["network", "unsandboxed"])
def test_the_network_and_freedom_from_the_sandbox_are_asked_for(mode: str, want: str, wanted: str) -> None:
    action = evolve(COMMAND, network=want == "network", unsandboxed=want == "unsandboxed")
    assert answer(mode, action, sandboxed=not action.unsandboxed) == wanted


@pytest.mark.parametrize(("mode", "wanted"), [("plan", "deny"), ("general", "deny"), ("build", "ask")])
def test_what_is_outside_is_denied_or_asked(mode: str, wanted: str) -> None:
    assert answer(mode, reading(inside=False)) == wanted
    assert answer(mode, writing(inside=False)) == wanted


@pytest.mark.parametrize(
    ("mode", "read", "write"), [("plan", "deny", "deny"), ("general", "ask", "deny"), ("build", "ask", "ask")]
)
def test_secrets_are_never_read_or_written_unasked(mode: str, read: str, write: str) -> None:
    assert answer(mode, reading(Guard.SECRET)) == read
    assert answer(mode, writing(Guard.SECRET)) == write


@pytest.mark.parametrize("mode", ["plan", "general", "build"])
@pytest.mark.parametrize("kind", EDITS)
def test_nobody_writes_the_store_or_the_inside_of_git(mode: str, kind: ToolKind) -> None:
    assert answer(mode, writing(Guard.INTERNAL, kind=kind)) == "deny"
    assert answer(mode, reading(Guard.INTERNAL)) == "allow"


@pytest.mark.parametrize(("mode", "wanted"), [("plan", "deny"), ("general", "ask"), ("build", "ask")])
def test_files_that_run_code_are_asked_about_each_time(mode: str, wanted: str) -> None:
    verdict = decide(AgentMode(mode), writing(Guard.CODE), trusted=True, sandboxed=True)
    assert verdict.answer.value == wanted
    assert not verdict.lasting
    assert answer(mode, reading(Guard.CODE)) == "allow"


@pytest.mark.parametrize("mode", ["plan", "general", "build"])
@pytest.mark.parametrize(
    "action", [reading(), reading(Guard.SECRET), writing(), COMMAND, writing(Guard.CODE), reading(inside=False)]
)
def test_a_folder_that_is_not_trusted_is_in_plan_mode(mode: str, action: Action) -> None:
    assert answer(mode, action, trusted=False) == answer("plan", action)


@pytest.mark.parametrize("mode", ["plan", "general", "build"])
@pytest.mark.parametrize("declared", list(ToolKind))
@pytest.mark.parametrize("action", [reading(), writing(), COMMAND, Action(tool="t", kind=None)])
def test_a_declared_kind_only_tightens(mode: str, declared: ToolKind, action: Action) -> None:
    order = ["allow", "ask", "deny"]
    without, with_it = answer(mode, action), answer(mode, evolve(action, declared=declared))
    assert order.index(with_it) >= order.index(without)
    if declared in (ToolKind.EXECUTE, ToolKind.DELETE):
        assert order.index(with_it) >= order.index(answer(mode, Action(tool="t", kind=declared)))


def test_of_several_paths_the_strictest_counts() -> None:
    both = evolve(writing(), places=(place(Access.WRITE), place(Access.WRITE, Guard.INTERNAL)))
    assert answer("build", both) == "deny"
    mixed = evolve(writing(), places=(place(Access.WRITE, Guard.CODE), place(Access.WRITE, Guard.SECRET)))
    assert not decide(AgentMode.BUILD, mixed, trusted=True, sandboxed=True).lasting


def ruled(mode: str, action: Action, *rules: Rule) -> str:
    return decide(AgentMode(mode), action, trusted=True, sandboxed=True, rules=rules).answer.value


def test_a_rule_of_the_user_allows_what_would_be_asked() -> None:
    edits = Rule(answer=Answer.ALLOW, modes=frozenset({AgentMode.GENERAL}), paths=("a/**",))
    assert ruled("general", writing(), edits) == "allow"
    assert ruled("general", writing(inside=False), edits) == "deny"
    make = Rule(answer=Answer.ALLOW, argv=("make",))
    assert ruled("general", COMMAND, make) == "allow"
    assert ruled("general", evolve(COMMAND, argv=("makeup",)), make) == "ask"
    assert ruled("general", evolve(COMMAND, argv=("./make", "all")), make) == "ask"
    assert ruled("general", evolve(COMMAND, network=True), make) == "ask"


@pytest.mark.parametrize(
    "action", [writing(), COMMAND, reading(inside=False), reading(Guard.SECRET), writing(Guard.INTERNAL)]
)
def test_no_rule_loosens_a_denial(action: Action) -> None:
    assert ruled("plan", action, Rule(answer=Answer.ALLOW), Rule(answer=Answer.ASK)) == "deny"


@pytest.mark.parametrize("action", [evolve(COMMAND, network=True), evolve(COMMAND, unsandboxed=True)])
def test_a_rule_that_forbids_a_command_forbids_it_with_every_freedom(action: Action) -> None:
    assert ruled("build", action, Rule(answer=Answer.DENY, argv=("make",))) == "deny"


def test_no_rule_spares_the_question_about_files_that_run_code() -> None:
    assert ruled("build", writing(Guard.CODE), Rule(answer=Answer.ALLOW)) == "ask"


def test_the_strictest_fitting_rule_counts_in_any_order() -> None:
    rules = [Rule(answer=Answer.ALLOW), Rule(answer=Answer.DENY, paths=("**/*.py",)), Rule(answer=Answer.ASK)]
    assert ruled("build", writing(), *rules) == ruled("build", writing(), *reversed(rules)) == "deny"
    assert ruled("build", COMMAND, *rules) == "ask"


def test_an_allowing_rule_must_fit_all_paths_and_a_denying_one_any() -> None:
    two = evolve(writing(), places=(place(Access.WRITE), place(Access.WRITE, name="c.md")))
    assert ruled("general", two, Rule(answer=Answer.ALLOW, paths=("*.md",))) == "ask"
    assert ruled("build", two, Rule(answer=Answer.DENY, paths=("*.md",))) == "deny"


def remembered(action: Action, answer: Answer) -> Remembered:
    return Remembered(
        id="r",
        answer=answer,
        tool=action.tool,
        kind=action.kind or ToolKind.OTHER,
        paths=tuple(str(each.path) for each in action.places),
        argv=action.argv,
        network=action.network,
        created_at=1,
    )


def recalled(mode: str, action: Action, *rules: Remembered) -> str:
    return decide(AgentMode(mode), action, trusted=True, sandboxed=True, remembered=rules).answer.value


def test_always_counts_for_exactly_the_same_and_nothing_else() -> None:
    always = remembered(COMMAND, Answer.ALLOW)
    assert recalled("general", COMMAND, always) == "allow"
    assert recalled("general", evolve(COMMAND, argv=("make", "all", "x")), always) == "ask"
    assert recalled("general", evolve(COMMAND, network=True), always) == "ask"
    assert recalled("general", evolve(COMMAND, unsandboxed=True), always) == "ask"
    assert recalled("plan", COMMAND, always) == "deny"
    edit = remembered(writing(), Answer.ALLOW)
    assert recalled("general", writing(), edit) == "allow"
    assert recalled("general", writing(kind=ToolKind.DELETE), edit) == "ask"


def test_always_said_of_a_confined_command_does_not_count_without_the_sandbox() -> None:
    always = remembered(COMMAND, Answer.ALLOW)
    free = evolve(COMMAND, unsandboxed=True)
    for mode in (AgentMode.GENERAL, AgentMode.BUILD):
        for action, rule in ((COMMAND, always), (free, evolve(always, unsandboxed=True))):
            verdict = decide(mode, action, trusted=True, sandboxed=False, remembered=(rule,))
            assert (verdict.answer, verdict.lasting) == (Answer.ASK, False)
    never = remembered(COMMAND, Answer.DENY)
    assert decide(AgentMode.BUILD, COMMAND, trusted=True, sandboxed=False, remembered=(never,)).answer is Answer.DENY


@pytest.mark.parametrize("mode", [AgentMode.GENERAL, AgentMode.BUILD])
def test_a_rule_counts_without_the_sandbox_only_if_it_says_so(mode: AgentMode) -> None:
    def without(action: Action, rule: Rule) -> str:
        return decide(mode, action, trusted=True, sandboxed=False, rules=(rule,)).answer.value

    for rule in (Rule(answer=Answer.ALLOW), Rule(answer=Answer.ALLOW, argv=("make",))):
        for action in (COMMAND, evolve(COMMAND, unsandboxed=True)):
            assert without(action, rule) == "ask"
            assert without(action, evolve(rule, unsandboxed=True)) == "allow"
    anything = Rule(answer=Answer.ALLOW, unsandboxed=True)
    assert without(evolve(COMMAND, places=(place(Access.WRITE, Guard.CODE),)), anything) == "ask"


def test_never_counts_more_than_always() -> None:
    rules = [remembered(COMMAND, Answer.DENY), remembered(COMMAND, Answer.ALLOW)]
    assert recalled("general", COMMAND, *rules) == "deny"


def test_always_does_not_count_for_files_that_run_code() -> None:
    assert recalled("build", writing(Guard.CODE), remembered(writing(Guard.CODE), Answer.ALLOW)) == "ask"


def test_a_verdict_names_its_rule_and_its_reason() -> None:
    verdict = decide(AgentMode.BUILD, writing(), trusted=False, sandboxed=True)
    assert (verdict.rule, "not trusted" in verdict.reason) == ("plan.edit", True)
