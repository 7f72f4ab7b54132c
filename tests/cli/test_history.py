from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.cli.commands import HOSTILE, OBEYED, Kore
from tests.sessions.importers.tools import TALK, Said, codex, llm


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's home directory, which other tools write to."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "CODEX_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


def test_a_scan_is_a_table_and_changes_nothing(kore: Kore, folder: Path, home: Path) -> None:
    assert kore("history", "scan", "-C", folder).err == "nothing found\n"
    codex(home, folder, TALK)
    llm(home, folder, TALK)
    done = kore("history", "scan", "-C", folder)
    heading, *lines = done.out.splitlines()
    assert heading.split() == ["source", "sessions", "messages", "here", "already", "unreadable", "from", "to"]
    assert [line.split()[:5] for line in lines] == [["codex", "1", "6", "0", "0"], ["llm", "1", "6", "0", "0"]]
    assert "--source llm" in done.err
    assert list(folder.iterdir()) == []


def test_an_import_shows_the_table_and_does_nothing_unless_the_user_agrees(
    kore: Kore, folder: Path, home: Path
) -> None:
    path = codex(home, folder, TALK)
    done = kore("history", "import", "-C", folder)
    assert (done.code, done.out.splitlines()[1].split()[0]) == (1, "codex")
    assert "nobody can be asked" in done.err
    assert "1 added" in kore("history", "import", "-C", folder, "--dry-run").err
    assert list(folder.iterdir()) == []
    assert "1 added, 0 grown, 0 unchanged, 6 new messages" in kore("history", "import", "-C", folder, "--yes").err
    assert "0 added, 0 grown, 1 unchanged" in kore("history", "import", "-C", folder, "--yes").err
    assert kore("history", "import", "-C", folder, "--yes", "--json").json["sources"][0]["unchanged"] == 1
    os.utime(path, (1, 1))
    kore("history", "import", "-C", folder, "--yes")
    assert (
        "1 unchanged, 0 new messages (1 unchanged files not read again)"
        in kore("history", "import", "-C", folder, "--yes").err
    )
    asked = kore("history", "import", "-C", folder)
    assert (asked.code, asked.out) == (0, "")
    assert asked.err == "Codex: 1 files have not changed since they were imported\n"
    assert kore("history", "import", "-C", folder, "--again").out.splitlines()[1].split()[0] == "codex"
    assert "not read again" not in kore("history", "import", "-C", folder, "--yes", "--again").err


def test_what_was_brought_in_outlives_the_folder(kore: Kore, folder: Path, home: Path) -> None:
    """No server has ever opened it, and the sources are gone as well."""
    path = codex(home, folder, TALK)
    kore("history", "import", "-C", folder, "--yes")
    path.unlink()
    shutil.rmtree(folder / ".kore")
    assert "1 sessions with 6 messages came back" in kore("store", "restore", "--yes", "-C", folder).err


def test_what_others_wrote_steers_no_terminal(kore: Kore, folder: Path, home: Path) -> None:
    path = codex(home, folder, [Said(role="user", text=HOSTILE)])
    path.rename(path.with_name(f"rollout-{HOSTILE.replace('/', '')}.jsonl"))
    broken = path.with_name(f"rollout-{HOSTILE.replace('/', '')}2.jsonl")
    broken.write_text("no json\n")
    kore("history", "import", "-C", folder, "--yes")
    for command in (("history", "scan"), ("history", "import", "--yes"), ("sessions", "list")):
        done = kore(*command, "-C", folder)
        assert not any(each in done.out + done.err for each in OBEYED)


def test_sessions_are_written_to_be_read(kore: Kore, folder: Path, tmp_path: Path, home: Path) -> None:
    key = "ghp_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hI6"
    codex(home, folder, [*TALK, Said(role="user", text=f"my key is {key}")])
    kore("history", "import", "-C", folder, "--yes")
    done = kore("history", "export", tmp_path / "out", "-C", folder, "--format", "html", "--redact")
    assert (done.code, done.err.splitlines()[1]) == (0, "redacted: 1 x GitHub token")
    assert len(list((tmp_path / "out").glob("*.html"))) == 2
    (session,) = kore("sessions", "list", "-C", folder, "--json").json["sessions"]
    text = kore("sessions", "export", session["id"], "-C", folder, "--format", "markdown", "--redact").out
    assert text.startswith("---")
    assert key not in text
