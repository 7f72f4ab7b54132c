"""Nothing gets out: each attempt in plan mode, in general mode refused, and in build mode refused and confined."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kore_ls.agents.sandbox.kinds import NO_SANDBOX, SandboxKind
from kore_ls.model.message import ToolStatus
from kore_ls.model.mode import AgentMode
from tests.agents.attempts import ATTEMPTS, Attempt
from tests.agents.means import sandbox_of
from tests.agents.scene import Scene, tree_hash
from tests.agents.world import OUTER, TOKEN, VARIABLE, World, build, repository

EVERY = pytest.mark.parametrize("attempt", ATTEMPTS, ids=str)


@pytest.fixture(autouse=True)
def hostile_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a server may have been started with, by a user with keys or from a folder with plans."""
    script = str(tmp_path / "work/evil.sh")
    for name in ("BASH_ENV", "ENV", "GIT_EXTERNAL_DIFF", "GIT_SSH_COMMAND", "PAGER", "EDITOR", "GIT_PAGER"):
        monkeypatch.setenv(name, script)
    for name in ("KORE_PASSPHRASE", "KORE_DB_KEY", "OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN"):
        monkeypatch.setenv(name, VARIABLE)
    monkeypatch.setenv("LD_PRELOAD_NOT", script)
    monkeypatch.setenv("PYTHONSTARTUP", script)
    monkeypatch.setenv("RIPGREP_CONFIG_PATH", script)
    monkeypatch.setenv("PATH", f"{tmp_path / 'work'}:.::{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return repository(tmp_path_factory.mktemp("original"))


@pytest.fixture(scope="module")
def kept(original: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    """One world for all attempts that may not change anything in it."""
    return build(original, tmp_path_factory.mktemp("kept"))


@pytest.fixture
def world(original: Path, tmp_path: Path) -> World:
    return build(original, tmp_path)


def filled(value: Any, world: World) -> Any:
    """Arguments with the outside's path in them."""
    if isinstance(value, list):
        return [filled(each, world) for each in value]
    if isinstance(value, dict):
        return {name: filled(each, world) for name, each in value.items()}
    return value.replace("{out}", str(world.outside)) if isinstance(value, str) else value


async def make(attempt: Attempt, world: World, scene: Scene) -> ToolStatus:
    """Do it; whatever becomes of it, it tells no secret."""
    outcome = await scene.use(attempt.tool, declared=attempt.declared, **filled(attempt.arguments, world))
    told = outcome.text + "".join(each.chunk for each in scene.outputs)
    for secret in (TOKEN, OUTER, VARIABLE):
        assert secret not in told
    return outcome.call.status


@EVERY
async def test_in_plan_mode_everything_stays_as_it_is(attempt: Attempt, kept: World) -> None:
    before = tree_hash(kept.work), tree_hash(kept.outside)
    scene = Scene(kept.work, mode=AgentMode.PLAN, answer="allowAlways")
    status = await make(attempt, kept, scene)
    assert (tree_hash(kept.work), tree_hash(kept.outside)) == before
    assert scene.asked == []
    if attempt.tool in ("write_file", "edit_file", "move", "delete", "run_command"):
        assert status in (ToolStatus.DENIED, ToolStatus.FAILED)


@pytest.mark.slow
@EVERY
async def test_without_leave_nothing_changes(attempt: Attempt, kept: World) -> None:
    """Build mode in an untrusted folder, and general mode when the user refuses."""
    before = tree_hash(kept.work), tree_hash(kept.outside)
    await make(attempt, kept, Scene(kept.work, mode=AgentMode.BUILD, trusts=False, answer="allowAlways"))
    await make(attempt, kept, Scene(kept.work, mode=AgentMode.GENERAL, answer="rejectOnce"))
    assert (tree_hash(kept.work), tree_hash(kept.outside)) == before


@EVERY
async def test_in_build_mode_nothing_guarded_is_reached_unasked(attempt: Attempt, world: World) -> None:
    before = world.guarded()
    scene = Scene(world.work, sandbox=sandbox_of(SandboxKind.BUBBLEWRAP), answer="rejectOnce")
    await make(attempt, world, scene)
    assert world.guarded() == before


@pytest.mark.slow
@pytest.mark.parametrize("attempt", [each for each in ATTEMPTS if each.tool == "run_command"], ids=str)
async def test_landlock_holds_what_bubblewrap_holds(attempt: Attempt, world: World) -> None:
    before = world.guarded()
    await make(attempt, world, Scene(world.work, sandbox=sandbox_of(SandboxKind.LANDLOCK), answer="rejectOnce"))
    assert world.guarded() == before


@pytest.mark.slow
@pytest.mark.parametrize("attempt", [each for each in ATTEMPTS if each.tool == "run_command"], ids=str)
async def test_without_a_sandbox_no_command_runs_unasked(attempt: Attempt, kept: World) -> None:
    before = tree_hash(kept.work), tree_hash(kept.outside)
    status = await make(attempt, kept, Scene(kept.work, sandbox=NO_SANDBOX, answer="rejectOnce"))
    assert (tree_hash(kept.work), tree_hash(kept.outside)) == before
    assert status in (ToolStatus.DENIED, ToolStatus.FAILED)


def test_there_are_enough_attempts() -> None:
    assert len({str(each) for each in ATTEMPTS}) >= 200


@contextmanager
def swapping(place: Path, one: Path, other: Path) -> Iterator[None]:
    """`place` is by turns what `one` and what `other` was, as fast as it goes."""
    going = threading.Event()
    going.set()

    def swap() -> None:
        while going.is_set():
            for each in (one, other):
                with contextlib.suppress(OSError):  # a tool may have made a directory of this name
                    each.rename(place)
                    place.rename(each)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        going.clear()
        thread.join()


@pytest.mark.parametrize("tool", ["write_file", "read_file", "edit_file", "delete", "move", "grep", "list_dir"])
async def test_a_link_put_in_place_between_check_and_use_leads_nowhere(tool: str, world: World) -> None:
    (world.work / "real").mkdir()
    (world.work / "real/key").write_text("harmless as it was\n")
    (world.work / "fake").symlink_to(world.outside)
    calls: dict[str, dict[str, Any]] = {
        "write_file": {"path": "race/key", "content": "evil"},
        "edit_file": {"path": "race/key", "edits": [{"search": "as", "replace": "evil"}]},
        "move": {"source": "race/key", "target": "race/moved"},
        "grep": {"pattern": ".", "path": "race"},
        "list_dir": {"path": "race"},
    }
    arguments = calls.get(tool, {"path": "race/key"})
    before = tree_hash(world.outside)
    scene = Scene(world.work, answer="rejectOnce")
    with swapping(world.work / "race", world.work / "real", world.work / "fake"):
        for _ in range(60):
            outcome = await scene.use(tool, **arguments)
            assert OUTER not in outcome.text
            assert "victim" not in outcome.text
    assert tree_hash(world.outside) == before
