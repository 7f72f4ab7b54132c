"""Nothing is learned of what lies outside of the folder before the gate has let it: not even whether it is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kore_ls.agents.ports import DecisionKind
from kore_ls.model.message import ToolStatus
from kore_ls.model.mode import AgentMode
from tests.agents.scene import Scene

EDITS = [{"search": "a", "replace": "b"}]
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("write_file", {"path": "{}", "content": "x"}),
    ("edit_file", {"path": "{}", "edits": EDITS}),
    ("delete", {"path": "{}"}),
    ("move", {"source": "{}", "target": "here"}),
    ("move", {"source": "mine", "target": "{}"}),
    ("read_file", {"path": "{}"}),
    ("list_dir", {"path": "{}"}),
    ("grep", {"pattern": "x", "path": "{}"}),
    ("symbols", {"path": "{}"}),
    ("diff", {"path": "{}"}),
]
NAMES = ("nothing", "nothing/below", "directory", "file", "file/below", "loop", "directory/file")


@pytest.fixture
def scene(folder: Path, tmp_path: Path) -> Scene:
    outside = tmp_path / "outside"
    (outside / "directory").mkdir(parents=True)
    for name in ("file", "directory/file"):
        (outside / name).write_text("a")
    (outside / "loop").symlink_to("loop")
    (folder / "mine").write_text("a")
    return Scene(folder.resolve(), answer="rejectOnce")


@pytest.mark.parametrize(
    "mode", [AgentMode.PLAN, AgentMode.BUILD, pytest.param(AgentMode.GENERAL, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(("tool", "arguments"), CALLS)
async def test_what_is_there_and_what_is_not_get_the_same_answer(
    scene: Scene, tmp_path: Path, tool: str, arguments: dict[str, Any], mode: AgentMode
) -> None:
    scene.mode = mode
    answers = set()
    for name in NAMES:
        path = f"{tmp_path.resolve()}/outside/{name}"
        given: dict[str, Any] = {
            key: value.format(path) if isinstance(value, str) else value for key, value in arguments.items()
        }
        before = len(scene.decisions)
        outcome = await scene.use(tool, **given)
        titles = {call.title.replace(path, "PATH") for call in scene.calls if call.id == outcome.call.id}
        rows = [(each.decision, each.rule) for each in scene.decisions[before:]]
        answers.add((outcome.call.status, outcome.text.replace(path, "PATH"), frozenset(titles), tuple(rows)))
    ((status, _, _, decided),) = answers
    assert status is ToolStatus.DENIED
    assert [row[0] for row in decided] == [DecisionKind.ASKED if mode is AgentMode.BUILD else DecisionKind.DENY]


async def test_after_the_leave_what_is_the_matter_is_told(scene: Scene, tmp_path: Path) -> None:
    scene.answer = "allowOnce"
    outcome = await scene.use("delete", path=f"{tmp_path}/outside/nothing")
    assert (outcome.call.status, outcome.text) == (ToolStatus.FAILED, "There is no such file or directory.")
    assert len(scene.asked) == 1


async def test_commands_run_inside_alone_and_nobody_is_asked_about_another_place(scene: Scene, tmp_path: Path) -> None:
    texts = {(await scene.use("run_command", argv=["true"], cwd=f"{tmp_path}/outside/{name}")).text for name in NAMES}
    assert texts == {"Commands run inside of the workspace folder."}
    assert scene.asked == []


async def test_what_is_git_s_or_kore_s_own_is_denied_whatever_it_is(scene: Scene) -> None:
    (scene.folder / ".kore").mkdir()
    calls: list[tuple[str, dict[str, Any]]] = [
        ("write_file", {"path": ".kore", "content": "x"}),
        ("delete", {"path": ".git/nothing"}),
        ("move", {"source": "mine", "target": ".kore"}),
    ]
    for tool, arguments in calls:
        assert (await scene.use(tool, **arguments)).call.status is ToolStatus.DENIED
    assert [each.rule for each in scene.decisions] == ["build.internal"] * 3
