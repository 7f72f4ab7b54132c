from __future__ import annotations

import shutil
import sqlite3
import sys
from pathlib import Path

import pytest

from kore_ls import __version__
from tests.cli.commands import Kore, Outcome, made


def level(done: Outcome, subject: str) -> str:
    """What a `--json` report says of a subject."""
    found = [each["level"] for each in done.json["findings"] if each["subject"] == subject]
    assert len(found) == 1
    return str(found[0])


def test_a_sound_installation_has_nothing_to_fear(kore: Kore, folder: Path) -> None:
    done = kore("doctor", "-C", folder)
    lines = [line.split() for line in done.out.splitlines()]

    assert done.code == 0
    assert ["ok", "kore-ls", __version__] in lines
    assert ["ok", "sqlite", sqlite3.sqlite_version] in lines
    assert any(line[:3] == ["ok", "python", sys.version.split()[0]] for line in lines)
    assert "fail" not in {line[0] for line in lines}


def test_it_says_what_confines_commands_and_which_programs_tools_find(kore: Kore, folder: Path) -> None:
    (folder / "rg").touch(0o755)
    found = {each["subject"]: each["text"] for each in kore("doctor", "-C", folder, "--json").json["findings"]}

    assert found["sandbox"] in ("bubblewrap", "landlock", "none")
    assert Path(found["git"]).is_absolute() or found["git"] == "not found"
    assert not found["rg"].startswith(str(folder))


def test_it_changes_nothing(kore: Kore, folder: Path, state_home: Path) -> None:
    kore("doctor", "-C", folder)

    assert list(folder.iterdir()) == []
    assert not state_home.exists()


def test_it_tells_of_the_store_that_is_there(kore: Kore, folder: Path) -> None:
    made(folder, "one", "text")

    assert "yours, 1 sessions, journal wal" in kore("doctor", "-C", folder).out


def test_a_foreign_store_is_a_warning(kore: Kore, folder: Path, state_home: Path) -> None:
    made(folder, "one")
    shutil.rmtree(state_home)
    done = kore("doctor", "-C", folder, "--json")

    assert (done.code, level(done, "store")) == (0, "warn")
    assert "kore-ls store adopt" in done.out


def test_a_damaged_store_is_a_failure(kore: Kore, folder: Path) -> None:
    made(folder, "one")
    (folder / ".kore" / "sessions.db").write_bytes(b"no database" * 100)
    done = kore("doctor", "-C", folder, "--json")

    assert (done.code, level(done, "store")) == (1, "fail")
    assert done.json["ok"] is False


def test_a_state_directory_that_cannot_be_made_is_a_failure(kore: Kore, folder: Path, state_home: Path) -> None:
    state_home.parent.write_text("a file where a directory should be")
    done = kore("doctor", "-C", folder, "--json")

    assert (done.code, level(done, "state")) == (1, "fail")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_a_state_directory_open_to_others_is_a_warning(kore: Kore, folder: Path, state_home: Path) -> None:
    state_home.mkdir(parents=True)
    state_home.chmod(0o755)
    done = kore("doctor", "-C", folder, "--json")

    assert (done.code, level(done, "state")) == (0, "warn")
    assert "chmod 700" in done.out


def test_trust_is_told(kore: Kore, folder: Path) -> None:
    kore("trust", folder)

    assert "ok   trust          trusted\n" in kore("doctor", "-C", folder).out


def test_it_says_which_agents_could_answer_and_what_the_others_lack(
    kore: Kore, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config" / "kore" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('[agent]\nbackend = "model"\nmodel = "anthropic:claude-x"\n')
    monkeypatch.setenv("ANTHROPIC_API_KEY", "")
    shown = " ".join(kore("doctor", "-C", folder).out.split())
    assert "model anthropic:claude-x: not usable, the default" in shown and "set ANTHROPIC_API_KEY" in shown
    assert "builtin: usable" in shown and "acp opencode" in shown
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test")
    shown = " ".join(kore("doctor", "-C", folder).out.split())
    assert "model anthropic:claude-x: usable, the default" in shown and "sk-test" not in shown


def test_a_configuration_that_cannot_be_used_is_told(kore: Kore, folder: Path, tmp_path: Path) -> None:
    config = tmp_path / "config" / "kore" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("[store]\nkeep_days = 0\n")
    done = kore("doctor", "-C", folder, "--json")
    assert level(done, "config") == "warn"
    assert "store.keep_days: must be from 1 to" in done.out
