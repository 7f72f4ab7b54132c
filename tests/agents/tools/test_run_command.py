"""Running commands: argv as given, a trimmed environment, limits, and nothing left behind."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from kore_ls.agents.commands import CommandLimits, run_command
from kore_ls.agents.environment import child_environment, find_program, git_identity, search_path
from kore_ls.agents.ports import PermissionAnswer, PermissionOutcome, PermissionRequest
from kore_ls.agents.problem import ToolProblem
from kore_ls.agents.sandbox.confine import Confined
from kore_ls.agents.sandbox.kinds import SandboxKind
from kore_ls.agents.tools import folder_watch
from kore_ls.model.message import ToolStatus
from kore_ls.model.mode import AgentMode
from tests.agents.means import sandbox_of
from tests.agents.scene import Scene
from tests.agents.world import git


@pytest.fixture
def scene(folder: Path) -> Scene:
    return Scene(folder.resolve(), answer="allowOnce")


@pytest.fixture
def confined(folder: Path) -> Scene:
    return Scene(folder.resolve(), sandbox=sandbox_of(SandboxKind.BUBBLEWRAP), answer="rejectOnce")


def plain(*argv: str) -> Confined:
    return Confined(argv=lambda descriptor: list(argv))


async def test_the_result_is_output_and_exit_code(scene: Scene) -> None:
    outcome = await scene.use("run_command", argv=["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert outcome.call.status is ToolStatus.COMPLETED
    assert outcome.text == "out\nerr\n[exit code 3]"
    assert outcome.call.result["exitCode"] == 3


async def test_arguments_arrive_as_they_are(scene: Scene) -> None:
    odd = ["a b", "", "$HOME", "`id`", "*", "; exit 1", "\n", "'\"", "中文😀", "-n"]
    script = "import sys; print(sys.argv[1:])"
    outcome = await scene.use("run_command", argv=[sys.executable, "-I", "-S", "-c", script, *odd])
    assert outcome.text.startswith(f"{odd!r}\n")


async def test_in_the_sandbox_build_mode_runs_unasked_and_general_mode_asks(confined: Scene) -> None:
    assert (await confined.use("run_command", argv=["touch", "made"])).call.status is ToolStatus.COMPLETED
    assert (confined.folder / "made").exists()
    assert confined.asked == []
    confined.mode = AgentMode.GENERAL
    assert (await confined.use("run_command", argv=["touch", "more"])).call.status is ToolStatus.DENIED
    assert "confined by bubblewrap" in confined.asked[0].summary


async def test_what_asks_for_freedom_is_asked_about_by_name(confined: Scene) -> None:
    await confined.use("run_command", argv=["id"], network=True)
    await confined.use("run_command", argv=["id"], unsandboxed=True)
    assert "with the network" in confined.asked[0].summary
    assert "without a sandbox" in confined.asked[1].summary


async def test_a_folder_that_can_t_be_protected_is_asked_about(confined: Scene) -> None:
    (confined.folder / "somewhere").mkdir()
    (confined.folder / ".claude").symlink_to("somewhere")
    assert (await confined.use("run_command", argv=["id"])).call.status is ToolStatus.DENIED
    assert "without a sandbox" in confined.asked[0].summary


async def test_always_said_in_the_sandbox_does_not_let_a_command_out_of_it(confined: Scene, tmp_path: Path) -> None:
    confined.mode, confined.answer = AgentMode.GENERAL, "allowAlways"
    line = f"ln -s nowhere .envrc; echo x > {tmp_path}/made"
    await confined.use("run_command", argv=["sh", "-c", line])
    (confined.folder / ".envrc").unlink(missing_ok=True)
    (confined.folder / ".envrc").symlink_to("nowhere")
    confined.answer = "rejectOnce"
    assert (await confined.use("run_command", argv=["sh", "-c", line])).call.status is ToolStatus.DENIED
    assert not (tmp_path / "made").exists()


async def test_files_that_run_code_get_another_name_unless_the_user_keeps_them(confined: Scene) -> None:
    line = "mkdir -p sub/.vscode; echo {} > sub/.vscode/tasks.json; echo x > .envrc; echo x > plain"
    outcome = await confined.use("run_command", argv=["sh", "-c", line])
    assert sorted(outcome.call.result["putAside"]) == [".envrc", "sub/.vscode"]
    assert sorted(each.name for each in (confined.folder / "sub").iterdir()) == [".vscode.put-aside"]
    assert (confined.folder / "plain").exists()
    confined.answer = "allowOnce"
    await confined.use("run_command", argv=["sh", "-c", "echo {} > .mcp.json"])
    assert (confined.folder / ".mcp.json").exists()


async def test_what_was_made_does_nothing_while_the_user_is_asked_to_keep_it(confined: Scene) -> None:
    there: list[bool] = []

    def answer(request: PermissionRequest) -> PermissionAnswer:
        there.append((confined.folder / ".envrc").exists())
        return PermissionAnswer(outcome=PermissionOutcome.SELECTED, option_id="allowOnce")

    confined.answer = answer
    outcome = await confined.use("run_command", argv=["sh", "-c", "echo x > .envrc"])
    assert there == [False]
    assert outcome.call.result["putAside"] == []
    assert [each.name for each in confined.folder.iterdir()] == [".envrc"]


async def test_more_files_that_run_code_than_a_question_can_name_get_other_names_unasked(confined: Scene) -> None:
    confined.answer = "allowOnce"
    line = f"for i in $(seq 100); do mkdir -p {'d' * 100}$i; echo x > {'d' * 100}$i/.mcp.json; done"
    outcome = await confined.use("run_command", argv=["sh", "-c", line])
    assert confined.asked == []
    assert len(outcome.call.result["putAside"]) == 100
    assert not list(confined.folder.glob("*/.mcp.json"))


@pytest.mark.parametrize("kind", [SandboxKind.BUBBLEWRAP, SandboxKind.LANDLOCK])
async def test_a_command_reads_but_never_writes_kore_s_own_state(kind: SandboxKind, folder: Path) -> None:
    state = folder.resolve() / ".local/state/kore"
    state.mkdir(parents=True)
    (state / "rules.json").write_text("{}\n")
    scene = Scene(folder.resolve(), sandbox=sandbox_of(kind), state=state)
    line = "cd .local/state; cat kore/rules.json; echo x > kore/rules.json; echo x > kore/trust.json; mv kore away"
    outcome = await scene.use("run_command", argv=["sh", "-c", line])
    assert outcome.text.startswith("{}\n")
    assert [(each.name, each.read_text()) for each in state.iterdir()] == [("rules.json", "{}\n")]


async def test_links_in_the_place_of_files_that_run_code_get_another_name_too(confined: Scene) -> None:
    (confined.folder / ".git").mkdir()
    line = (
        "mkdir -p ev gh/workflows sub; echo {} > ev/tasks.json; echo x > a.txt; ln -s ../gh sub/.github;"
        "ln -s ev .vscode; ln -s a.txt .mcp.json; ln -s nowhere .envrc; ln -s ../nowhere .git/hooks; ln -s ev plain"
    )
    outcome = await confined.use("run_command", argv=["sh", "-c", line])
    wanted = [".envrc", ".git/hooks", ".mcp.json", ".vscode", "sub/.github"]
    assert sorted(outcome.call.result["putAside"]) == wanted
    assert not any(os.path.lexists(confined.folder / each) for each in wanted)
    assert (confined.folder / "plain").is_symlink()
    assert len(confined.asked) == 1


async def test_no_name_that_is_taken_keeps_a_file_that_runs_code_in_its_place(confined: Scene) -> None:
    line = "mkdir z; touch z/.mcp.json z/.mcp.json.put-aside; for i in $(seq 0 120); do touch z/.mcp.json.put-aside-$i;"
    outcome = await confined.use("run_command", argv=["sh", "-c", f"{line} done; chmod 555 z"])
    assert outcome.call.result["putAside"] == ["z/.mcp.json"]
    assert not (confined.folder / "z/.mcp.json").exists()


@pytest.mark.parametrize("kind", [SandboxKind.BUBBLEWRAP, SandboxKind.LANDLOCK])
async def test_what_links_among_hooks_and_settings_lead_to_is_not_written(kind: SandboxKind, folder: Path) -> None:
    work = folder.resolve()
    git("init", "-q", "--template=", ".", cwd=work)
    for name, link, target in (
        ("scripts/hook.sh", ".git/hooks/pre-commit", "../../scripts/hook.sh"),
        ("tasks", ".vscode/tasks.json", "../tasks"),
    ):
        for each in (name, link):
            (work / each).parent.mkdir(exist_ok=True)
        (work / name).write_text("as it was")
        (work / link).symlink_to(target)
    scene = Scene(work, sandbox=sandbox_of(kind))
    line = "echo x > tasks; echo x > scripts/hook.sh; mv scripts s; mkdir scripts; echo x > scripts/hook.sh"
    await scene.use("run_command", argv=["sh", "-c", line])
    assert scene.asked == []
    for name in ("scripts/hook.sh", "tasks"):
        assert (await scene.use("write_file", path=name, content="x")).call.status is ToolStatus.DENIED
        assert (work / name).read_text() == "as it was"


@pytest.mark.parametrize("kind", [SandboxKind.BUBBLEWRAP, SandboxKind.LANDLOCK])
async def test_hooks_that_a_repository_around_the_folder_names_are_not_written(
    kind: SandboxKind, tmp_path: Path
) -> None:
    work = tmp_path.resolve() / "work"
    (work / "hooks").mkdir(parents=True)
    git("init", "-q", "--template=", ".", cwd=tmp_path)
    git("config", "core.hooksPath", "work/hooks", cwd=tmp_path)
    (work / "hooks/old").write_text("as it was")
    scene = Scene(work, sandbox=sandbox_of(kind))
    await scene.use("run_command", argv=["sh", "-c", "echo x > hooks/old; echo x > hooks/pre-commit"])
    assert [(each.name, each.read_text()) for each in (work / "hooks").iterdir()] == [("old", "as it was")]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("core.fsmonitor", "tools/x"), ("filter.a.clean", "python3 tools/x %f"), ("alias.st", "!sh tools/x")),
        *(("core.pager", "'tools/x' | less"), ("diff.a.textconv", 'sh -c "cd tools; ./x; tools/x"'),),
        *(("merge.a.driver", "./tools/x %O"), ("credential.helper", "!tools/x"), ("init.templateDir", "tools")),
        *(("core.editor", "'./tools/x' -w"), ("core.sshCommand", "$PWD/tools/x"), ("alias.y", "!cd tools && ./x")),
    ],
)  # fmt: skip
@pytest.mark.parametrize("whose", ["repository", pytest.param("user", marks=pytest.mark.slow)])
async def test_programs_that_git_s_settings_name_are_not_written(
    whose: str, key: str, value: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = folder.resolve()
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    git("init", "-q", "--template=", ".", cwd=work)
    git("config", *(["--file", str(tmp_path / "home/.gitconfig")] if whose == "user" else []), key, value, cwd=work)
    (work / "tools").mkdir()
    (work / "tools/x").write_text("as it was")
    scene = Scene(work, sandbox=sandbox_of(SandboxKind.BUBBLEWRAP))
    assert (await scene.use("write_file", path="tools/x", content="x")).call.status is ToolStatus.DENIED
    await scene.use("run_command", argv=["sh", "-c", "echo x > tools/x; rm -f tools/x; mv tools t"])
    assert (work / "tools/x").read_text() == "as it was"
    assert len(scene.asked) == 1


@pytest.mark.parametrize("kind", [SandboxKind.BUBBLEWRAP, SandboxKind.LANDLOCK])
async def test_hooks_and_settings_outside_of_git_s_own_directory_are_not_written(
    kind: SandboxKind, folder: Path
) -> None:
    work = folder.resolve()
    git("init", "-q", "--template=", ".", cwd=work)
    git("init", "-q", "--bare", "bare", cwd=work)
    git("config", "core.hooksPath", "scripts/hooks", cwd=work)
    git("config", "include.path", "../more", cwd=work)
    for name in ("scripts/hooks/old", "bare/hooks/old", "more"):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text("")
    before = (work / "bare/config").read_bytes()
    scene = Scene(work, sandbox=sandbox_of(kind))
    line = "for each in scripts/hooks/pre-commit bare/hooks/post-update bare/config more; do echo x >> $each; done"
    await scene.use("run_command", argv=["sh", "-c", line])
    for name in ("scripts/hooks/pre-commit", "bare/hooks/post-update", "more"):
        assert (await scene.use("write_file", path=name, content="x")).call.status is ToolStatus.DENIED
    assert [each.name for each in (work / "scripts/hooks").iterdir()] == ["old"]
    assert not (work / "bare/hooks/post-update").exists()
    assert ((work / "bare/config").read_bytes(), (work / "more").read_text()) == (before, "")


async def test_a_repository_that_a_command_makes_has_no_settings_of_its_own(confined: Scene) -> None:
    git("init", "-q", "--template=", ".", cwd=confined.folder)
    git("config", "core.hooksPath", "hooks", cwd=confined.folder)
    line = (
        "for each in . nb; do mkdir -p $each/objects $each/refs $each/hooks; echo ref: refs/heads/m > $each/HEAD;"
        "echo x > $each/config; done; mkdir half; echo ref: refs/heads/m > half/HEAD; echo ../nb > half/commondir"
    )
    outcome = await confined.use("run_command", argv=["sh", "-c", line])
    assert sorted(outcome.call.result["putAside"]) == ["config", "half/commondir", "hooks", "nb/config", "nb/hooks"]


async def test_a_cancelled_command_s_result_keeps_what_it_printed(scene: Scene) -> None:
    going = asyncio.ensure_future(scene.use("run_command", argv=["sh", "-c", "seq 1 20000; echo ready; sleep 60"]))
    while not scene.outputs or "ready" not in scene.outputs[-1].chunk:
        scene.printed.clear()
        await scene.printed.wait()
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going
    assert scene.calls[-1].status is ToolStatus.CANCELLED
    text = scene.calls[-1].result["text"]
    assert text.startswith("1\n2\n") and text.endswith("ready\nCancelled.")
    assert len(text) < 70_000


async def test_a_cancelled_command_leaves_no_file_that_runs_code(confined: Scene) -> None:
    line = "mkdir .vscode; echo {} > .vscode/tasks.json; echo ready; sleep 60"
    going = asyncio.ensure_future(confined.use("run_command", argv=["sh", "-c", line]))
    await confined.printed.wait()
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going
    assert confined.asked == []
    assert [each.name for each in confined.folder.iterdir()] == [".vscode.put-aside"]


async def test_a_command_that_meets_the_sandbox_is_told_so(confined: Scene) -> None:
    outcome = await confined.use("run_command", argv=["touch", "/usr/x"])
    assert "ran in a sandbox" in outcome.text


async def test_git_commits_in_the_sandbox_as_its_user(
    confined: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text('[user]\n\tname = "A User"\n\temail = a@example.org\n[x]\n\tname = no\n')
    monkeypatch.setenv("HOME", str(home))
    git("init", "-q", "-b", "main", "--template=", ".", cwd=confined.folder)
    (confined.folder / "a").write_text("x")
    git("add", "a", cwd=confined.folder)
    outcome = await confined.use("run_command", argv=["git", "commit", "-q", "-m", "x"])
    assert outcome.text == "[exit code 0]"
    outcome = await confined.use("run_command", argv=["git", "log", "--format=%an %ae"])
    assert outcome.text.startswith("A User a@example.org\n")


async def test_git_takes_no_hidden_directory_for_a_deleted_one(confined: Scene) -> None:
    (confined.folder / ".aws").mkdir()
    (confined.folder / ".aws/config").write_text("[default]\n")
    for step in (("init", "-q", "-b", "main", "--template=", "."), ("add", "-A"), ("commit", "-q", "-m", "first")):
        git(*step, cwd=confined.folder)
    (confined.folder / "made").write_text("x")
    line = "git add -A && git -c user.name=n -c user.email=m commit -q -m second && cat .aws/config"
    await confined.use("run_command", argv=["sh", "-c", line])
    tracked = git("ls-tree", "-r", "--name-only", "HEAD", cwd=confined.folder).split()
    assert tracked == [".aws/config", "made"]
    assert confined.asked == []


async def test_of_a_long_result_its_end_is_kept_and_what_the_user_says(confined: Scene) -> None:
    said = PermissionAnswer(outcome=PermissionOutcome.SELECTED, option_id="allowOnce", feedback="next time less")
    confined.answer = lambda request: said
    outcome = await confined.use("run_command", argv=["sh", "-c", "seq 1 100000; exit 3"], network=True)
    assert "[exit code 3]" in outcome.text and outcome.text.endswith("next time less")
    assert "characters are left out" in outcome.text and len(outcome.text) < 70_000


@pytest.mark.parametrize("kind", [SandboxKind.BUBBLEWRAP, SandboxKind.LANDLOCK])
async def test_git_works_in_a_further_working_tree_but_not_on_its_settings(kind: SandboxKind, tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.mkdir()
    git("init", "-q", "-b", "main", ".", cwd=first)
    git("commit", "-q", "--allow-empty", "-m", "first", cwd=first)
    git("worktree", "add", "-q", str(tmp_path / "second"), "-b", "second", cwd=first)
    config = (first / ".git/config").read_bytes()
    scene = Scene((tmp_path / "second").resolve(), sandbox=sandbox_of(kind))
    argv = ["git", "-c", "user.name=n", "-c", "user.email=m", "commit", "-q", "--allow-empty", "-m", "second"]
    outcome = await scene.use("run_command", argv=argv)
    # Landlock can't spare the tree's `commondir`, so that git gets no place for its lock beside it
    assert (outcome.call.result["exitCode"] == 0) is (kind is SandboxKind.BUBBLEWRAP)
    line = f"git config core.editor evil; echo x > {first}/.git/hooks/post-commit; echo x > {first}/made"
    await scene.use("run_command", argv=["sh", "-c", line])
    assert (first / ".git/config").read_bytes() == config
    assert not (first / ".git/hooks/post-commit").exists()
    assert not (first / "made").exists()
    assert scene.asked == []


async def test_hooks_made_in_the_first_working_tree_s_repository_are_put_aside(tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.mkdir()
    git("init", "-q", "-b", "main", "--template=", ".", cwd=first)
    git("commit", "-q", "--allow-empty", "-m", "first", cwd=first)
    git("worktree", "add", "-q", str(tmp_path / "second"), "-b", "second", cwd=first)
    git("config", "core.hooksPath", "named", cwd=first)
    scene = Scene((tmp_path / "second").resolve(), sandbox=sandbox_of(SandboxKind.BUBBLEWRAP))
    hooks = first / ".git/hooks"
    await scene.use(
        "run_command", argv=["sh", "-c", f"for d in named {hooks}; do mkdir $d; echo x > $d/post-commit; done"]
    )
    assert not hooks.exists()
    assert not (scene.folder / "named").exists()
    assert (await scene.use("write_file", path="named/x", content="x")).call.status is ToolStatus.DENIED


async def test_where_hooks_are_the_folder_itself_no_command_runs_unasked(confined: Scene) -> None:
    git("init", "-q", "--template=", ".", cwd=confined.folder)
    git("config", "core.hooksPath", ".", cwd=confined.folder)
    assert (await confined.use("run_command", argv=["id"])).call.status is ToolStatus.DENIED


async def test_a_git_file_can_t_name_another_s_repository(tmp_path: Path) -> None:
    other, work = tmp_path / "other", tmp_path / "work"
    for each in (other, work):
        each.mkdir()
    git("init", "-q", "-b", "main", ".", cwd=other)
    (other / "file").write_text("not yours")
    git("add", "file", cwd=other)
    git("commit", "-q", "-m", "first", cwd=other)
    (work / "fake").mkdir()
    (work / "fake/commondir").write_text(f"{other}/.git")
    (work / "fake/HEAD").write_text("ref: refs/heads/main")
    for line in (f"gitdir: {other}/.git", "gitdir: fake"):
        (work / ".git").write_text(line)
        scene = Scene(work.resolve(), sandbox=sandbox_of(SandboxKind.BUBBLEWRAP))
        assert "Not available" in (await scene.use("diff")).text
        outcome = await scene.use("run_command", argv=["git", "log", "-p"])
        assert "not yours" not in outcome.text


@pytest.mark.parametrize("kind", [SandboxKind.BUBBLEWRAP, SandboxKind.LANDLOCK])
@pytest.mark.parametrize(
    ("own", "common"), [(".", "../.."), ("fake", "../.."), ("a/worktrees/b", "../../../.."), ("../out/worktrees/w", "")]
)
async def test_no_file_in_the_folder_opens_what_lies_around_it(
    own: str, common: str, kind: SandboxKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    work = home / "src/work"
    for each in (work / own, home / ".ssh", home / "src/out"):
        each.mkdir(parents=True, exist_ok=True)
    monkeypatch.setenv("HOME", str(home))
    (home / ".ssh/id_rsa").write_text("not yours")
    (work / ".git").write_text(f"gitdir: {own}\n")
    (work / own / "HEAD").write_text("ref: refs/heads/main")
    (work / own / "commondir").write_text(common or str(home))
    (work / own / "gitdir").write_text(f"{work.resolve()}/.git")
    scene = Scene(work.resolve(), sandbox=sandbox_of(kind))
    line = f"cat {home}/.ssh/id_rsa; echo x > {home}/made; echo x > {home}/src/made; echo x > {home}/src/out/made"
    outcome = await scene.use("run_command", argv=["sh", "-c", line])
    assert "not yours" not in outcome.text
    assert not any((home / name).exists() for name in ("made", "src/made", "src/out/made"))


@pytest.mark.parametrize("own", [".git/worktrees/w", "work/worktrees/w"])
async def test_a_git_directory_that_holds_the_folder_is_not_opened(own: str, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    work, tree = outer / "work", (outer / own)
    for each in (work, tree, tree.parent.parent / "objects", tree.parent.parent / "refs", outer / "objects"):
        each.mkdir(parents=True, exist_ok=True)
    (tree.parent.parent / "HEAD").write_text("ref: refs/heads/main")
    (tree / "commondir").write_text("../../..")
    (tree / "gitdir").write_text(f"{work.resolve()}/.git")
    (work / ".git").write_text(f"gitdir: {tree.resolve()}\n")
    scene = Scene(work.resolve(), sandbox=sandbox_of(SandboxKind.BUBBLEWRAP))
    await scene.use("run_command", argv=["sh", "-c", f"echo x > {outer}/made"])
    assert not (outer / "made").exists()


async def test_landlock_gives_temporary_files_a_place(folder: Path) -> None:
    scene = Scene(folder.resolve(), sandbox=sandbox_of(SandboxKind.LANDLOCK))
    outcome = await scene.use("run_command", argv=["sh", "-c", 'f=$(mktemp) && echo "$f"'])
    assert outcome.call.result["exitCode"] == 0
    assert not Path(outcome.text.split("\n")[0]).exists()


@pytest.mark.parametrize("argv", [["no-such-program-here"], [""], ["./missing"], ["x" * 200_000]])
async def test_what_can_t_be_started_fails(argv: list[str], scene: Scene) -> None:
    assert (await scene.use("run_command", argv=argv)).call.status is ToolStatus.FAILED


async def test_a_command_that_takes_too_long_is_stopped(scene: Scene) -> None:
    outcome = await scene.use("run_command", argv=["sh", "-c", "echo begun; sleep 60"], seconds=1)
    assert outcome.call.status is ToolStatus.FAILED
    assert outcome.text == "begun\n[stopped after 1 s]"


async def limited(folder: Path, limits: CommandLimits, *argv: str) -> tuple[int, str, bool]:
    done = await run_command(plain(*argv), cwd=folder, env=dict(os.environ), limits=limits)
    return done.code, done.output, done.truncated


async def test_endless_output_is_cut_and_stopped(folder: Path) -> None:
    code, output, truncated = await limited(folder, CommandLimits(seconds=60, kept=1000, bytes=1 << 20), "yes")
    assert truncated
    assert code != 0
    assert len(output) < 1100
    assert "left out" in output


async def test_output_that_is_no_text_is_text_with_signs_for_it(folder: Path) -> None:
    done = await limited(folder, CommandLimits(), "printf", "a\\000b\\377c")
    assert done == (0, "a\ufffdb\ufffdc", False)


async def test_background_children_hold_nothing_up_and_are_ended(folder: Path) -> None:
    os.mkfifo(folder / "held")
    descriptor = os.open(folder / "held", os.O_RDONLY | os.O_NONBLOCK)
    line = "(trap '' HUP; sleep 61) > held & setsid sh -c 'sleep 62 & sleep 63' > held & echo done"
    assert (await limited(folder, CommandLimits(seconds=50), "sh", "-c", line))[1] == "done\n"
    os.set_blocking(descriptor, True)
    assert await asyncio.to_thread(os.read, descriptor, 1) == b""  # nobody holds the other end any more
    os.close(descriptor)


@pytest.mark.parametrize("kind", [SandboxKind.BUBBLEWRAP, SandboxKind.LANDLOCK])
@pytest.mark.parametrize("end", ["exit 3", "kill -9 $$", "sleep 600"])
async def test_in_the_sandbox_nothing_outlives_a_command_however_it_hides(
    kind: SandboxKind, end: str, folder: Path
) -> None:
    (folder / "sub").mkdir()
    os.mkfifo(folder / "sub/held")
    descriptor = os.open(folder / "sub/held", os.O_RDONLY | os.O_NONBLOCK)
    scene = Scene(folder.resolve(), sandbox=sandbox_of(kind))
    line = f"(env -i setsid sh -c 'trap \"\" HUP TERM; echo up; sleep 601' > sub/held &); echo ready; {end}"
    going = asyncio.ensure_future(scene.use("run_command", argv=["sh", "-c", line]))
    await scene.printed.wait()
    if end.startswith("sleep"):
        going.cancel()
    (outcome,) = await asyncio.gather(going, return_exceptions=True)
    os.set_blocking(descriptor, True)
    while await asyncio.to_thread(os.read, descriptor, 10):
        pass
    os.close(descriptor)
    if not isinstance(outcome, BaseException):
        assert outcome.call.result["exitCode"] == (3 if end == "exit 3" else 137)


async def test_a_program_that_is_not_there_is_said_not_to_be(folder: Path) -> None:
    with pytest.raises(ToolProblem, match="no such program"):
        await run_command(plain("/nowhere/x"), cwd=folder, env={}, limits=CommandLimits())


def test_children_see_a_short_list_of_variables(folder: Path) -> None:
    environ = {
        "PATH": "/usr/bin", "HOME": "/home/u", "LC_ALL": "C", "KORE_PASSPHRASE": "x", "OPENAI_API_KEY": "x",
        "LD_PRELOAD": "x", "BASH_ENV": "x", "PYTHONPATH": "x", "GIT_DIR": "x", "SSH_AUTH_SOCK": "x", "https_proxy": "p",
        "NODE_OPTIONS": "x", "DISPLAY": "x", "DBUS_SESSION_BUS_ADDRESS": "x",
    }  # fmt: skip
    shown = child_environment(environ, folder=folder)
    assert "x" not in shown.values()
    assert (shown["PATH"], shown["HOME"], shown["LC_ALL"]) == ("/usr/bin", "/home/u", "C")
    assert "https_proxy" not in shown
    assert child_environment(environ, folder=folder, network=True)["https_proxy"] == "p"


def test_programs_are_looked_for_in_absolute_directories_outside(folder: Path, tmp_path: Path) -> None:
    (folder / "bin").mkdir()
    for path in (folder / "bin/tool", tmp_path / "tool"):
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    (tmp_path / "linked").symlink_to(folder / "bin")
    path_variable = f".::bin:{folder}/bin:{tmp_path}/linked:{tmp_path}:/usr/bin"
    assert search_path(path_variable, folder.resolve()) == f"{tmp_path}:/usr/bin"
    assert find_program("tool", {"PATH": path_variable}, folder=folder.resolve()) == str((tmp_path / "tool").resolve())
    assert find_program("tool", {"PATH": f"{folder}/bin"}, folder=folder.resolve()) is None


def test_who_commits_is_read_from_the_users_settings_only_when_whole(tmp_path: Path) -> None:
    assert git_identity(tmp_path) == {}
    (tmp_path / ".gitconfig").write_text("[user]\n name = A\n")
    assert git_identity(tmp_path) == {}


@pytest.mark.parametrize("late", ["secret", "link"])
async def test_what_was_made_while_the_user_thought_is_protected(
    late: str, confined: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def thinking(request: PermissionRequest) -> PermissionAnswer:
        if late == "secret":
            (confined.folder / ".env").write_text("SECRET")
        else:
            (confined.folder / ".claude").symlink_to("elsewhere")
        return PermissionAnswer(outcome=PermissionOutcome.SELECTED, option_id="allowOnce")

    monkeypatch.setattr(folder_watch, "FRESH_S", -1.0)
    confined.mode, confined.answer = AgentMode.GENERAL, thinking
    outcome = await confined.use("run_command", argv=["sh", "-c", "cat .env; echo ran"])
    assert "SECRET" not in outcome.text
    assert ("ran" in outcome.text) is (late == "secret")
    assert ("Something changed" in outcome.text) is (late == "link")
