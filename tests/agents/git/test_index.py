"""An index is made to need no reading of files, and nothing that its user does meanwhile is lost or overlooked."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from kore_ls.agents.git.index import read_index, settle
from kore_ls.agents.git.stand_ins import stand_ins
from tests.agents.world import git


@pytest.fixture
def racy(folder: Path) -> Path:
    """A repository whose only file, `a` with the content `1`, is as old as its index."""
    git("init", "-q", "-b", "main", "--template=", ".", cwd=folder)
    (folder / "a").write_text("1")
    git("add", "a", cwd=folder)
    now = time.time_ns() // 1_000_000_000 * 1_000_000_000
    os.utime(folder / "a", ns=(now, now))
    git("update-index", "-q", "--refresh", "--really-refresh", cwd=folder)
    os.utime(folder / ".git/index", ns=(now, now))
    return folder


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: object) -> None:
    """Let something happen while the index is waited for."""
    assert callable(act)
    wait = time.sleep

    def waited(seconds: float) -> None:
        act()
        wait(seconds)

    monkeypatch.setattr(time, "sleep", waited)


def settled(folder: Path) -> bool:
    index = folder / ".git/index"
    return settle(folder, index, read_index(index))


def test_a_change_made_while_the_index_settles_is_seen_by_git(racy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = (racy / ".git/index").stat().st_mtime_ns

    def edit() -> None:
        (racy / "a").write_text("2")
        os.utime(racy / "a", ns=(written, written))

    meanwhile(monkeypatch, edit)
    settled(racy)
    assert git("-c", "core.trustctime=false", "diff", "--name-only", cwd=racy) == "a\n"


def test_an_index_that_git_has_locked_is_left_alone(racy: Path) -> None:
    before = (racy / ".git/index").stat().st_mtime_ns
    (racy / ".git/index.lock").write_text("")
    assert not settled(racy)
    assert (racy / ".git/index").stat().st_mtime_ns == before
    assert (racy / ".git/index.lock").exists()


def test_an_index_that_was_written_meanwhile_is_left_alone(racy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def commit() -> None:
        (racy / "b").write_text("b")
        git("add", "b", cwd=racy)

    meanwhile(monkeypatch, commit)
    assert not settled(racy)
    assert git("ls-files", cwd=racy).split() == ["a", "b"]
    assert not (racy / ".git/index.lock").exists()


def test_an_index_is_settled_and_unlocked(racy: Path) -> None:
    assert settled(racy)
    (racy / "a").write_text("2")
    assert git("diff", "--name-only", cwd=racy) == "a\n"
    assert not (racy / ".git/index.lock").exists()


@pytest.mark.parametrize("form", ["sha1", "sha256"])
def test_an_index_without_a_seal_is_read_as_what_it_is(form: str, tmp_path: Path) -> None:
    git("init", "-q", f"--object-format={form}", ".", cwd=tmp_path)
    for number in range(3):
        (tmp_path / f"name-{number}").write_text("x")
    git("add", "-A", cwd=tmp_path)
    index = tmp_path / ".git/index"
    size = 20 if form == "sha1" else 32
    index.write_bytes(index.read_bytes()[:-size] + bytes(size))
    assert list(read_index(index)) == ["name-0", "name-1", "name-2"]


def test_of_many_secrets_those_that_git_tracks_are_told_from_the_others(folder: Path, tmp_path: Path) -> None:
    git("init", "-q", "--template=", ".", cwd=folder)
    tracked = [folder / name for name in ("a.pem", "keys/b.pem", "keys/x/b.pem", ".aws/1", ".aws/x/2", ".aws2")]
    untracked = [folder / name for name in ("keys/other.pem", "keys.pem", ".ssh/1")]
    for each in (*tracked, *untracked):
        each.parent.mkdir(parents=True, exist_ok=True)
        each.write_text("x")
    git("add", *map(str, tracked), cwd=folder)
    place = tmp_path / "instead"
    place.mkdir()
    hidden = [folder / name for name in (".aws", ".ssh", "a.pem", "keys.pem", "keys/b.pem", "keys/other.pem")]
    found = stand_ins(folder, hidden, place)
    assert [secret for secret, _ in found.pairs] == [folder / name for name in (".aws", "a.pem", "keys/b.pem")]
    beside = found.pairs[0][1]
    assert sorted(str(each.relative_to(beside)) for each in beside.rglob("*")) == ["1", "x", "x/2"]
    ignored = (found.lists / "ignore").read_text().split()
    assert ignored == ["/.ssh", "/keys.pem", "/keys/other.pem"]


def test_the_lock_of_whoever_comes_next_is_left_alone(racy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index, lock = racy / ".git/index", racy / ".git/index.lock"
    written = index.stat().st_mtime_ns
    (racy / "a").write_text("2")
    os.utime(racy / "a", ns=(written, written))
    replace = Path.replace

    def replaced(source: Path, target: Path) -> Path:
        done = replace(source, target)
        lock.write_text("git's")
        return done

    monkeypatch.setattr(Path, "replace", replaced)
    assert settled(racy)
    assert lock.read_text() == "git's"
