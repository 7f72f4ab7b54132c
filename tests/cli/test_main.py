from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kore_ls import __version__
from kore_ls.cli import main, sessions
from tests.cli.commands import KORE, LIMIT, Kore, made, process


def test_alone_it_prints_help(kore: Kore) -> None:
    done = kore()

    assert done.code == 0
    for command in ("serve", "chat", "sessions", "store", "trust", "doctor", "reference"):
        assert command in done.out


def test_it_tells_its_version(kore: Kore) -> None:
    assert kore("--version").out == f"kore-ls {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("sing",),
        ("--loud",),
        ("sessions",),
        ("sessions", "list", "--limit", "many"),
        ("sessions", "list", "--limit", "0"),
        ("sessions", "list", "--status", "asleep"),
        ("sessions", "show"),
        ("sessions", "import", "x.json", "--on-conflict", "guess"),
        ("chat", "--new", "--continue"),
        ("chat", "--new", "--session", "x"),
        ("trust", "--list", "--remove"),
        ("reference",),
        ("reference", "--write", "--check"),
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2_and_a_hint(kore: Kore, arguments: tuple[str, ...]) -> None:
    done = kore(*arguments)

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("kore-ls: ")
    assert "--help" in done.err


@pytest.mark.parametrize(
    "arguments", [("sessions", "list", "-C"), ("store", "status", "-C"), ("doctor", "-C"), ("trust",), ("chat",)]
)
def test_a_folder_that_is_none_ends_with_1(kore: Kore, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = kore(*arguments, tmp_path / "nowhere\x1b[31m")

    assert (done.code, done.out) == (1, "")
    assert done.err == f"kore-ls: not a folder: {tmp_path}/nowhere␛[31m\n"


def test_a_fault_of_ours_is_one_line_that_quotes_nobody(kore: Kore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("what the user wrote")

    monkeypatch.setattr(sessions, "_run", fail)
    done = kore("sessions", "list")

    assert done.code == 1
    assert done.err.startswith("kore-ls: internal error (ValueError in test_main.py:")
    assert "what the user wrote" not in done.err


def test_a_key_press_that_interrupts_ends_with_130(kore: Kore, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sessions, "_run", interrupt)

    assert kore("sessions", "list").code == 130


def test_an_error_of_the_system_names_the_file_safely(kore: Kore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "/x\x1b[2J")

    monkeypatch.setattr(sessions, "_run", fail)

    assert kore("sessions", "list").err == "kore-ls: Permission denied: /x␛[2J\n"


def test_a_reader_that_has_seen_enough_is_no_failure_to_speak_of(folder: Path) -> None:
    made(folder, "long", "\n".join("a line" for _ in range(200_000)))
    command = [*KORE, "sessions", "export", "0", "-C", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as popen:
        assert popen.stdout is not None and popen.stderr is not None
        assert popen.stdout.read(10)
        popen.stdout.close()
        said = popen.stderr.read().decode()
        popen.wait(LIMIT)

    assert said == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("sessions", "list"),
        ("store", "status"),
        ("trust", "--list"),
        ("doctor",),
        ("reference", "--check"),
    ],
    ids=" ".join,
)
def test_no_command_but_serve_loads_a_library_of_the_protocol(arguments: tuple[str, ...], folder: Path) -> None:
    program = (
        "import sys; from kore_ls.cli.main import run; run(sys.argv[1:]);"
        "sys.exit(bool({'pygls', 'lsprotocol', 'prompt_toolkit'} & {name.split('.')[0] for name in sys.modules}))"
    )
    command = [sys.executable, "-c", program, *arguments]

    assert subprocess.run(command, cwd=folder, capture_output=True, timeout=LIMIT, check=False).returncode == 0


def test_a_terminal_of_another_encoding_gets_escapes_instead_of_a_failure(folder: Path) -> None:
    made(folder, "中文名字", "内容")
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}
    done = process("sessions", "list", "-C", folder, env=environment)

    assert done.code == 0
    assert "\\u4e2d\\u6587" in done.out


def test_what_is_printed_has_no_colours_but_in_a_terminal(kore: Kore, folder: Path) -> None:
    made(folder, "plain", "text")
    for arguments in (("sessions", "list"), ("store", "status"), ("doctor",)):
        done = kore(*arguments, "-C", folder)

        assert "\x1b" not in done.out + done.err


def test_serve_can_be_asked_for_help() -> None:
    assert "--tcp" in process("serve", "--help").out


def test_help_lists_serve_though_it_is_started_elsewhere(kore: Kore) -> None:
    assert any(
        command.name == "serve" or command.callback is main.serve for command in main.commands.registered_commands
    )
