"""What links in several steps lead to, and what makes a secret one: neither tools nor commands change or read it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from kore_ls.agents.links import way_of
from kore_ls.agents.protected_files import find_protected
from kore_ls.agents.sandbox.kinds import SandboxKind
from kore_ls.model.message import ToolStatus
from kore_ls.model.mode import AgentMode
from tests.agents.means import sandbox_of
from tests.agents.scene import Scene
from tests.agents.world import git

BOTH = pytest.mark.parametrize(
    "kind", [SandboxKind.BUBBLEWRAP, pytest.param(SandboxKind.LANDLOCK, marks=pytest.mark.slow)]
)

SECRET = "SECRET-OF-THE-USER"

SECRETS = {
    "a file in a directory that a link names": ({".docker": "d"}, "d/config.json"),
    "a link in a directory that a link names": ({".aws": "awsdir", "awsdir/credentials": "../plain"}, "plain"),
    "a link in a secret directory": ({".aws/credentials": "../plain"}, "plain"),
    "a link to a link": ({".env": "a", "a": "b/c", "b": "d"}, "d/c"),
    "three links": ({".config": "c", "c/gcloud": "../g", "g/deep": "../e", "e/x": "../plain"}, "plain"),
    "a link beside others": ({"sub/.env": "../cfg/plain"}, "cfg/plain"),
    "a hard link in a secret directory": ({}, "hard"),
}
CODES = {
    "a link in a directory of a link": ({".vscode": "cfg", "cfg/tasks.json": "../shared/t.json"}, "shared/t.json"),
    "a link in a directory in it": ({".vscode/x": "../cfg", "cfg/tasks.json": "../shared/t.json"}, "shared/t.json"),
    "a link to a link": ({".mcp.json": "a", "a": "shared/t.json"}, "shared/t.json"),
    "a directory behind two links": ({".github": "gh", "gh/workflows": "../ci", "ci/x": "../y"}, "y/ci.yml"),
}  # fmt: skip


def linked(folder: Path, links: dict[str, str], name: str, content: str) -> Path:
    """The folder with these links and a file."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content)
    for link, target in links.items():
        (folder / link).parent.mkdir(parents=True, exist_ok=True)
        (folder / link).symlink_to(target)
    if name == "hard":
        (folder / ".aws").mkdir()
        (folder / ".aws/credentials").hardlink_to(folder / name)
    return folder.resolve()


def secret_world(case: str, folder: Path) -> tuple[Path, str]:
    links, name = SECRETS[case]
    for each in ("d", "g", "e", "awsdir", "c"):
        (folder / each).mkdir(exist_ok=True)
    return linked(folder, links, name, SECRET), name


@pytest.mark.parametrize("case", SECRETS)
async def test_in_plan_mode_no_tool_reads_a_secret_that_links_make_one(case: str, folder: Path) -> None:
    work, name = secret_world(case, folder)
    scene = Scene(work, mode=AgentMode.PLAN)
    for tool, arguments in {
        "read_file": {"path": name},
        "grep": {"pattern": "SECRET"},
        "list_dir": {"path": "."},
    }.items():
        assert SECRET not in (await scene.use(tool, declared=None, **arguments)).text


@BOTH
@pytest.mark.parametrize("case", SECRETS)
async def test_no_command_reads_a_secret_that_links_make_one(kind: SandboxKind, case: str, folder: Path) -> None:
    work, name = secret_world(case, folder)
    scene = Scene(work, sandbox=sandbox_of(kind))
    moved = f"mv {name.split('/')[0]} moved; rm -rf .env .aws .docker .config a b sub; mv {name} moved2; rmdir *"
    for line in (f"cat {name}; cat .aws/* .env .config/*/*/* .docker/*", moved, "cat $(find . -type f)"):
        outcome = await scene.use("run_command", argv=["sh", "-c", line])
        assert SECRET not in outcome.text
    for tool in ("read_file", "delete"):
        found = next(path for path in work.rglob("*") if path.is_file() and path.read_text() == SECRET)
        outcome = await scene.use(tool, path=str(found))
        assert SECRET not in outcome.text
        assert outcome.call.status is ToolStatus.DENIED


@pytest.mark.parametrize("case", SECRETS)
async def test_no_tool_takes_away_unasked_what_makes_a_secret_one(case: str, folder: Path) -> None:
    work, _ = secret_world(case, folder)
    scene = Scene(work)
    for path in sorted(work.rglob("*")):
        if path == work / "list" or not os.path.lexists(path):
            continue
        for tool, arguments in {
            "move": {"source": str(path), "target": "moved"},
            "delete": {"path": str(path)},
        }.items():
            await scene.use(tool, declared=None, **arguments)
    plan = Scene(work, mode=AgentMode.PLAN)
    for found in [path for path in work.rglob("*") if path.is_file()]:
        assert SECRET not in (await plan.use("read_file", path=str(found))).text


@pytest.mark.parametrize(
    "place", [".docker/config.json", ".config/gcloud/x", ".local/share/keyrings/x", "sub/.config/gh/x"]
)
async def test_what_is_a_secret_by_its_place_stays_there(place: str, folder: Path) -> None:
    work = linked(folder, {}, place, SECRET)
    scene = Scene(work, sandbox=sandbox_of(SandboxKind.BUBBLEWRAP))
    top = place.split("/")[0]
    line = f"mv {top}/share s; mv {top}/.config s; mv {top} t; for i in 1 2; do mv .config/* .local/* sub/* u; done"
    await scene.use("run_command", argv=["sh", "-c", line])
    for source in (top, str(Path(place).parent), place):
        await scene.use("move", source=source, target="moved")
    assert (work / place).read_text() == SECRET
    assert "SECRET" not in (await scene.use("run_command", argv=["sh", "-c", "cat $(find . -type f)"])).text


@BOTH
@pytest.mark.parametrize("case", CODES)
async def test_what_editors_and_agents_run_through_several_links_is_not_written(
    kind: SandboxKind, case: str, folder: Path
) -> None:
    links, name = CODES[case]
    for each in ("cfg", "gh", "ci"):
        (folder / each).mkdir()
    work = linked(folder, links, name, "as it was")
    scene = Scene(work, sandbox=sandbox_of(kind))
    await scene.use("run_command", argv=["sh", "-c", f"echo x > {name}; mv {Path(name).parts[0]} z"])
    assert (await scene.use("write_file", path=name, content="x")).call.status is ToolStatus.DENIED
    for path in {name, Path(name).parts[0], *links}:
        assert (await scene.use("delete", path=path)).call.status in (ToolStatus.DENIED, ToolStatus.FAILED)
    assert (work / name).read_text() == "as it was"


async def test_a_link_on_the_way_that_a_command_replaces_is_put_aside(folder: Path) -> None:
    work = linked(
        folder, {".vscode/tasks.json": "../t", "t": "u", ".git/hooks/post-commit": "../../h", "h": "u"}, "u", "x"
    )
    scene = Scene(work, sandbox=sandbox_of(SandboxKind.BUBBLEWRAP))
    outcome = await scene.use("run_command", argv=["sh", "-c", "rm t h; echo evil > t; echo evil > h"])
    assert sorted(outcome.call.result["putAside"]) == ["h", "t"]
    assert not (work / "t").exists()


async def test_a_link_to_a_secret_that_a_command_takes_away_is_put_back_and_told(folder: Path) -> None:
    work = linked(folder, {".env": "plain"}, "plain", SECRET)
    scene = Scene(work, sandbox=sandbox_of(SandboxKind.BUBBLEWRAP))
    for line in ("rm .env", "rm .env; echo x > .env", "ln -sfn elsewhere .env", "rm .env; mkdir .env"):
        outcome = await scene.use("run_command", argv=["sh", "-c", line])
        assert "[.env: this link belongs to a secret; it was put back]" in outcome.text
        assert (work / ".env").read_text() == SECRET
        assert find_protected(work).secrets[-1] == work / "plain"
    assert scene.asked == []


async def test_a_secret_is_not_lost_among_git_s_references(folder: Path) -> None:
    work = linked(folder, {}, "cfg/.env", SECRET)
    scene = Scene(work, sandbox=sandbox_of(SandboxKind.BUBBLEWRAP))
    line = "mkdir -p .git/objects .git/refs/heads; echo ref: refs/heads/m > .git/HEAD; mv cfg .git/refs/heads/cfg"
    await scene.use("run_command", argv=["sh", "-c", line])
    assert SECRET not in (await scene.use("run_command", argv=["sh", "-c", "cat $(find . -name .env)"])).text


async def test_a_branch_that_is_named_like_a_secret_is_no_secret(folder: Path) -> None:
    work = linked(folder, {}, ".git/refs/heads/x.key", "1" * 40 + "\n")
    assert find_protected(work).secrets == ()


def test_the_way_of_a_link_names_every_link_on_it(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    for link, target in {"a": "./b/../b/c", "b": "d", "d/c": "../e", "loop": "loop"}.items():
        (tmp_path / link).symlink_to(target)
    way, end = way_of(tmp_path / "a")
    assert (set(way), end) == ({tmp_path / each for each in ("a", "b", "d/c")}, tmp_path / "e")
    assert way_of(tmp_path / "loop")[1].name == "loop"


@BOTH
@pytest.mark.parametrize("directory", [False, True])
async def test_what_a_secret_s_link_leads_to_outside_is_hidden_where_the_rest_is_seen(
    kind: SandboxKind, directory: bool, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Toolchains of the home and directories of the system can be read, but not for that."""
    tools = tmp_path / "home/.pyenv"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tools / "app").mkdir(parents=True)
    (tools / "app/plain").write_text(SECRET)
    (tools / "other").write_text("seen")
    target = "../home/.pyenv/app" if directory else "../home/.pyenv/app/plain"
    work = linked(folder, {".aws" if directory else ".env": target}, "x", "x")
    scene = Scene(work, sandbox=sandbox_of(kind))
    line = f"cat .env .aws/* {tools}/app/*; cat {tools}/other"
    outcome = await scene.use("run_command", argv=["sh", "-c", line])
    assert SECRET not in outcome.text
    assert "seen" in outcome.text


async def test_what_lies_too_deep_to_be_looked_at_is_told_and_asked_about(folder: Path) -> None:
    work = linked(folder, {}, "cfg/.env", SECRET)
    scene = Scene(work, sandbox=sandbox_of(SandboxKind.BUBBLEWRAP))
    program = (
        "import os; top = os.open('.', 0)\n"
        "for _ in range(25): os.mkdir('d' * 200); os.chdir('d' * 200)\n"
        "os.rename('cfg', 'cfg', src_dir_fd=top)"
    )
    outcome = await scene.use("run_command", argv=[os.path.realpath(sys.executable), "-ISc", program])
    assert "too much here" in outcome.text
    assert (await scene.use("run_command", argv=["id"])).call.status is ToolStatus.DENIED


async def test_a_file_of_a_path_too_long_keeps_no_other_from_being_put_aside(folder: Path) -> None:
    scene = Scene(folder.resolve(), sandbox=sandbox_of(SandboxKind.BUBBLEWRAP))
    rest = 4090 - len(str(folder.resolve()))
    line = f"mkdir -p {'/'.join(['d' * 200] * (rest // 201))}/{'e' * (rest % 201)}; echo x > .mcp.json;"
    line += f" cd {'/'.join(['d' * 200] * (rest // 201))}/{'e' * (rest % 201)} && echo x > {'f' * 100}"
    outcome = await scene.use("run_command", argv=["sh", "-c", line])
    assert outcome.call.result["putAside"] == [".mcp.json"]


async def test_long_words_in_git_s_settings_are_no_obstacle(folder: Path) -> None:
    git("init", "-q", "--template=", ".", cwd=folder)
    git("config", "alias.x", f"!{'a' * 300} {'b/' * 3000}c", cwd=folder)
    scene = Scene(folder.resolve(), sandbox=sandbox_of(SandboxKind.BUBBLEWRAP))
    assert (await scene.use("write_file", path="x", content="y")).call.status is ToolStatus.COMPLETED
    assert (await scene.use("run_command", argv=["id"])).call.status is ToolStatus.COMPLETED
