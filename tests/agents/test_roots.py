"""A folder that lies in a special place itself is special, and what can't be looked through is not taken for plain."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from kore_ls.agents.aliases import aliases_of, as_linked
from kore_ls.agents.paths import Access, locate
from kore_ls.agents.protected import Guard
from kore_ls.agents.sandbox.kinds import SandboxKind
from kore_ls.agents.tools.folder_watch import FolderWatch
from kore_ls.model.message import ToolStatus
from kore_ls.model.mode import AgentMode
from tests.agents.means import sandbox_of
from tests.agents.scene import Scene


@pytest.mark.parametrize(
    ("root", "name", "command"),
    [
        *((".github", "workflows/ci.yml", True), (".vscode", "tasks.json", False)),
        *((".git/hooks", "post-commit", False), (".git", "hooks/pre-commit", False), (".kore", "sessions.db", False)),
        (".cargo", "config.toml", True),
        *((".claude/deep/er", "settings.json", False), (".config", "git/config", True)),
    ],
)  # fmt: skip
async def test_in_a_special_place_what_runs_code_is_written_by_nobody_unasked(
    root: str, name: str, command: bool, tmp_path: Path
) -> None:
    work = tmp_path.resolve() / root
    (work / name).parent.mkdir(parents=True)
    (work / name).write_text("as it was")
    scene = Scene(work, sandbox=sandbox_of(SandboxKind.BUBBLEWRAP))
    assert (await scene.use("write_file", path=name, content="x")).call.status is ToolStatus.DENIED
    outcome = await scene.use("run_command", argv=["sh", "-c", f"echo x > {name}; echo x > {name}2"])
    assert (outcome.call.status is ToolStatus.COMPLETED) is command
    assert (work / name).read_text() == "as it was"


@pytest.mark.parametrize(
    ("root", "name"), [(".config", "gcloud/x"), (".ssh", "config"), (".aws/deep/er", "x"), (".docker", "config.json")]
)
async def test_in_a_special_place_no_secret_is_read_unasked(root: str, name: str, tmp_path: Path) -> None:
    work = tmp_path.resolve() / root
    (work / name).parent.mkdir(parents=True)
    (work / name).write_text("SECRET")
    (work / "link").symlink_to(name)
    plan = Scene(work, mode=AgentMode.PLAN)
    for path in (name, "link"):
        assert "SECRET" not in (await plan.use("read_file", path=path)).text
    assert "SECRET" not in (await plan.use("grep", pattern="SECRET")).text
    scene = Scene(work, sandbox=sandbox_of(SandboxKind.BUBBLEWRAP))
    assert "SECRET" not in (await scene.use("run_command", argv=["cat", name, "link"])).text


@pytest.mark.parametrize("root", [".cursor/worktrees/project/one", ".claude/worktrees/one", "github/workflows"])
def test_a_working_tree_that_an_agent_made_for_itself_is_plain(root: str, tmp_path: Path) -> None:
    work = tmp_path.resolve() / root
    work.mkdir(parents=True)
    assert locate(work, "src/a.py", Access.WRITE).guards == frozenset()
    assert Guard.CODE in locate(work, ".vscode/tasks.json", Access.WRITE).guards


async def test_moving_a_directory_away_leaves_no_secret_that_was_one_by_its_place(folder: Path) -> None:
    (folder / ".docker").mkdir()
    (folder / ".docker/config.json").write_text("SECRET")
    scene = Scene(folder.resolve())
    assert (await scene.use("move", source=".docker", target="d")).call.status is ToolStatus.DENIED
    assert (await scene.use("delete", path=".docker")).call.status is ToolStatus.DENIED


def test_what_a_command_made_too_much_of_is_looked_through_and_else_said_to_be_overlooked(folder: Path) -> None:
    watch = FolderWatch(folder.resolve(), (), most=20)
    for number in range(100):
        (folder / f"{number}").write_text("x")
    (folder / "z").mkdir()
    (folder / "z/.vscode").mkdir()
    assert watch.made() == [folder.resolve() / "z/.vscode"]
    assert not watch.overlooked
    for number in range(150):
        (folder / f"more{number}").write_text("x")
    watch.made()
    assert watch.overlooked


def _judged(folder: Path) -> object:
    places = [locate(folder, "plain", access) for access in Access]
    found = {guard.value for place in as_linked(folder, places) for guard in place.guards}
    return aliases_of(folder).whole, found


def _made(folder: Path) -> object:
    (folder / "inner").chmod(0o755)
    watch = FolderWatch(folder, ())
    for name in ("a/b/.vscode", "inner/.idea"):
        (folder / name).mkdir(parents=True)
    for name in ("a/b", "a", "inner"):
        (folder / name).chmod(0o311)
    return {str(path.relative_to(folder)) for path in watch.made()}


def _as_nobody(task: Callable[[Path], object], folder: Path, answer: multiprocessing.Queue[object]) -> None:
    if os.geteuid() == 0:
        os.setuid(65534)
    answer.put(task(folder))


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="there are no such permissions")
@pytest.mark.parametrize(
    ("task", "mode", "wanted"),
    [
        pytest.param(_judged, 0o755, (True, set()), id="every file is what it looks like"),
        pytest.param(_judged, 0o311, (False, {"secret", "code"}), id="any file may be special"),
        pytest.param(_made, 0o755, {"a/b/.vscode", "inner/.idea"}, id="what a command hides is found"),
    ],
)
def test_where_a_directory_can_t_be_listed(task: Callable[[Path], object], mode: int, wanted: object) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve() / "project"
        (folder / "inner").mkdir(parents=True)
        (folder / "plain").write_text("x")
        if os.geteuid() == 0:
            Path(name).chmod(0o755)
            for each in (folder / "inner", folder):
                os.chown(each, 65534, -1)
        (folder / "inner").chmod(mode)
        context = multiprocessing.get_context("fork")
        answer: multiprocessing.Queue[object] = context.Queue()
        child = context.Process(target=_as_nobody, args=(task, folder, answer))
        child.start()
        try:
            assert answer.get(timeout=60) == wanted
        finally:
            child.join(60)
            (folder / "inner").chmod(0o755)
