from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.cli.commands import HOSTILE, OBEYED, calls, made, process, transcripts


def test_each_line_is_a_message_and_commands_are_obeyed(folder: Path) -> None:
    done = process(
        "chat", folder, stdin="你好，世界\n\nno end \\\n/new 第二个\n  indented\n//slash\n/history\nlast line"
    )

    assert done.code == 0
    assert transcripts(folder) == {
        "第二个": ["  indented", "/slash", "last line"],
        "Session 1": ["你好，世界", "no end \\"],
    } or transcripts(folder) == {
        "第二个": ["  indented", "/slash", "last line"],
        "会话 1": ["你好，世界", "no end \\"],
    }
    assert "  indented\n" in done.out
    assert "Kept as a note" in done.out or "已作为笔记保存" in done.out


@pytest.mark.slow
def test_a_folder_that_is_only_looked_at_stays_untouched(folder: Path) -> None:
    done = process("chat", folder, stdin="/list\n/help\n")

    assert done.code == 0
    assert "/switch N|ID|NAME" in done.out
    assert list(folder.iterdir()) == []


@pytest.mark.slow
def test_it_goes_on_with_the_current_session(folder: Path) -> None:
    made(folder, "older", "1")
    made(folder, "newer", "1")

    assert process("chat", folder, stdin="2\n").code == 0
    assert process("chat", folder, "--continue", stdin="3\n").code == 0
    assert transcripts(folder) == {"newer": ["1", "2", "3"], "older": ["1"]}


@pytest.mark.slow
def test_it_goes_on_with_the_session_named_or_makes_a_new_one(folder: Path) -> None:
    older = made(folder, "older", "1")
    made(folder, "newer", "1")

    assert process("chat", folder, "--session", older["id"], stdin="2\n").code == 0
    assert process("chat", folder, "--new", stdin="x\n/rename made\n").code == 0
    assert transcripts(folder) == {"made": ["x"], "newer": ["1"], "older": ["1", "2"]}


@pytest.mark.slow
def test_new_without_a_message_makes_nothing(folder: Path) -> None:
    made(folder, "only")
    process("chat", folder, "--new", stdin="/list\n")

    assert transcripts(folder) == {"only": []}


def test_a_session_that_is_not_there_is_an_error(folder: Path) -> None:
    done = process("chat", folder, "--session", "nothing", stdin="hello\n")

    assert done.code == 1
    assert done.err.startswith("kore-ls: no session")
    assert list(folder.iterdir()) == []


@pytest.mark.slow
def test_a_line_that_fails_is_reported_and_the_others_are_kept(folder: Path) -> None:
    done = process("chat", folder, stdin=b"one\n/sing\n\xff\xfe\ntwo\n")

    assert done.code == 1
    assert "no such command" in done.err
    assert "not UTF-8" in done.err
    assert list(transcripts(folder).values()) == [["one", "two"]]


@pytest.mark.slow
def test_a_foreign_store_is_explained_and_can_be_adopted(folder: Path, state_home: Path) -> None:
    made(folder, HOSTILE, "from elsewhere")
    shutil.rmtree(state_home)
    refused = process("chat", folder, stdin="mine\n")

    assert refused.code == 1
    assert "/adopt" in refused.err
    done = process("chat", folder, stdin="/adopt\nmine\n")
    assert done.code == 0
    assert transcripts(folder) == {HOSTILE: ["from elsewhere", "mine"]}


def test_hostile_text_is_shown_and_not_obeyed(folder: Path) -> None:
    made(folder, HOSTILE, HOSTILE)
    done = process("chat", folder, stdin="/list\n/history\n/mode plan\n/fork\n/close\n")

    assert done.code == 0
    for sequence in OBEYED:
        assert sequence not in done.out + done.err


@pytest.mark.slow
def test_a_long_line_is_one_message(folder: Path) -> None:
    text = "长" * 400_000
    process("chat", folder, stdin=f"{text}\n")

    assert list(transcripts(folder).values()) == [[text]]


@pytest.mark.slow
def test_a_line_too_long_for_a_message_fails_and_the_chat_goes_on(folder: Path) -> None:
    done = process("chat", folder, stdin="x" * (17 << 20) + "\nshort\n")

    assert done.code == 1
    assert "prompt: must have at most" in done.err
    assert list(transcripts(folder).values()) == [["short"]]


def test_nothing_is_imported_from_the_folder_it_runs_in(folder: Path, tmp_path: Path) -> None:
    """The folder may have come from anybody; a module of Python's that it brings must stay a file."""
    for name in ("asyncio", "kore_ls", "logging"):
        (folder / f"{name}.py").write_text("open('owned', 'w')\nraise SystemExit(9)\n")
    script = Path(sys.executable).with_name("kore-ls")
    if not script.exists():
        pytest.skip("the script is not installed")
    import subprocess

    done = subprocess.run([script, "chat"], input=b"hello\n", cwd=folder, capture_output=True, timeout=60, check=False)
    assert (done.returncode, (folder / "owned").exists()) == (0, False)


@pytest.mark.slow
def test_files_are_named_from_where_the_chat_was_started(folder: Path, tmp_path: Path) -> None:
    made(folder, "one", "text")
    stdin = "/export out.json\n/import --copy 'out.json'\n/export out.json\n/export --overwrite out.json\n/export\n"
    done = process("chat", folder, stdin=stdin, cwd=tmp_path)

    assert done.code == 1
    assert done.err.count("overwrite") == 1
    assert (tmp_path / "out.json").exists()
    assert len(list(tmp_path.glob("kore-session-*.json"))) == 1
    assert calls(folder, ("kore/store/status", {}))[0]["sessions"] == 2


def test_a_search_shows_what_was_said_in_all_sessions(folder: Path) -> None:
    made(folder, "older", "用户认证 with getUserName")
    made(folder, "newer", "unrelated")
    done = process("chat", folder, "--continue", stdin='/search "user name" 认证\n/search absent\n')

    assert done.code == 0
    assert "#1 user 用户认证 with getUserName" in done.out
    assert "unrelated" not in done.out
    assert "nothing found" in done.err


def test_the_agent_s_tools_work_and_without_a_terminal_nobody_allows_anything(folder: Path) -> None:
    assert process("trust", folder).code == 0
    (folder / "a.txt").write_text("one")
    lines = "/read a.txt\n/write b.txt two\n/mode general\n//mode general\n/write a.txt three\n"
    done = process("chat", folder, stdin=lines)

    assert "one" in done.out
    assert (folder / "b.txt").read_text() == "two"
    assert (folder / "a.txt").read_text() == "one"
    assert "nobody is at a terminal" in done.err


def test_what_was_said_can_be_taken_back_with_the_files(folder: Path) -> None:
    assert process("trust", folder).code == 0
    lines = "first\n/write a.txt one\n/write a.txt two\n/rewind --files\n/rewind 99\n/rewind --files 3\nother\n"
    done = process("chat", folder, stdin=lines)

    assert "there is no message #99" in done.err
    assert (folder / "a.txt").exists() is False
    assert done.err.count("as before: a.txt") == 2
    (talk,) = transcripts(folder).values()
    assert talk == ["first", "other"]
    assert "/write a.txt two" in done.out


def test_what_could_answer_is_offered_once_and_can_be_chosen(folder: Path) -> None:
    env = os.environ | {"ANTHROPIC_API_KEY": "sk-test"}
    done = process("chat", folder, stdin="hello\nagain\n/agent\n/agent 99\n", env=env)
    shown = done.out + done.err
    assert shown.count("has this session answered by model anthropic:") == 1
    assert "builtin" in done.out and "answers now" in done.out and "sk-test" not in shown
    number = next(line.split()[0] for line in done.out.splitlines() if "anthropic:" in line and "could answer" in line)
    done = process("chat", folder, "--continue", stdin=f"/agent {number}\n/agent\n", env=env)
    assert "is answered by model anthropic:" in done.out + done.err
    assert any("anthropic:" in line and "answers now" in line for line in done.out.splitlines())
