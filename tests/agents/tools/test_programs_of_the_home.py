"""Programs that are installed in the user's home: those of toolchains run in the sandbox, others are told of."""

from __future__ import annotations

from pathlib import Path

import pytest

from kore_ls.agents.sandbox.kinds import SandboxKind
from tests.agents.means import sandbox_of
from tests.agents.scene import Scene

BOTH = [SandboxKind.BUBBLEWRAP, SandboxKind.LANDLOCK]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path.resolve() / "home"
    place.mkdir()
    monkeypatch.setenv("HOME", str(place))
    return place


def installed(home: Path, name: str, interpreter: str = "/bin/sh") -> Path:
    program = home / name
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!{interpreter}\necho it ran\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("name", ["miniconda3/bin/tool", ".local/share/pipx/venvs/tool/bin/tool"])
async def test_a_toolchain_of_the_home_runs_in_the_sandbox(
    kind: SandboxKind, name: str, folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = installed(home, name)
    (home / ".local/bin").mkdir(parents=True, exist_ok=True)
    (home / ".local/bin/tool").symlink_to(program)
    monkeypatch.setenv("PATH", f"{home}/.local/bin:/usr/bin:/bin")
    scene = Scene(folder.resolve(), sandbox=sandbox_of(kind))
    assert (await scene.use("run_command", argv=["tool"])).text == "it ran\n[exit code 0]"
    assert scene.asked == []


@pytest.mark.parametrize("kind", BOTH)
async def test_credentials_beside_a_toolchain_are_not_there(kind: SandboxKind, folder: Path, home: Path) -> None:
    for name in (".cargo/credentials.toml", "miniconda3/.condarc", ".conda/aau_token", ".config/gh/hosts.yml"):
        installed(home, name)
    for name in (".cargo/bin/x", "miniconda3/bin/x", ".conda/envs/x"):
        installed(home, name)
    scene = Scene(folder.resolve(), sandbox=sandbox_of(kind))
    line = "cat ~/.cargo/bin/x; cat ~/.cargo/cred* ~/miniconda3/.condarc ~/.conda/aau_token ~/.config/gh/hosts.yml"
    line = line.replace("~", str(home))
    assert (await scene.use("run_command", argv=["sh", "-c", line])).text.count("it ran") == 1


@pytest.mark.parametrize("kind", BOTH)
async def test_a_program_that_the_sandbox_hides_is_told_of(
    kind: SandboxKind, folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(home, "apps/tool")
    installed(home, ".local/bin/script", interpreter=str(installed(home, "apps/interpreter")))
    monkeypatch.setenv("PATH", f"{home}/apps:{home}/.local/bin:/usr/bin:/bin")
    scene = Scene(folder.resolve(), sandbox=sandbox_of(kind))
    for argv, name in ((["tool"], "tool"), (["sh", "-c", "cd . && tool x"], "tool"), (["script"], "script")):
        text = (await scene.use("run_command", argv=argv)).text
        assert f"[{name}: installed where the sandbox hides it; ask for `unsandboxed`" in text
    assert "hides it" not in (await scene.use("run_command", argv=["sh", "-c", "nosuchprogram"])).text
