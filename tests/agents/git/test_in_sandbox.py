"""Git in the sandbox of a repository that tracks secrets: it works, reads none of them and commits none anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from kore_ls.agents.sandbox.kinds import SandboxKind
from kore_ls.model.message import ToolStatus
from kore_ls.model.mode import AgentMode
from tests.agents.means import sandbox_of
from tests.agents.scene import Scene, tree_hash
from tests.agents.world import git

SECRET = "TOKEN-OF-THE-FOLDER"
IDENTITY = ("-c", "user.name=n", "-c", "user.email=m")


@pytest.fixture
def tracking(folder: Path) -> Scene:
    """Three commits on two branches; `.npmrc` and a key are tracked, all of it was written a moment ago."""
    work = folder.resolve()
    git("init", "-q", "-b", "main", "--template=", ".", cwd=work)
    (work / ".npmrc").write_text(f"token={SECRET}\n")
    (work / "sub").mkdir()
    (work / "sub/server.key").write_text(SECRET)
    (work / "sub/server.key").chmod(0o755)
    (work / "a.txt").write_text("a\n")
    (work / ".aws").mkdir()
    (work / ".aws/config").write_text(SECRET)
    git("add", "-A", cwd=work)
    git("commit", "-q", "-m", "first", cwd=work)
    for name in (".env", ".aws/untracked", "sub/[x] !#.pem"):
        (work / name).write_text(SECRET)
    git("commit", "-q", "--allow-empty", "-m", "second", cwd=work)
    git("branch", "other", "HEAD~1", cwd=work)
    return Scene(work, sandbox=sandbox_of(SandboxKind.BUBBLEWRAP), answer="rejectOnce")


async def line(scene: Scene, text: str) -> str:
    outcome = await scene.use("run_command", argv=["sh", "-c", text])
    assert outcome.call.result["exitCode"] == 0, outcome.text
    return outcome.text


@pytest.mark.parametrize("version", ["2", "4"])
async def test_everyday_git_works_where_secrets_are_tracked(tracking: Scene, version: str) -> None:
    work = tracking.folder
    git("update-index", "--index-version", version, cwd=work)
    (work / "a.txt").write_text("b\n")
    (work / "made").write_text("x")
    commit = f"git {' '.join(IDENTITY)}"
    assert await line(tracking, "git status --short") == " M a.txt\n?? made\n[exit code 0]"
    await line(tracking, f"git add -A && {commit} commit -qm third")
    (work / "a.txt").write_text("c\n")
    await line(tracking, f"{commit} commit -qam fourth")
    (work / "a.txt").write_text("d\n")
    await line(tracking, f"{commit} stash && git status --short && {commit} stash pop && git checkout -q a.txt")
    await line(tracking, f"git checkout -q other && {commit} commit -q --allow-empty -m o && {commit} rebase -q main")
    assert git("status", "--short", cwd=work).splitlines() == ["?? .aws/untracked", "?? .env", '?? "sub/[x] !#.pem"']
    assert git("diff", "--name-only", "HEAD~4", "HEAD", cwd=work).split() == ["a.txt", "made"]
    assert (work / ".npmrc").read_text() == f"token={SECRET}\n"
    assert tracking.asked == []


async def test_a_secret_that_was_changed_is_not_committed_from_the_sandbox(tracking: Scene) -> None:
    (tracking.folder / ".npmrc").write_text("another one\n")
    argv = ["git", *IDENTITY, "commit", "-qam", "third"]
    outcome = await tracking.use("run_command", argv=argv)
    assert outcome.call.result["exitCode"] != 0
    assert git("show", "HEAD:.npmrc", cwd=tracking.folder) == f"token={SECRET}\n"


async def test_a_tracked_secret_can_t_be_read_or_changed(tracking: Scene) -> None:
    text = "cat .npmrc sub/server.key; chmod 644 .npmrc; echo x > .npmrc; rm -f .npmrc; mv sub s; ls -lR"
    text += "; cat .npmrc .aws/* .env"
    outcome = await tracking.use("run_command", argv=["sh", "-c", text])
    assert SECRET not in outcome.text
    assert (tracking.folder / ".npmrc").read_text() == f"token={SECRET}\n"
    assert outcome.call.status is ToolStatus.COMPLETED


async def test_a_secret_that_git_is_told_to_show_is_asked_about_and_in_plan_mode_denied(tracking: Scene) -> None:
    argv = ["git", "show", "HEAD:.npmrc"]
    assert (await tracking.use("run_command", argv=argv)).call.status is ToolStatus.DENIED
    assert ".npmrc: this file holds secrets" in tracking.asked[0].summary
    tracking.mode = AgentMode.PLAN
    assert (await tracking.use("run_command", argv=argv)).call.status is ToolStatus.DENIED
    assert len(tracking.asked) == 1
    tracking.mode, tracking.answer = AgentMode.BUILD, "allowOnce"
    assert SECRET in (await tracking.use("run_command", argv=argv)).text


@pytest.fixture
def guarded(folder: Path) -> Scene:
    """Two branches that differ in a settings file and in a plain one."""
    work = folder.resolve()
    git("init", "-q", "-b", "main", "--template=", ".", cwd=work)
    (work / ".vscode").mkdir()
    for number, branch in enumerate(("main", "other")):
        (work / ".vscode/settings.json").write_text(f"{number}")
        (work / "a.txt").write_text(f"{number}")
        git("checkout", "-q", "-B", branch, cwd=work)
        git("add", "-A", cwd=work)
        git("commit", "-q", "-m", branch, cwd=work)
    git("checkout", "-q", "main", cwd=work)
    return Scene(work, sandbox=sandbox_of(SandboxKind.BUBBLEWRAP), answer="rejectOnce")


@pytest.mark.parametrize(
    "command",
    [
        ["checkout", "other"],
        *(pytest.param(line.split(), marks=pytest.mark.slow) for line in (
            "switch other", "checkout -b more other", "merge other", "rebase other", "reset --hard other",
            "cherry-pick other", "-c advice.x=1 checkout -q other",
        )),
    ],
)  # fmt: skip
async def test_what_would_change_a_settings_file_is_refused_before_anything_is_changed(
    guarded: Scene, command: list[str]
) -> None:
    before = tree_hash(guarded.folder / ".vscode"), git("rev-parse", "HEAD", cwd=guarded.folder)
    outcome = await guarded.use("run_command", argv=["git", *command])
    assert outcome.call.status is ToolStatus.FAILED
    assert "nothing is changed: .vscode/settings.json would be changed" in outcome.text
    assert "`unsandboxed`" in outcome.text
    assert (tree_hash(guarded.folder / ".vscode"), git("rev-parse", "HEAD", cwd=guarded.folder)) == before
    assert git("status", "--short", cwd=guarded.folder) == ""
    assert guarded.asked == []


async def test_what_changes_no_settings_file_goes_on_and_a_shell_s_line_is_told_where_git_stopped(
    guarded: Scene,
) -> None:
    await line(
        guarded, "git checkout -q -b plain && echo 2 > a.txt && git -c user.name=n -c user.email=m commit -qam x"
    )
    for branch in ("main", "plain"):
        outcome = await guarded.use("run_command", argv=["git", "checkout", "-q", branch])
        assert outcome.text == "[exit code 0]"
    outcome = await guarded.use("run_command", argv=["sh", "-c", "git checkout other"])
    assert ".vscode/settings.json: the sandbox keeps it as it is; git may have stopped half-way" in outcome.text


@pytest.mark.parametrize("kind", [SandboxKind.BUBBLEWRAP, SandboxKind.LANDLOCK])
async def test_git_shows_no_secret_of_its_history_that_it_was_not_told_to_show(
    kind: SandboxKind, tracking: Scene
) -> None:
    work = tracking.folder
    for name in ("ID_RSA", ".env.example", "docs/.aws/x"):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(SECRET if name != ".env.example" else "shown\n")
    git("add", "-A", cwd=work)
    git("commit", "-q", "-m", "third", cwd=work)
    (work / ".npmrc").write_text(f"{SECRET}-2")
    git("commit", "-q", "-am", "fourth", cwd=work)
    git("rm", "-q", "--cached", "-r", ".npmrc", ".aws", cwd=work)
    git("commit", "-q", "-m", "fifth", cwd=work)
    git("config", "alias.past", "log -p", cwd=work)
    tracking.sandbox = sandbox_of(kind)
    shown = ""
    for text in (
        "git log -p",
        "git past",
        "git show HEAD~1",
        "git diff HEAD~3",
        "git grep TOKEN HEAD~1",
        "git log -pm",
    ):
        shown += (await tracking.use("run_command", argv=["sh", "-c", f"{text} || true"])).text
    assert SECRET not in shown
    assert "+shown" in shown and "Binary file" in shown
    assert tracking.asked == []


async def test_what_the_user_or_the_repository_tells_git_to_ignore_stays_ignored(
    tracking: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tracking.folder
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "config/git").mkdir(parents=True)
    (tmp_path / "config/git/ignore").write_text("of-user\n")
    (tmp_path / "elsewhere").write_text(f"{SECRET}\n")
    (work / "list").write_text("of-repository\n")
    for name in ("of-user", "of-repository", "plain"):
        (work / name).write_text("x")
    seen = "git status --short; cat $GIT_CONFIG_VALUE_2"
    assert "?? list\n?? of-repository\n?? plain\n" in await line(tracking, seen)
    git("config", "core.excludesFile", "list", cwd=work)
    assert "?? list\n?? of-user\n?? plain\n" in await line(tracking, seen)
    for name in (str(tmp_path / "elsewhere"), ".npmrc", "../elsewhere"):
        git("config", "core.excludesFile", name, cwd=work)
        shown = await line(tracking, seen)
        assert "?? list\n?? of-repository\n?? of-user\n?? plain\n" in shown
        assert SECRET not in shown
