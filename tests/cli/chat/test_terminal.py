from __future__ import annotations

import contextlib
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.cli.commands import HOSTILE, KORE, OBEYED, calls, made, process, transcripts

if sys.platform == "win32":
    pytest.skip("needs a POSIX terminal", allow_module_level=True)

from tests.cli.chat.pseudo_terminal import ALT_ENTER, CTRL_C, CTRL_D, ENTER, PASTE, TAB, UP, PseudoTerminal, terminal

PROMPT = "›"


@contextlib.contextmanager
def chatting(folder: Path, *options: str, **environment: str) -> Iterator[PseudoTerminal]:
    """A chat at its first prompt."""
    with terminal([*KORE, "chat", str(folder), *options], cwd=folder.parent, environment=environment) as chat:
        chat.wait(lambda: prompted(chat) == 1)
        yield chat


def prompted(chat: PseudoTerminal) -> int:
    """How often the chat has asked for something, if it is asking now and nothing is typed yet; else 0."""
    asked = [line for line in chat.lines if PROMPT in line]
    return len(asked) if asked and chat.lines[-1].endswith(PROMPT) else 0


def say(chat: PseudoTerminal, keys: str, end: str = ENTER) -> None:
    """Type something and wait until the chat asks for more."""
    before = sum(PROMPT in line for line in chat.lines)
    chat.press(keys + end)
    chat.wait(lambda: prompted(chat) > before)


def messages(folder: Path) -> list[str]:
    """The contents of the only session's messages."""
    (contents,) = transcripts(folder).values()
    return contents


def test_typed_lines_are_messages_in_any_script(folder: Path) -> None:
    with chatting(folder) as chat:
        assert "no session yet" in chat.text
        say(chat, "你好，世界 👨‍👩‍👧")
        assert "Kept as a note" in chat.text
        say(chat, "second")
        chat.press(CTRL_D)
        assert chat.exit_code() == 0
        assert chat.text.count("Kept as a note") == 2

    assert messages(folder) == ["你好，世界 👨‍👩‍👧", "second"]


@pytest.mark.slow
def test_a_paste_is_one_message(folder: Path) -> None:
    with chatting(folder) as chat:
        chat.press(PASTE.format("line one\nline two\r\n\r\n/list\n最后一行"))
        chat.expect("最后一行")
        assert not (folder / ".kore").exists()
        say(chat, "")

    assert messages(folder) == ["line one\nline two\n\n/list\n最后一行"]


@pytest.mark.slow
def test_a_message_may_have_several_lines(folder: Path) -> None:
    with chatting(folder) as chat:
        say(chat, "one\\" + ENTER + "two" + ALT_ENTER + "three")

    assert messages(folder) == ["one\ntwo\nthree"]


@pytest.mark.slow
def test_control_c_clears_the_line_and_twice_it_leaves(folder: Path) -> None:
    with chatting(folder) as chat:
        chat.press("never sent")
        chat.expect("never sent")
        say(chat, CTRL_C, end="")
        assert chat.lines[-2] == "Ctrl-C again leaves"
        say(chat, "sent")
        say(chat, CTRL_C, end="")
        chat.press(CTRL_C)
        assert chat.exit_code() == 0

    assert messages(folder) == ["sent"]


@pytest.mark.slow
def test_between_two_control_cs_a_line_may_be_typed(folder: Path) -> None:
    with chatting(folder) as chat:
        say(chat, CTRL_C, end="")
        chat.press("something")
        chat.expect("something")
        say(chat, CTRL_C, end="")
        say(chat, "still here")

    assert messages(folder) == ["still here"]


@pytest.mark.slow
def test_an_interrupt_from_outside_is_a_control_c(folder: Path) -> None:
    with chatting(folder) as chat:
        chat.popen.send_signal(signal.SIGINT)
        chat.wait(lambda: prompted(chat) == 2)
        assert chat.lines[-2] == "Ctrl-C again leaves"
        chat.popen.send_signal(signal.SIGINT)
        assert chat.exit_code() == 0


def test_commands_are_obeyed_and_completed(folder: Path) -> None:
    with chatting(folder) as chat:
        say(chat, "/new 我的项目")
        chat.press("/mo" + TAB)
        chat.expect("/mode")
        say(chat, " plan")
        assert chat.lines[-2:] == ["我的项目 is in plan mode", "我的项目 [plan] ›"]
        say(chat, "/list")
        assert "idle, active" in chat.text
        chat.press("/quit" + ENTER)
        assert chat.exit_code() == 0

    assert transcripts(folder) == {"我的项目": []}


@pytest.mark.slow
def test_the_last_messages_are_shown_and_long_ones_cut(folder: Path) -> None:
    made(folder, "went before", "forgotten", *(f"message {number}" for number in range(3)), "line\n" * 500 + "the end")
    with chatting(folder) as chat:
        assert "went before" in chat.text
        assert "message 2" in chat.text
        assert "forgotten" not in chat.text
        assert "the end" not in chat.text
        assert 5 < chat.lines.count("line") < 20


@pytest.mark.slow
def test_what_was_typed_can_be_fetched_back_and_is_written_nowhere_else(folder: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with chatting(folder, HOME=str(home)) as chat:
        say(chat, "again")
        chat.press(UP)
        chat.wait(lambda: chat.lines[-1].endswith("again"))
        say(chat, "")
        chat.press(CTRL_D)
        chat.exit_code()

    assert messages(folder) == ["again", "again"]
    assert list(home.rglob("*")) == []


@pytest.mark.slow
def test_a_failure_is_told_and_the_chat_goes_on(folder: Path) -> None:
    with chatting(folder) as chat:
        say(chat, "/sing")
        assert "there is no such command" in chat.text
        say(chat, "/switch nothing")
        assert "no session has this number, id or name" in chat.text
        say(chat, "/import nowhere.json")
        chat.press(CTRL_D)
        assert chat.exit_code() == 0

    assert not (folder / ".kore").exists()


def test_hostile_text_is_shown_and_not_obeyed(folder: Path) -> None:
    made(folder, HOSTILE, HOSTILE)
    with chatting(folder) as chat:
        for command in ("/list", "/history", "/fork", "/mode plan", "/export /nowhere/x"):
            say(chat, command)

        drawn = chat.drawn.replace("\x1b[31mkore-ls: ", "")  # our own word for what failed
        for sequence in OBEYED:
            assert sequence not in drawn


@pytest.mark.slow
def test_a_foreign_store_is_explained_and_can_be_adopted(folder: Path, state_home: Path) -> None:
    made(folder, "theirs", "from elsewhere")
    shutil.rmtree(state_home)
    with chatting(folder) as chat:
        assert "/adopt copies its conversations" in chat.text
        assert "no session yet" not in chat.text
        say(chat, "/adopt")
        assert chat.lines[-1] == "theirs [build] ›"
        say(chat, "mine")

    assert transcripts(folder) == {"theirs": ["from elsewhere", "mine"]}


def test_a_server_that_dies_ends_the_chat_with_a_word(folder: Path) -> None:
    with chatting(folder) as chat:
        say(chat, "kept")
        (server,) = psutil.Process(chat.popen.pid).children()
        server.send_signal(signal.SIGKILL)
        chat.expect("the server is gone")
        assert chat.exit_code() == 1
        assert "Traceback" not in chat.text

    assert messages(folder) == ["kept"]


def test_a_server_that_dies_in_mid_turn_ends_the_chat_and_the_call_is_shown(folder: Path) -> None:
    process("trust", folder)
    with chatting(folder) as chat:
        say(chat, "/mode build")
        chat.press("/run sleep 600" + ENTER)
        chat.expect("Run sleep 600")
        (server,) = psutil.Process(chat.popen.pid).children()
        server.send_signal(signal.SIGKILL)
        chat.expect("the server is gone")
        assert chat.exit_code() == 1
        assert chat.text.count("* Run sleep 600") <= 1
        assert "Traceback" not in chat.text and "never retrieved" not in chat.text


@pytest.mark.slow
def test_leaving_ends_the_server(folder: Path) -> None:
    with chatting(folder) as chat:
        (server,) = psutil.Process(chat.popen.pid).children()
        chat.press(CTRL_D)
        assert chat.exit_code() == 0
        psutil.wait_procs([server], timeout=60)
        assert not server.is_running()


def test_being_terminated_ends_the_server_and_gives_the_terminal_back(folder: Path) -> None:
    with chatting(folder) as chat:
        (server,) = psutil.Process(chat.popen.pid).children()
        chat.popen.terminate()
        assert chat.exit_code() == 143
        assert "\x1b[?2004l" in chat.drawn  # pastes are no longer marked
        psutil.wait_procs([server], timeout=60)
        assert not server.is_running()


@pytest.mark.slow
def test_another_programs_change_shows_at_the_prompt(folder: Path) -> None:
    session = made(folder, "before", "text")
    with chatting(folder) as chat:
        calls(folder, ("kore/session/rename", {"sessionId": session["id"], "name": "afterwards"}))
        chat.expect("afterwards")
        say(chat, "more")

    assert transcripts(folder) == {"afterwards": ["text", "more"]}


@pytest.mark.slow
def test_there_are_no_colours_where_none_are_wanted(folder: Path) -> None:
    made(folder, "plain", "text")
    with chatting(folder, NO_COLOR="1") as chat:
        say(chat, "/list")
        say(chat, "/sing")

        assert "\x1b[31m" not in chat.drawn
        assert "\x1b[36m" not in chat.drawn


@pytest.mark.slow
def test_a_table_in_a_narrow_terminal_keeps_to_its_width(folder: Path) -> None:
    session = made(folder, "很长的名字" * 30)
    command = [*KORE, "sessions", "list", "-C", str(folder)]
    with terminal(command, cwd=folder.parent, columns=60) as shell:
        assert shell.exit_code() == 0
        heading, line = shell.lines
        assert heading.startswith("id")
        assert line.startswith(session["id"][:8] + "  很长的")
        assert "…" in line


@pytest.mark.slow
def test_deleting_for_good_asks_first(folder: Path) -> None:
    session = made(folder, "precious")
    command = [*KORE, "sessions", "delete", "--permanent", session["id"], "-C", str(folder)]
    for answer, code in (("n", 1), ("y", 0)):
        with terminal(command, cwd=folder.parent) as shell:
            shell.expect("precious? [y/N]:")
            shell.press(answer + ENTER)
            assert shell.exit_code() == code

    assert transcripts(folder) == {}


def general(folder: Path) -> None:
    """A trusted folder with a session in general mode, in which every change is asked about."""
    assert process("trust", folder).code == 0
    session = made(folder, "talk")
    calls(folder, ("kore/session/update", {"sessionId": session["id"], "mode": "general"}))


def test_what_an_agent_wants_is_asked_and_a_number_allows_it(folder: Path) -> None:
    general(folder)
    with chatting(folder) as chat:
        chat.press("/write a.txt hello" + ENTER)
        chat.expect("Enter refuses:")
        assert "+hello" in chat.text
        chat.press("1" + ENTER)
        chat.wait(lambda: prompted(chat) == 2)
        chat.press(CTRL_D)
        assert chat.exit_code() == 0

    assert (folder / "a.txt").read_text() == "hello"


def test_what_was_typed_before_the_question_is_no_answer(folder: Path) -> None:
    general(folder)
    with chatting(folder) as chat:
        chat.press("/write a.txt hello" + ENTER + "1" + ENTER)
        chat.expect("Enter refuses:")
        assert not (folder / "a.txt").exists()
        chat.press(ENTER)
        chat.expect("denied")
        chat.wait(lambda: prompted(chat) == 2)
        chat.press(CTRL_D)
        assert chat.exit_code() == 0

    assert not (folder / "a.txt").exists()
    assert messages(folder) == ["/write a.txt hello"], "nor is it a message"


def test_ctrl_c_at_a_question_stops_the_turn(folder: Path) -> None:
    general(folder)
    with chatting(folder) as chat:
        chat.press("/write a.txt hello" + ENTER)
        chat.expect("Enter refuses:")
        chat.popen.send_signal(signal.SIGINT)
        chat.expect("stopped")
        chat.wait(lambda: prompted(chat) > 1)
        chat.press(CTRL_D)
        assert chat.exit_code() == 0

    assert not (folder / "a.txt").exists()
