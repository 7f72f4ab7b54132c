"""The way to a tool: its states, its questions, its audit rows, and what happens when the user says what."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from kore_ls.agents import budget
from kore_ls.agents.ports import (
    Decision,
    DecisionKind,
    OptionKind,
    PermissionAnswer,
    PermissionOutcome,
    PermissionRequest,
)
from kore_ls.agents.rules import Answer, Rule
from kore_ls.agents.sandbox.kinds import SandboxKind
from kore_ls.agents.tools.table import TOOLS
from kore_ls.agents.words import say
from kore_ls.errors import StoreFull
from kore_ls.model.ids import MessageId
from kore_ls.model.message import ToolCall, ToolKind, ToolStatus
from kore_ls.model.mode import AgentMode
from tests.agents.means import sandbox_of
from tests.agents.scene import TURN, Scene


@pytest.fixture
def scene(folder: Path) -> Scene:
    (folder / "a.py").write_text("one\n")
    return Scene(folder.resolve(), mode=AgentMode.GENERAL)


async def test_a_call_goes_from_pending_over_in_progress_to_completed(scene: Scene) -> None:
    outcome = await scene.use("read_file", path="a.py")
    assert [each.status for each in scene.calls] == [
        ToolStatus.PENDING,
        ToolStatus.IN_PROGRESS,
        ToolStatus.COMPLETED,
    ]
    assert (outcome.text, outcome.call, outcome.call.kind) == ("one\n", scene.calls[-1], ToolKind.READ)
    assert outcome.call.result["text"] == "one\n"


async def test_a_denied_call_never_starts_and_says_why(scene: Scene) -> None:
    scene.mode = AgentMode.PLAN
    outcome = await scene.use("write_file", path="a.py", content="two\n")
    assert [each.status for each in scene.calls] == [ToolStatus.PENDING, ToolStatus.DENIED]
    assert "plan mode" in outcome.text
    assert (scene.folder / "a.py").read_text() == "one\n"


async def test_the_question_names_the_real_path_and_shows_the_diff(scene: Scene) -> None:
    (scene.folder / "link").symlink_to("a.py")
    await scene.use("write_file", path="link", content="two\n")
    (request,) = scene.asked
    assert request.summary == f"Change {scene.folder}/a.py"
    assert request.diff == "--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-one\n+two\n"
    assert [each.kind for each in request.options] == list(OptionKind)


async def test_what_agents_write_into_a_question_is_shown_and_not_obeyed(scene: Scene) -> None:
    await scene.use("run_command", argv=["echo", "\x1b[2Jhi; rm -rf /\u202e", "a b", "it's"])
    summary = scene.asked[0].summary
    assert summary.startswith("Run echo '␛[2Jhi; rm -rf /<202E>' 'a b' 'it'\\''s'; the program is /")
    assert "without a sandbox" in summary


async def test_an_allowed_edit_is_made_and_recorded(scene: Scene) -> None:
    scene.answer = "allowOnce"
    await scene.use("write_file", path="a.py", content="two\n")
    assert (scene.folder / "a.py").read_text() == "two\n"
    (row,) = scene.decisions
    assert (row.decision, row.rule, row.outcome, row.mode) == (
        DecisionKind.ASKED,
        "general.edit",
        "allowOnce",
        AgentMode.GENERAL,
    )
    assert scene.kept_rules == []


async def test_always_is_remembered_for_exactly_this(scene: Scene) -> None:
    scene.answer = "allowAlways"
    await scene.use("write_file", path="a.py", content="two\n")
    await scene.use("write_file", path="./a.py", content="three\n")
    assert len(scene.asked) == 1
    assert scene.decisions[-1].rule == f"remembered.{scene.kept_rules[0].id}"
    await scene.use("write_file", path="b.py", content="x\n")
    assert len(scene.asked) == 2


async def test_never_is_remembered_as_well(scene: Scene) -> None:
    scene.answer = "rejectAlways"
    await scene.use("delete", path="a.py")
    await scene.use("delete", path="a.py")
    assert len(scene.asked) == 1
    assert [each.decision for each in scene.decisions] == [DecisionKind.ASKED, DecisionKind.DENY]
    assert (scene.folder / "a.py").exists()


@pytest.mark.parametrize("option", ["rejectOnce", "", "allowSomehow", "allowAlways"])
async def test_an_answer_that_was_not_offered_is_a_refusal(option: str, scene: Scene) -> None:
    scene.answer = option
    outcome = await scene.use("write_file", path=".mcp.json", content="{}")
    assert outcome.call.status is ToolStatus.DENIED
    assert [each.kind for each in scene.asked[0].options] == [OptionKind.ALLOW_ONCE, OptionKind.REJECT_ONCE]
    assert not (scene.folder / ".mcp.json").exists()


async def test_a_cancelled_question_is_a_refusal(scene: Scene) -> None:
    scene.answer = lambda request: PermissionAnswer(outcome=PermissionOutcome.CANCELLED, option_id="allowOnce")
    outcome = await scene.use("delete", path="a.py")
    assert outcome.call.status is ToolStatus.DENIED
    assert scene.decisions[0].outcome == "cancelled"


@pytest.mark.parametrize("option", ["allowOnce", "rejectOnce"])
async def test_what_the_user_says_with_the_answer_reaches_the_agent(option: str, scene: Scene) -> None:
    scene.answer = lambda request: PermissionAnswer(
        outcome=PermissionOutcome.SELECTED, option_id=option, feedback="rather c.py"
    )
    assert "rather c.py" in (await scene.use("write_file", path="b.py", content="")).text


async def test_a_mode_that_became_stricter_while_the_user_was_asked_counts(scene: Scene) -> None:
    def answer(request: PermissionRequest) -> PermissionAnswer:
        scene.mode = AgentMode.PLAN
        return PermissionAnswer(outcome=PermissionOutcome.SELECTED, option_id="allowOnce")

    scene.answer = answer
    outcome = await scene.use("write_file", path="a.py", content="two\n")
    assert outcome.call.status is ToolStatus.DENIED
    assert (scene.folder / "a.py").read_text() == "one\n"


async def test_a_mode_counts_from_the_next_call_on(scene: Scene) -> None:
    scene.mode = AgentMode.PLAN
    assert (await scene.use("write_file", path="b", content="")).call.status is ToolStatus.DENIED
    scene.mode = AgentMode.BUILD
    assert (await scene.use("write_file", path="b", content="")).call.status is ToolStatus.COMPLETED


async def test_a_file_that_changed_while_the_user_was_asked_is_not_overwritten(scene: Scene) -> None:
    def answer(request: PermissionRequest) -> PermissionAnswer:
        (scene.folder / "a.py").write_text("changed by hand\n")
        return PermissionAnswer(outcome=PermissionOutcome.SELECTED, option_id="allowOnce")

    scene.answer = answer
    outcome = await scene.use("write_file", path="a.py", content="two\n")
    assert outcome.call.status is ToolStatus.FAILED
    assert (scene.folder / "a.py").read_text() == "changed by hand\n"


async def test_rules_of_the_user_spare_questions(scene: Scene) -> None:
    scene.user_rules.append(Rule(answer=Answer.ALLOW, kinds=frozenset({ToolKind.EDIT}), paths=("*.py",)))
    await scene.use("write_file", path="a.py", content="two\n")
    assert (scene.asked, scene.decisions[0].rule) == ([], "rules.1")


async def test_whether_an_edit_fits_a_secret_is_told_only_with_leave(scene: Scene) -> None:
    scene.mode = AgentMode.BUILD
    (scene.folder / ".env").write_text("KEY=1\n")
    for search in ("KEY=1", "KEY=2"):
        outcome = await scene.use("edit_file", path=".env", edits=[{"search": search, "replace": "x"}])
        assert (outcome.call.status, outcome.text) == (ToolStatus.DENIED, "Not allowed: the user refused it.")
    assert len(scene.asked) == 2


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("nothing", {}, "no such tool"),
        ("read_file", {}, "`path` is missing"),
        ("read_file", {"path": 7}, "`path` is not what it should be"),
        ("write_file", {"path": "b", "content": "x" * (5 << 20)}, "`content` is too long: it may have 4,194,304"),
        ("run_command", {"argv": "ls"}, "`argv` is not"),
        ("run_command", {"argv": []}, "`argv` is not"),
        ("run_command", {"argv": ["ls", 3]}, "`argv` is not"),
        ("run_command", {"argv": ["ls"], "network": "yes"}, "`network` is not"),
        ("edit_file", {"path": "a.py", "edits": [{"search": "a"}]}, "`edits` is not"),
        ("todo", {"done": True}, "`done` is not"),
    ],
)
async def test_wrong_arguments_fail_with_the_name_of_the_place(
    name: str, arguments: dict[str, Any], words: str, scene: Scene
) -> None:
    outcome = await scene.use(name, **arguments)
    assert outcome.call.status is ToolStatus.FAILED
    assert words in outcome.text
    assert scene.decisions == []


async def test_too_many_questions_in_a_turn_are_not_asked(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "QUESTIONS_PER_TURN", 2)
    outcomes = [await scene.use("delete", path="a.py") for _ in range(3)]
    assert len(scene.asked) == 2
    assert "too often" in outcomes[-1].text


async def test_a_turn_can_use_and_write_only_so_much(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.mode = AgentMode.BUILD
    monkeypatch.setattr(budget, "BYTES_PER_TURN", 10)
    assert "too much" in (await scene.use("write_file", path="b", content="x" * 11)).text
    assert not (scene.folder / "b").exists()
    monkeypatch.setattr(budget, "CALLS_PER_TURN", 1)
    assert "too many tools" in (await scene.use("read_file", path="a.py")).text


async def test_without_an_audit_row_nothing_runs(scene: Scene) -> None:
    class Full(Scene):
        async def record(self, decision: Decision) -> None:
            raise StoreFull

    full = Full(scene.folder, mode=AgentMode.BUILD)
    with pytest.raises(StoreFull):
        await full.use("write_file", path="b", content="x")
    assert not (scene.folder / "b").exists()
    assert full.calls[-1].status is ToolStatus.FAILED


async def test_cancelling_ends_the_command_and_tells_so(scene: Scene) -> None:
    scene.mode, scene.answer = AgentMode.BUILD, "allowOnce"
    going = asyncio.ensure_future(scene.use("run_command", argv=["sh", "-c", "echo started; sleep 60"]))
    await scene.printed.wait()
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going
    assert scene.calls[-1].status is ToolStatus.CANCELLED
    assert scene.outputs[0].chunk == "started\n"


async def test_output_is_told_with_offsets_in_utf_16(scene: Scene) -> None:
    scene.mode, scene.answer = AgentMode.BUILD, "allowOnce"
    await scene.use("run_command", argv=["sh", "-c", "printf 😀; sleep 0.05; printf 中"])
    assert "".join(each.chunk for each in scene.outputs) == "😀中"
    for before, after in zip(scene.outputs, scene.outputs[1:], strict=False):
        assert after.offset == before.offset + len(before.chunk.encode("utf-16-le")) // 2


async def test_a_lying_kind_does_not_help(scene: Scene) -> None:
    scene.mode = AgentMode.PLAN
    outcome = await scene.use("run_command", declared=ToolKind.READ, argv=["id"])
    assert outcome.call.status is ToolStatus.DENIED
    assert (await scene.use("read_file", declared=ToolKind.EXECUTE, path="a.py")).call.status is ToolStatus.DENIED


async def test_the_questions_are_in_the_users_language(scene: Scene) -> None:
    chinese = Scene(scene.folder, mode=AgentMode.GENERAL, locale="zh_CN.UTF-8")
    outcome = await chinese.use("delete", path="a.py")
    assert chinese.asked[0].summary.startswith("删除 ")
    assert chinese.asked[0].options[0].name == "允许一次"
    assert (chinese.asked[0].call.title, outcome.call.title) == ("删除 a.py", "删除 a.py")


@pytest.mark.parametrize("name", TOOLS)
def test_every_tool_has_a_title_in_both_languages(name: str) -> None:
    values = {"path": "a.py", "target": "b.py", "argv": "id"}
    english, chinese = (say(f"title.{name}", locale, **values) for locale in ("en", "zh-CN"))
    assert any("\u4e00" <= each <= "\u9fff" for each in chinese) and english.isascii()


async def test_a_session_keeps_its_own_list_of_things_to_do(scene: Scene) -> None:
    await scene.use("todo", text="first\nline")
    await scene.use("todo", text="second")
    assert (await scene.use("todo", done=1)).text == "1. [x] first line\n2. [ ] second"
    assert (await Scene(scene.folder).use("todo")).text == "The list is empty."
    assert (await scene.use("todo", done=3)).call.status is ToolStatus.FAILED


async def test_a_question_that_is_cancelled_with_its_turn_is_recorded(scene: Scene) -> None:
    class Waiting(Scene):
        async def ask(self, request: PermissionRequest) -> PermissionAnswer:
            self.asked.append(request)
            self.printed.set()
            await asyncio.get_running_loop().create_future()
            raise AssertionError

    waiting = Waiting(scene.folder, mode=AgentMode.GENERAL)
    going = asyncio.ensure_future(waiting.use("delete", path="a.py"))
    await waiting.printed.wait()
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going
    assert [each.outcome for each in waiting.decisions] == ["cancelled"]
    assert waiting.calls[-1].status is ToolStatus.CANCELLED
    assert (scene.folder / "a.py").exists()


async def test_a_question_too_long_to_be_shown_has_both_ends_no_always_and_the_program_first(scene: Scene) -> None:
    argv = ["sh", "-c", "echo begun; " + "true; " * 5_000 + "rm -rf ended"]
    await scene.use("run_command", argv=argv, network=True)
    (request,) = scene.asked
    assert len(request.summary) <= 8_000
    assert request.summary.startswith("the program is /")
    for part in ("; with the network; ", "; in /", "Run sh -c 'echo begun; ", "characters left out", "rm -rf ended'"):
        assert part in request.summary
    assert request.summary.index("with the network") < request.summary.index("Run sh")
    left_out = int(request.summary.split("[... ")[1].split(" ")[0])
    assert left_out + len(request.summary) > len(" ".join(argv))
    assert [each.kind for each in request.options] == [OptionKind.ALLOW_ONCE, OptionKind.REJECT_ONCE]


async def test_a_long_question_that_can_be_shown_offers_always_and_begins_with_the_program(scene: Scene) -> None:
    confined = Scene(scene.folder, mode=AgentMode.GENERAL, sandbox=sandbox_of(SandboxKind.BUBBLEWRAP))
    await confined.use("run_command", argv=["echo", "x" * 1_000, "end"])
    (request,) = confined.asked
    assert request.summary.startswith("the program is /")
    assert request.summary.endswith(f"; Run echo {'x' * 1_000} end")
    assert OptionKind.ALLOW_ALWAYS in [each.kind for each in request.options]


async def test_many_paths_in_a_question_are_cut_in_the_middle(scene: Scene) -> None:
    call = ToolCall(
        id="c", message_id=MessageId(""), name="x", kind=ToolKind.EDIT, title="t", arguments={}, started_at=1,
        status=ToolStatus.PENDING,
    )  # fmt: skip
    paths = [f"{number:04}-{'long' * 20}" for number in range(300)]
    await scene.toolbox.permit(call, turn_id=TURN, paths=paths, argv=(), diff=None, confined=True)
    (request,) = scene.asked
    assert "0000-" in request.summary and "0299-" in request.summary and "characters left out" in request.summary
    assert len(request.options) == 2
