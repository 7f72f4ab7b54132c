"""What a path really is: inside or not, and what is special about it, under all its names."""

from __future__ import annotations

from pathlib import Path

import pytest

from kore_ls.agents.paths import Access, locate
from kore_ls.agents.problem import ToolProblem
from kore_ls.agents.protected import Guard, guards_of, plain_name
from kore_ls.agents.protected_files import find_protected
from kore_ls.agents.sandbox.confine import can_confine
from kore_ls.agents.sandbox.kinds import SandboxKind
from kore_ls.model.message import ToolStatus
from kore_ls.model.mode import AgentMode
from tests.agents.scene import Scene


@pytest.fixture
def work(folder: Path) -> Path:
    (folder / "src").mkdir()
    (folder / "src/a.py").write_text("x")
    return folder.resolve()


@pytest.mark.parametrize(
    ("text", "relative", "inside"),
    [
        *(("src/a.py", "src/a.py", True), ("./src/../src//a.py", "src/a.py", True), (".", ".", True)),
        *(("new", "new", True), ("src/new/../b", "src/b", True), ("..", None, False), ("../x", None, False)),
        ("/etc", None, False),
    ],
)  # fmt: skip
def test_a_path_is_resolved_from_the_folder(text: str, relative: str | None, inside: bool, work: Path) -> None:
    place = locate(work, text, Access.READ)
    assert (place.inside, place.relative) == (inside, relative or str(place.path))


def test_absolute_paths_and_file_uris_into_the_folder_are_inside(work: Path) -> None:
    (work / "中 文.py").write_text("x")
    for text in (str(work / "中 文.py"), (work / "中 文.py").as_uri(), f"file://localhost{work}/%E4%B8%AD%20文.py"):
        assert locate(work, text, Access.READ).relative == "中 文.py"


def test_a_folder_whose_name_begins_like_ours_is_not_ours(work: Path) -> None:
    other = work.with_name(work.name + "-other")
    other.mkdir()
    assert not locate(work, str(other), Access.READ).inside
    assert not locate(work, f"../{other.name}/x", Access.WRITE).inside


def test_a_link_is_where_it_leads_and_keeps_the_guards_of_its_name(work: Path) -> None:
    (work / ".env").symlink_to("src/a.py")
    (work / "plain").symlink_to(".env")
    place = locate(work, ".env", Access.READ)
    assert (place.relative, place.guards) == ("src/a.py", frozenset({Guard.SECRET}))
    assert locate(work, "plain", Access.READ, follow=False).relative == "plain"


def test_a_file_with_further_names_is_inside_only_to_be_read(work: Path, tmp_path: Path) -> None:
    (work / "linked").hardlink_to(work / "src/a.py")
    assert locate(work, "linked", Access.READ).inside
    assert not locate(work, "linked", Access.WRITE).inside


def test_a_further_name_of_a_users_credentials_is_a_secret(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/config").write_text("x")
    (work / "harmless").hardlink_to(tmp_path / ".ssh/config")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Guard.SECRET in locate(work, "harmless", Access.READ).guards


@pytest.mark.parametrize(
    ("path", "guards"),
    [
        *((".env", {"secret"}), (".env.example", set()), (".env.production", {"secret"}), ("env", set())),
        *((".ENV", {"secret"}), (".env.example.bak", {"secret"}), ("a/id_ed25519", {"secret"}), ("id_rsa.pub", set())),
        *(("tls/server.key", {"secret"}), ("x.pem", {"secret"}), (".npmrc", {"secret"}), ("id_mapping.py", set())),
        ("a/cacert.pem", set()),
        *((".aws/config", {"secret"}), (".ssh/known_hosts", {"secret"}), (".docker/config.json", {"secret"})),
        *((".docker/Dockerfile", set()), ("credentials.json", {"secret"}), ("credentials.py", set())),
        *((".git", {"internal"}), (".gitignore", set()), (".github/x", set()), ("a/.git/b", {"internal"})),
        *((".kore/x", {"internal"}), (".korea", set()), ("kore", set()), (".git/config", {"internal"})),
        *((".vscode/x/y", {"code"}), (".github/workflows/a.yml", {"code"}), (".envrc", {"code", "secret"})),
        *(("x.code-workspace", {"code"}), ("a/.mcp.json", {"code"}), ("mcp.json", set()), ("vscode/x", set())),
        *((".devcontainer.json", {"code"}), (".husky/pre-commit", {"code"}), (".gitlab-ci.yml", {"code"})),
        # version control and its hooks
        *(("lefthook.yaml", {"code"}), (".lefthook.toml", {"code"}), ("lefthook-local.yml", {"code"})),
        *((".hg/hgrc", {"code"}), (".hg/store/x", set()), (".jj/repo/config.toml", {"code"}), (".jj/x", set())),
        *((".lintstagedrc.json", {"code"}), (".simple-git-hooks.cjs", {"code"}), ("hooks/x", set())),
        # agents
        *(("crush.json", {"code"}), (".crush.json", {"code"}), (".aider.conf.yml", {"code"}), (".qwen/x", {"code"})),
        *((".roo/mcp.json", {"code"}), (".kiro/hooks/x", {"code"}), (".amazonq/mcp.json", {"code"})),
        # CI
        *((".circleci/config.yml", {"code"}), ("azure-pipelines.yaml", {"code"}), ("Jenkinsfile", {"code"})),
        *(("ci/Jenkinsfile.release", {"code"}), (".travis.yml", {"code"}), ("bitbucket-pipelines.yml", {"code"})),
        *((".drone.star", {"code"}), (".woodpecker/a.yml", {"code"}), (".woodpecker.yml", {"code"})),
        *((".buildkite/pipeline.yml", {"code"}), (".forgejo/workflows/a.yml", {"code"}), (".gitlab/ci/a", {"code"})),
        *((".gitea/workflows/a.yml", {"code"}), (".gitea/issue_template.md", set()), ("travis.yml", set())),
        # editors, shells, tools
        *((".gvimrc", {"code"}), ("_vimrc", {"code"}), (".local.vimrc", {"code"}), (".bashrc", {"code"})),
        *((".cargo/config.toml", {"code"}), (".cargo/config", {"code"}), (".cargo/registry/x", set())),
        *(("mise.toml", {"code"}), (".mise.toml", {"code"}), (".tool-versions", {"code"}), ("mise.dev.toml", {"code"})),
        *(("cargo/config.toml", set()), ("Cargo.toml", set()), ("Makefile", set()), (".local/bin/x", {"code"})),
        # credentials
        *((".config/git/credentials", {"code", "secret"}), (".cargo/credentials.toml", {"secret"})),
        *((".cargo/credentials", {"secret"}), ("application_default_credentials.json", {"secret"})),
        *((".boto", {"secret"}), (".s3cfg", {"secret"}), (".m2/settings.xml", {"secret"}), ("settings.xml", set())),
        *((".composer/auth.json", {"secret"}), ("locales/auth.json", set()), ("a/rclone.conf", {"secret"})),
        *(("kubeconfig", {"secret"}), ("kubeconfig.yml", {"secret"}), ("x.env", {"secret"}), ("a/b.env", {"secret"})),
        *(("example.env", set()), ("app.example.env", set()), (".claude/.credentials.json", {"code", "secret"})),
    ],
)  # fmt: skip
def test_names_tell_what_is_special(path: str, guards: set[str]) -> None:
    assert {each.value for each in guards_of(path.split("/"))} == guards


@pytest.mark.parametrize(
    "name", [".GIT", ".git.", ".git ", ".git . .", ".git::$DATA", ".gi\u200dt", "．git", ".g\ufeffit", ".\u202egit"]
)
def test_names_that_some_file_system_takes_for_another_are_that_other(name: str) -> None:
    assert plain_name(name) == ".git"


def test_a_repository_without_a_working_tree_is_known_by_its_parts(work: Path) -> None:
    for name in ("x.git/objects", "x.git/refs"):
        (work / name).mkdir(parents=True)
    assert Guard.INTERNAL not in locate(work, "x.git/hooks/post-update", Access.WRITE).guards
    assert Guard.INTERNAL in locate(work, "x.git/HEAD", Access.WRITE).guards
    (work / "x.git/HEAD").write_text("ref: refs/heads/main")
    assert Guard.INTERNAL in locate(work, "x.git/hooks/post-update", Access.WRITE).guards


@pytest.mark.parametrize("text", ["", "\0", "a\0b", "\ud800", "x" * 5000, "C:\\x", "a\\b", "http://a/b", "%2e%2e/a"])
def test_what_is_no_path_of_this_machine_is_refused(text: str, work: Path) -> None:
    with pytest.raises(ToolProblem):
        locate(work, text, Access.READ)


async def test_a_store_of_another_name_is_as_protected_as_kore(work: Path) -> None:
    (work / "data/sessions").mkdir(parents=True)
    (work / "data/sessions/sessions.db").write_text("x")
    scene = Scene(work, store=work / "data/sessions")
    for tool, arguments in {
        "write_file": {"path": "data/sessions/sessions.db", "content": "y"},
        "delete": {"path": "data"},
        "move": {"source": "data/sessions", "target": "away"},
    }.items():
        outcome = await scene.use(tool, declared=None, **arguments)
        assert outcome.call.status is ToolStatus.DENIED
    assert (work / "data/sessions/sessions.db").read_text() == "x"
    assert find_protected(work, internal=[work / "data/sessions"]).fixed == (work / "data/sessions",)


@pytest.mark.parametrize("mode", [AgentMode.GENERAL, AgentMode.BUILD])
async def test_nobody_writes_what_the_user_has_allowed(mode: AgentMode, work: Path) -> None:
    state = work / ".local/state/kore"
    state.mkdir(parents=True)
    (state / "rules.json").write_text("{}")
    scene = Scene(work, mode=mode, state=state, answer="allowOnce")
    for tool, arguments in {
        "write_file": {"path": ".local/state/kore/trust.json", "content": "y"},
        "delete": {"path": ".local"},
        "move": {"source": ".local/state", "target": "away"},
    }.items():
        assert (await scene.use(tool, declared=None, **arguments)).call.status is ToolStatus.DENIED
    assert (state / "rules.json").read_text() == "{}"
    assert scene.asked == []


@pytest.mark.parametrize("name", ["node_modules", "objects", "__pycache__", ".pytest_cache"])
def test_no_name_of_a_directory_hides_what_is_protected_in_it(name: str, work: Path) -> None:
    for each in ("x/.env", "x/.npmrc", "x/.vscode/tasks.json", ".mcp.json", "plain"):
        (work / name / each).parent.mkdir(parents=True, exist_ok=True)
        (work / name / each).write_text("x")
    (work / name / "again").hardlink_to(work / name / "plain")
    found = find_protected(work)
    assert found.secrets == (work / name / "x/.env", work / name / "x/.npmrc")
    assert found.fixed == (work / name / ".mcp.json", work / name / "x/.vscode")
    assert not find_protected(work, most=8).complete


def test_files_that_a_package_manager_shares_are_not_written_and_cost_no_sandbox(work: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("x")
    for number in range(400):
        path = work / f"node_modules/.pnpm/p{number % 3}/{number}.js"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.hardlink_to(tmp_path / "cache")
    (work / "node_modules/own.js").write_text("x")
    (work / "few").hardlink_to(tmp_path / "cache")
    found = find_protected(work)
    assert found.linked == (work / "few", work / "node_modules/.pnpm")
    assert can_confine(SandboxKind.BUBBLEWRAP, found)


def test_the_protected_files_of_a_folder_are_found_wherever_they_are(work: Path) -> None:
    for name in (".env", "deep/er/.env.local", ".vscode/tasks.json", "sub/.git/hooks/x", "sub/.git/config"):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text("x")
    (work / "other-name").hardlink_to(work / ".env")
    (work / "conf").write_text("x")
    (work / "deep/.netrc").symlink_to("../conf")
    found = find_protected(work)
    names = {path.relative_to(work).as_posix() for path in found.secrets}
    assert names == {".env", "deep/er/.env.local", "other-name", "conf"}
    fixed = {path.relative_to(work).as_posix() for path in found.fixed}
    assert fixed == {".vscode", "sub/.git/hooks", "sub/.git/config"}
    assert found.complete
