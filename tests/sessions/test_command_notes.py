"""Notes of commands that run: what a killed server's command made is put aside, what lives is left alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from kore_ls.agents.tools.folder_watch import Before, FolderWatch
from kore_ls.model.ids import SessionId
from kore_ls.model.message import Role
from kore_ls.sessions.turns.command_notes import Aside, CommandNotes, told


def dead(notes: CommandNotes, state: Path) -> None:
    """The process that wrote the notes is another one, which has ended."""
    ended = subprocess.Popen([sys.executable, "-I", "-S", "-c", ""])
    ended.wait(60)
    for file in (state / "commands").glob("*.json"):
        note = json.loads(file.read_text())
        note["process"] |= {"pid": ended.pid, "started": "1"}
        file.write_text(json.dumps(note))


def begun(folder: Path, state: Path, mark: str = "m" * 32) -> CommandNotes:
    notes = CommandNotes(state, folder)
    (folder / ".vscode").mkdir()
    assert notes.begin(SessionId("s"), mark, FolderWatch(folder, ()).before.note(confined=True)) is not None
    return notes


def test_what_a_dead_server_s_command_made_gets_another_name_and_what_was_there_stays(
    folder: Path, tmp_path: Path
) -> None:
    folder, state = folder.resolve(), tmp_path / "state"
    notes = begun(folder, state)
    for name in (".envrc", "plain", ".vscode/tasks.json"):
        (folder / name).write_text("x")
    dead(notes, state)
    (aside,) = notes.recover(())
    assert (aside.session_id, aside.renamed, aside.left) == ("s", (".envrc",), ())
    names = sorted(str(each.relative_to(folder)) for each in folder.rglob("*"))
    assert names == [".envrc.put-aside", ".vscode", ".vscode/tasks.json", "plain"]
    assert notes.recover(()) == [aside], "until it is told"
    notes.end(aside.noted)
    assert not notes.waiting()


def test_what_was_put_aside_is_told_in_the_user_s_language() -> None:
    names = (".envrc", *(f".vscode/{number}" for number in range(30)))
    aside = Aside(noted="n.json", session_id="s", renamed=names, left=(".git/hooks",))
    for locale, ended in (("en", "The server was ended"), ("zh-CN", "服务器被终止了")):
        message = told(aside, locale)
        assert (message.id, message.role) == ("n", Role.SYSTEM)
        assert all(each in message.content for each in (ended, ".envrc, .vscode/0", "+11", ".git/hooks"))


def test_a_command_that_left_nothing_is_not_told(folder: Path, tmp_path: Path) -> None:
    notes = begun(folder.resolve(), tmp_path / "state")
    dead(notes, tmp_path / "state")
    assert notes.recover(()) == []
    assert not notes.waiting()


def test_a_living_server_s_command_is_left_alone(folder: Path, tmp_path: Path) -> None:
    folder, state = folder.resolve(), tmp_path / "state"
    notes = begun(folder, state)
    (folder / ".envrc").write_text("x")
    assert notes.recover(()) == []
    assert (folder / ".envrc").exists()
    assert notes.waiting()


def test_what_is_left_of_a_dead_server_s_command_is_killed(folder: Path, tmp_path: Path) -> None:
    folder, state = folder.resolve(), tmp_path / "state"
    notes = begun(folder, state, mark="5e" * 16)
    line = "import time; print(flush=True); time.sleep(600)"
    env = {"AGENT_COMMAND_ID": "5e" * 16, "PATH": os.defpath}
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", line], env=env, stdout=subprocess.PIPE) as orphan:
        try:
            assert orphan.stdout is not None and orphan.stdout.readline()
            dead(notes, state)
            notes.recover(())
            assert orphan.wait(60) == -9
        finally:
            orphan.kill()


def test_a_note_that_is_none_hurts_nobody(folder: Path, tmp_path: Path) -> None:
    folder, state = folder.resolve(), tmp_path / "state"
    notes = begun(folder, state)
    (file,) = (state / "commands").glob("*.json")
    note = json.loads(file.read_text())
    told = json.dumps({"folder": note["folder"], "session": "s", "renamed": 1})
    for content in (
        "",
        "[]",
        "{}",
        told,
        json.dumps(note | {"before": "{}"}),
        json.dumps(note | {"process": {"pid": 1}}),
    ):
        file.write_text(content)
        assert notes.recover(()) == []
    assert Before.read(note["before"]).known == {folder / ".vscode"}


def test_notes_are_for_their_user_alone(folder: Path, tmp_path: Path) -> None:
    begun(folder.resolve(), tmp_path / "state")
    (file,) = (tmp_path / "state/commands").glob("*.json")
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
