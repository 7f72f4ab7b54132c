"""What commands can't do to git: settings of submodules and other working trees, shared objects, planned commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from kore_ls.agents.git.settings import obeyed
from kore_ls.agents.sandbox.kinds import SandboxKind
from kore_ls.model.message import ToolStatus
from tests.agents.means import sandbox_of
from tests.agents.scene import Scene
from tests.agents.world import git

BOTH = pytest.mark.parametrize("kind", [SandboxKind.BUBBLEWRAP, SandboxKind.LANDLOCK], ids=lambda kind: str(kind.value))
COMMIT = ["git", "-c", "user.name=n", "-c", "user.email=m", "commit", "-q", "--allow-empty", "-m", "more"]


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """A repository with a commit of one file and a hooks directory."""
    work = tmp_path.resolve() / "first"
    work.mkdir()
    git("init", "-q", "-b", "main", "--template=", ".", cwd=work)
    (work / "file").write_text("x\n")
    git("add", "file", cwd=work)
    git("commit", "-q", "-m", "first", cwd=work)
    (work / ".git/hooks").mkdir()
    return work


def tree_of(first: Path, name: str) -> Path:
    git("worktree", "add", "-q", str(first.with_name(name)), "-b", name, cwd=first)
    return first.with_name(name)


def module_of(git_directory: Path, name: str) -> Path:
    module = git_directory / "modules" / name
    for each in ("objects", "refs", "hooks"):
        (module / each).mkdir(parents=True)
    (module / "HEAD").write_text("ref: refs/heads/main\n")
    (module / "config").write_text("as it was")
    return module


def contents(*directories: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for each in directories for path in each.rglob("*") if path.is_file()}


@BOTH
async def test_from_a_further_working_tree_no_other_and_no_submodule_is_written(kind: SandboxKind, first: Path) -> None:
    scene = Scene(tree_of(first, "second"), sandbox=sandbox_of(kind))
    tree_of(first, "third")
    shared = first / ".git"
    own = shared / "worktrees/second"
    for module in (module_of(shared, "lib"), module_of(shared, "deep/er"), module_of(own, "mine")):
        (module / "hooks/old").write_text("as it was")
    guarded = (shared / "modules", shared / "worktrees/third", own / "modules/mine/hooks")
    before = contents(*guarded), (own / "commondir").read_bytes(), (own / "modules/mine/config").read_bytes()
    line = (
        f"cd {shared}; for each in modules/lib modules/deep/er worktrees/third worktrees/second/modules/mine; do"
        " echo x > $each/config; echo x > $each/config.worktree; echo x > $each/hooks/pre-commit; echo x >"
        " $each/hooks/old; done; mv modules m; mkdir -p modules/lib/hooks; echo x > modules/lib/hooks/evil;"
        " echo /tmp > worktrees/second/commondir; mv worktrees w; mv worktrees/second/modules w2"
    )
    await scene.use("run_command", argv=["sh", "-c", line])
    after = contents(*guarded), (own / "commondir").read_bytes(), (own / "modules/mine/config").read_bytes()
    assert after == before
    assert not (own / "modules/mine/config.worktree").exists()


async def test_submodules_made_from_a_further_working_tree_are_put_aside(first: Path) -> None:
    scene = Scene(tree_of(first, "second"), sandbox=sandbox_of(SandboxKind.BUBBLEWRAP))
    line = f"cd {first}/.git; mkdir -p modules/lib/hooks; echo x > modules/lib/hooks/pre-commit"
    await scene.use("run_command", argv=["sh", "-c", line])
    assert not (first / ".git/modules").exists()
    assert (await scene.use("run_command", argv=COMMIT)).text == "[exit code 0]"


@BOTH
async def test_objects_that_another_clone_shares_are_not_spoilt(kind: SandboxKind, first: Path) -> None:
    git("clone", "-q", "--local", str(first), "clone", cwd=first.parent)
    before = contents(first / ".git/objects")
    scene = Scene(first.with_name("clone"), sandbox=sandbox_of(kind))
    line = 'find .git/objects -type f -exec chmod u+w "{}" ";" -exec sh -c ": > {}" ";"'
    await scene.use("run_command", argv=["sh", "-c", line])
    assert contents(first / ".git/objects") == before
    assert scene.asked == []


async def test_in_a_clone_that_shares_objects_git_commits(first: Path) -> None:
    git("clone", "-q", "--local", str(first), "clone", cwd=first.parent)
    scene = Scene(first.with_name("clone"), sandbox=sandbox_of(SandboxKind.BUBBLEWRAP))
    line = (
        "echo y > file && git add file && git -c user.name=n -c user.email=m commit -q -m second && git log --oneline"
    )
    outcome = await scene.use("run_command", argv=["sh", "-c", line])
    assert outcome.call.result["exitCode"] == 0, outcome.text
    assert scene.asked == []


async def test_objects_shared_by_the_thousand_are_kept_and_cost_no_question(first: Path) -> None:
    objects = first / ".git/objects"
    shared = [objects / f"{number % 256:02x}" / f"{number:038x}" for number in range(600)]
    for path in shared:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"as it was")
    git("clone", "-q", "--local", str(first), "clone", cwd=first.parent)
    scene = Scene(first.with_name("clone"), sandbox=sandbox_of(SandboxKind.BUBBLEWRAP))
    await scene.use("run_command", argv=["sh", "-c", "for each in .git/objects/??/*; do echo x > $each; done"])
    assert {path.read_bytes() for path in shared} == {b"as it was"}
    assert scene.asked == []


@pytest.mark.parametrize(
    "name", ["rebase-merge/git-rebase-todo", "sequencer/todo", "worktrees/w/rebase-merge/git-rebase-todo"]
)
async def test_commands_that_a_rebase_would_run_are_put_aside(name: str, first: Path) -> None:
    if "worktrees" in name:
        tree_of(first, "w")
    scene = Scene(first, sandbox=sandbox_of(SandboxKind.BUBBLEWRAP))
    for word in ("exec", "  x", "\texec"):
        line = f"mkdir -p .git/{Path(name).parent}; printf 'pick 1234567\\n{word} sh evil.sh\\n' > .git/{name}"
        outcome = await scene.use("run_command", argv=["sh", "-c", line])
        assert outcome.call.result["putAside"] == [f".git/{name}"]
        assert not (first / ".git" / name).exists()


async def test_a_rebase_that_stops_goes_on_unasked_and_keeps_what_its_user_planned(first: Path) -> None:
    scene = Scene(first, sandbox=sandbox_of(SandboxKind.BUBBLEWRAP))
    todo = first / ".git/rebase-merge/git-rebase-todo"
    todo.parent.mkdir()
    todo.write_text("pick 1234567\npick 2345678\nexec make test\n")
    line = "printf 'pick 2345678\\nexec make test\\n' > .git/rebase-merge/git-rebase-todo"
    assert (await scene.use("run_command", argv=["sh", "-c", line])).call.result["putAside"] == []
    assert todo.read_text() == "pick 2345678\nexec make test\n"
    assert scene.asked == []


async def test_hooks_below_the_home_of_a_named_user_are_found(first: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pwd = pytest.importorskip("pwd")
    user = pwd.getpwuid(first.stat().st_uid)
    git("config", "core.hooksPath", f"~{user.pw_name}/hooks", cwd=first)
    assert Path(user.pw_dir, "hooks") in obeyed(first / ".git", first)


async def test_the_inside_of_git_is_not_written_by_tools(first: Path) -> None:
    scene = Scene(first, answer="allowOnce")
    for name in ("rebase-merge/git-rebase-todo", "sequencer/todo", "modules/lib/config"):
        assert (await scene.use("write_file", path=f".git/{name}", content="x")).call.status is ToolStatus.DENIED
