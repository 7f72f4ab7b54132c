"""What a confined child can and can't do, tried by real children, for each means and each profile."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve

from kore_ls.agents.commands import CommandLimits, CommandResult, run_command
from kore_ls.agents.environment import child_environment
from kore_ls.agents.protected_files import find_protected
from kore_ls.agents.sandbox.confine import can_confine, confine
from kore_ls.agents.sandbox.kinds import Sandbox, SandboxKind
from kore_ls.agents.sandbox.profile import Profile, agent_profile, command_profile
from tests.agents.means import sandbox_of

BOTH = pytest.mark.parametrize("kind", [SandboxKind.BUBBLEWRAP, SandboxKind.LANDLOCK], ids=lambda kind: str(kind.value))


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    for name in (".kore", ".git/hooks", ".vscode", "src"):
        (folder / name).mkdir(parents=True)
    for name, content in (
        *((".kore/sessions.db", "store"), (".git/config", "[core]\n"), (".git/HEAD", "ref: refs/heads/main\n")),
        *(
            (".env", "SECRET"),
            (".vscode/.env", "SECRET"),
            (".git/.env", "SECRET"),
            ("src/.env.local", "SECRET"),
            ("src/app.py", "pass\n"),
            (".vscode/tasks.json", "{}"),
        ),
    ):
        (folder / name).write_text(content)
    (folder / "src/other").hardlink_to(folder / ".env")
    (folder / "seen").symlink_to(".env")
    return folder.resolve()


@pytest.fixture
def port() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


async def run(sandbox: Sandbox, profile: Profile, *argv: str, stdin: bytes = b"") -> CommandResult:
    assert can_confine(sandbox.kind, profile.protected)
    return await run_command(
        confine(sandbox, list(argv), profile, profile.folder),
        cwd=profile.folder,
        env=child_environment(os.environ, folder=profile.folder),
        limits=CommandLimits(seconds=20),
        stdin=stdin,
    )


def commands(work: Path, tmp_path: Path, *, network: bool = False) -> Profile:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return command_profile(work, find_protected(work), network=network, scratch=scratch.resolve())


async def shell(sandbox: Sandbox, profile: Profile, line: str) -> CommandResult:
    return await run(sandbox, profile, "/bin/sh", "-c", line)


async def test_bubblewrap_lets_a_command_make_files_in_the_folder_itself(work: Path, tmp_path: Path) -> None:
    profile = commands(work, tmp_path)
    done = await shell(sandbox_of(SandboxKind.BUBBLEWRAP), profile, "echo new > made && mkdir d && mv src moved")
    assert (done.code, (work / "made").read_text(), (work / "moved/app.py").exists()) == (0, "new\n", True)


async def test_landlock_lets_a_command_make_files_in_directories_that_hold_nothing_protected(
    work: Path, tmp_path: Path
) -> None:
    (work / "lib").mkdir()
    profile = commands(work, tmp_path)
    done = await shell(sandbox_of(SandboxKind.LANDLOCK), profile, "echo new > lib/made; echo no > made")
    assert ((work / "lib/made").read_text(), (work / "made").exists()) == ("new\n", False)
    assert "denied" in done.output


@BOTH
@pytest.mark.parametrize(
    "line",
    [
        *("echo x > .kore/sessions.db", "rm -rf .kore", "mv .kore k", "echo x > .git/hooks/pre-commit", "mv .git g"),
        *("echo x >> .git/config", "rm .git/config", "mv .git/hooks h", "echo x > .vscode/tasks.json", "rm -r .vscode"),
        *("echo x > .env", "rm -f .env", "chmod 777 .kore", "ln -sfn /tmp .kore", "truncate -s 0 .kore/sessions.db"),
    ],
)
async def test_a_command_changes_nothing_protected(kind: SandboxKind, line: str, work: Path, tmp_path: Path) -> None:
    profile = commands(work, tmp_path)
    before = {path: path.read_bytes() for path in work.rglob("*") if path.is_file()}
    await shell(sandbox_of(kind), profile, line)
    assert {path: path.read_bytes() for path in work.rglob("*") if path.is_file()} == before
    assert not list((work / ".git/hooks").iterdir())


@BOTH
@pytest.mark.parametrize(
    "name",
    [".env", "src/.env.local", "src/other", "seen", "/etc/shadow", "~/.ssh", "~/.netrc", ".vscode/.env", ".git/.env"],
)
async def test_a_command_reads_no_secret_by_any_name(
    kind: SandboxKind, name: str, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh/id_rsa").write_text("SECRET")
    (home / ".netrc").write_text("SECRET")
    monkeypatch.setenv("HOME", str(home))
    done = await shell(sandbox_of(kind), commands(work, tmp_path), f"cat {name} {name}/*")
    assert "SECRET" not in done.output
    assert "root:" not in done.output
    assert done.code != 0


@BOTH
async def test_a_command_changes_nothing_outside(kind: SandboxKind, work: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("as it was")
    line = f"echo x > {tmp_path}/outside; echo x > {tmp_path}/made; ln -s {tmp_path} src/d; echo x > src/d/made"
    await shell(sandbox_of(kind), commands(work, tmp_path), line)
    assert (tmp_path / "outside").read_text() == "as it was"
    assert not (tmp_path / "made").exists()


CONNECT = "import socket,sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5); print('connected')"


@BOTH
@pytest.mark.parametrize("network", [False, True])
async def test_a_command_connects_only_with_leave(
    kind: SandboxKind, network: bool, port: int, work: Path, tmp_path: Path
) -> None:
    base = Path(sys.base_prefix)
    profile = commands(work, tmp_path, network=network)
    python = os.path.realpath(sys.executable)
    profile = Profile(
        folder=profile.folder,
        writable=True,
        network=network,
        protected=profile.protected,
        readable=(*profile.readable, base),
        scratch=profile.scratch,
    )
    done = await run(sandbox_of(kind), profile, python, "-I", "-S", "-c", CONNECT, str(port))
    assert ("connected" in done.output) is network


TO_SERVICE = "import socket,sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1]); print('connected')"


@BOTH
@pytest.mark.parametrize("network", [False, True])
@pytest.mark.parametrize("place", ["service.sock", "src/deep/agent.1", "runtime/bus"])
async def test_a_command_connects_to_no_service_of_the_machine(
    kind: SandboxKind, network: bool, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory() as name:  # a socket's path is short
        work = Path(name).resolve()
        (work / place).parent.mkdir(parents=True, exist_ok=True)
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(work / "runtime"))
        with socket.socket(socket.AF_UNIX) as service:
            service.bind(str(work / place))
            service.listen()
            profile = evolve(commands(work, tmp_path, network=network), readable=(Path(sys.base_prefix),))
            python = os.path.realpath(sys.executable)
            done = await run(sandbox_of(kind), profile, python, "-I", "-S", "-c", TO_SERVICE, str(work / place))
            assert "connected" not in done.output
            assert "Error" in done.output


async def test_a_socket_that_nobody_listens_at_can_be_made_anew(work: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as service:
        service.bind(str(work / "src/old.sock"))
    done = await shell(sandbox_of(SandboxKind.BUBBLEWRAP), commands(work, tmp_path), "rm src/old.sock && echo gone")
    assert done.output == "gone\n"


SOCKETS = """
import socket, sys
for family, kind in ((socket.AF_INET, socket.SOCK_DGRAM), (socket.AF_UNIX, socket.SOCK_STREAM)):
    try:
        socket.socket(family, kind)
        print("made")
    except OSError:
        print("refused")
"""


async def test_landlock_with_seccomp_leaves_no_datagrams_and_no_services_of_the_machine(
    work: Path, tmp_path: Path
) -> None:
    sandbox = sandbox_of(SandboxKind.LANDLOCK)
    profile = agent_profile(work, find_protected(work), writable=False, own=(), programs=(Path(sys.base_prefix),))
    python = os.path.realpath(sys.executable)
    with_network = await run(sandbox, profile, python, "-I", "-S", "-c", SOCKETS)
    assert with_network.output.split() == ["made", "refused"]
    closed = Profile(folder=work, writable=False, network=False, protected=profile.protected, readable=profile.readable)
    assert (await run(sandbox, closed, python, "-I", "-S", "-c", SOCKETS)).output.split() == ["refused", "refused"]


@BOTH
async def test_an_agent_in_plan_mode_writes_only_to_its_own_directory(
    kind: SandboxKind, work: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    profile = agent_profile(work, find_protected(work), writable=False, own=(own.resolve(),), programs=())
    line = f"echo x > {own}/state; echo x > made; echo x > src/made; cat src/app.py; cat .env src/other"
    done = await shell(sandbox_of(kind), profile, line)
    assert (own / "state").read_text() == "x\n"
    assert not (work / "made").exists()
    assert not (work / "src/made").exists()
    assert "pass" in done.output
    assert "SECRET" not in done.output


@BOTH
@pytest.mark.parametrize("writable", [False, True])
async def test_an_agent_reads_nothing_of_what_kore_keeps_in_the_folder(
    kind: SandboxKind, writable: bool, work: Path, tmp_path: Path
) -> None:
    stores = [work / name / "sessions.db" for name in (".kore", "src/.kore", "elsewhere")]
    for store in stores:
        store.parent.mkdir(exist_ok=True)
        store.write_text("what was said")
    protected = find_protected(work, internal=(work / "elsewhere",))
    profile = agent_profile(work, protected, writable=writable, own=(), programs=())
    files = " ".join(map(str, stores))
    done = await shell(sandbox_of(kind), profile, f"cat src/app.py {files}; cp {files} lib; rm -f {files}; cat lib/*")
    assert "pass" in done.output and "what was said" not in done.output
    assert [store.read_text() for store in stores] == ["what was said"] * 3
    if kind is SandboxKind.BUBBLEWRAP:  # what Landlock lets be listed it lets be listed all the way down
        assert "sessions.db" not in (await shell(sandbox_of(kind), profile, "ls -A .kore src/.kore elsewhere")).output


@BOTH
async def test_an_agent_that_may_write_reaches_nothing_protected(kind: SandboxKind, work: Path, tmp_path: Path) -> None:
    (work / "lib").mkdir()
    profile = agent_profile(work, find_protected(work), writable=True, own=(), programs=())
    await shell(sandbox_of(kind), profile, "echo x > lib/made; echo x > .kore/sessions.db; echo x > .git/hooks/y")
    assert (work / "lib/made").exists()
    assert (work / ".kore/sessions.db").read_text() == "store"
    assert not (work / ".git/hooks/y").exists()


@BOTH
async def test_a_child_sees_no_process_of_its_user_and_can_end_none(
    kind: SandboxKind, work: Path, tmp_path: Path
) -> None:
    other = await asyncio.create_subprocess_exec("/bin/sleep", "60", env={"TOKEN": "SECRET"})
    done = await shell(sandbox_of(kind), commands(work, tmp_path), f"cat /proc/{other.pid}/environ; kill {other.pid}")
    other.kill()
    assert await other.wait() == -9
    assert "SECRET" not in done.output


@BOTH
async def test_the_child_gets_its_input_and_its_exit_code_back(kind: SandboxKind, work: Path, tmp_path: Path) -> None:
    done = await run(sandbox_of(kind), commands(work, tmp_path), "/bin/sh", "-c", "cat; exit 7", stdin=b"hello")
    assert (done.code, done.output) == (7, "hello")


def test_a_folder_whose_protected_files_are_links_is_not_taken_for_confined(work: Path) -> None:
    (work / ".claude").symlink_to("src")
    assert not can_confine(SandboxKind.BUBBLEWRAP, find_protected(work))


def test_a_folder_too_big_to_look_through_is_not_taken_for_confined(work: Path) -> None:
    assert not can_confine(SandboxKind.BUBBLEWRAP, find_protected(work, most=5))
