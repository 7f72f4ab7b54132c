"""The tools that look for something: lines, symbols, differences, past conversations."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kore_ls.agents.ports import PastMatch
from kore_ls.agents.sandbox.kinds import NO_SANDBOX, SandboxKind
from kore_ls.agents.tools.grep import Grep
from kore_ls.agents.tools.symbols import symbols_of
from kore_ls.model.ids import SessionId
from kore_ls.model.message import Role, ToolStatus
from kore_ls.model.mode import AgentMode
from tests.agents.means import ripgrep, sandbox_of
from tests.agents.scene import Scene
from tests.agents.world import git


@pytest.fixture
def scene(folder: Path) -> Scene:
    for name, content in {
        "a.py": "alpha\nbeta needle\n",
        "sub/b.txt": "needle 中文\n",
        "sub/ignored.log": "needle\n",
        "build/out.txt": "needle\n",
        "keep/build/in.txt": "needle\n",
        ".gitignore": "*.log\n/build/\n!keep.log\n",
        "keep.log": "needle\n",
        ".env": "needle\n",
        ".git/config": "needle\n",
        "binary": "needle\0",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return Scene(folder.resolve())


@pytest.mark.parametrize("with_ripgrep", [True, False])
async def test_a_search_finds_what_is_neither_ignored_nor_secret(
    with_ripgrep: bool, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    if with_ripgrep:
        ripgrep()
    monkeypatch.setattr(Grep, "use_ripgrep", with_ripgrep)
    outcome = await scene.use("grep", pattern="need.e")
    assert outcome.text.splitlines() == [
        "a.py:2: beta needle",
        "keep.log:1: needle",
        "keep/build/in.txt:1: needle",
        "sub/b.txt:1: needle 中文",
    ]
    assert (await scene.use("grep", pattern="needle", path="sub")).text == "sub/b.txt:1: needle 中文"
    assert (await scene.use("grep", pattern="needle", path="a.py")).text == "a.py:2: beta needle"
    assert (await scene.use("grep", pattern="no such thing")).text == "No matches."
    assert (await scene.use("grep", pattern="(")).call.status is ToolStatus.FAILED
    assert (await scene.use("grep", pattern="needle", path="nowhere")).call.status is ToolStatus.FAILED


@pytest.mark.parametrize("with_ripgrep", [True, False])
async def test_a_search_gives_back_only_so_much(
    with_ripgrep: bool, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    if with_ripgrep:
        ripgrep()
    monkeypatch.setattr(Grep, "use_ripgrep", with_ripgrep)
    for number in range(10):
        (scene.folder / f"many{number}.txt").write_text(f"{'y' * 1000}\n" * 200)
    outcome = await scene.use("grep", pattern="y")
    assert len(outcome.text) < 200_000
    assert "more matches" in outcome.text or "left out" in outcome.text


def test_symbols_of_python_come_from_its_grammar() -> None:
    text = "class A:\n    async def run(self): ...\n\ndef f():\n    def g(): ...\n"
    assert symbols_of(text, ".py") == [
        (1, 0, "class A"), (2, 1, "def run"), (4, 0, "def f"), (5, 1, "def g"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "found"),
    [
        *(("export default async function go() {", "function go"), ("pub(crate) fn run<T>() {", "fn run")),
        *(("func (s *Server) Serve() {", "func Serve"), ("public final class A {", "class A"), ("x = def_", None)),
        *(("local function M.setup()", "function M.setup"), ("interface I {", "interface I"), ("// class A", None)),
    ],
)
def test_symbols_of_other_languages_come_from_their_lines(line: str, found: str | None) -> None:
    assert [each[2] for each in symbols_of(line, ".x")] == ([found] if found else [])


def test_headings_are_the_symbols_of_markdown() -> None:
    assert symbols_of("# A\n```\n# no\n```\n## B\n", ".md") == [(1, 0, "A"), (5, 1, "B")]


@pytest.mark.parametrize("text", ["(" * 10_000, "def", "\0", "x" * 100_000])
def test_odd_python_is_no_trouble(text: str) -> None:
    assert symbols_of(text, ".py") == []


async def test_differences_are_those_to_the_last_commit_and_new_files(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    scene = Scene(work.resolve())
    assert "not in a git repository" in (await scene.use("diff")).text
    git("init", "-q", "-b", "main", "--template=", ".", cwd=work)
    assert "no commit" in (await scene.use("diff")).text
    for name in ("a.py", "中文.md", ".env"):
        (work / name).write_text("one\n")
    git("add", "-f", ".", cwd=work)
    git("commit", "-q", "-m", "first", cwd=work)
    assert (await scene.use("diff")).text == "No differences."
    for name in ("a.py", "中文.md", ".env"):
        (work / name).write_text("two\n")
    (work / "new file").write_text("x")
    outcome = await scene.use("diff")
    assert "+two" in outcome.text
    assert "new file: new file\n" in outcome.text
    assert (outcome.call.result["changed"], outcome.call.result["new"]) == (["a.py", "中文.md"], ["new file"])
    git("pack-refs", "--all", cwd=work)
    assert (await scene.use("diff", path="a.py")).call.result["changed"] == ["a.py"]
    git("worktree", "add", "-q", str(tmp_path / "other"), "-b", "other", cwd=work)
    (tmp_path / "other/a.py").write_text("three\n")
    other = Scene((tmp_path / "other").resolve())
    assert (await other.use("diff")).call.result["changed"] == ["a.py"]


async def test_past_conversations_are_found_through_the_port(scene: Scene) -> None:
    scene.past.append(
        PastMatch(
            session_id=SessionId("s1"), session_name="Login", role=Role.USER, timestamp=0, snippet="fix\nthe login"
        )
    )
    outcome = await scene.use("search_sessions", query="login")
    assert outcome.text == "Login (1970-01-01) user: fix the login"
    assert outcome.call.result["sessions"] == ["s1"]
    assert (await scene.use("search_sessions", query=" ")).call.status is ToolStatus.FAILED


@pytest.mark.parametrize("kind", list(SandboxKind))
@pytest.mark.parametrize("how", ["alternates", "links"])
async def test_differences_show_nothing_of_another_repository(how: str, kind: SandboxKind, tmp_path: Path) -> None:
    work, other = tmp_path / "work", tmp_path / "other"
    for each in (work, other):
        each.mkdir()
        git("init", "-q", "-b", "main", "--template=", ".", cwd=each)
    (other / "file").write_text("OTHER\n")
    git("add", ".", cwd=other)
    git("commit", "-q", "-m", "first", cwd=other)
    shutil.copyfile(other / ".git/refs/heads/main", work / ".git/refs/heads/main")
    if how == "alternates":
        (work / ".git/objects/info/alternates").write_text(f"{other}/.git/objects\n")
    else:
        shutil.rmtree(work / ".git/objects")
        (work / ".git/objects").mkdir()
        for each in (other / ".git/objects").iterdir():
            (work / ".git/objects" / each.name).symlink_to(each)
    sandbox = NO_SANDBOX if kind is SandboxKind.NONE else sandbox_of(kind)
    outcome = await Scene(work.resolve(), sandbox=sandbox, mode=AgentMode.PLAN).use("diff")
    assert outcome.call.status is ToolStatus.FAILED
    assert "OTHER" not in outcome.text
