"""What is protected in a folder is found wherever it is; where it may be missed, that is said."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from pathlib import Path

import pytest

from kore_ls.agents.git.directories import MOST_REPOSITORIES
from kore_ls.agents.protected_files import find_protected


def git_directory(path: Path) -> Path:
    for each in ("objects", "refs", "hooks"):
        (path / each).mkdir(parents=True)
    (path / "HEAD").write_text("ref: refs/heads/main\n")
    (path / "config").write_text("[core]\n")
    return path


def touched(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    return path


@pytest.mark.parametrize("place", [".local/share/keyrings/login.keyring", "deep/.local/share/keyrings/login.keyring"])
def test_a_secret_whose_place_has_three_names_is_found(tmp_path: Path, place: str) -> None:
    touched(tmp_path / place)
    secrets = find_protected(tmp_path).secrets
    assert any((tmp_path / place).is_relative_to(each) for each in secrets)


def test_submodules_are_found_below_directories_of_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "logs" / "project"
    git_directory(folder / ".git")
    inner = git_directory(folder / ".git" / "modules" / "src" / "logs")
    assert {inner / "hooks", inner / "config"} <= set(find_protected(folder).fixed)


def test_what_looks_like_submodules_hides_none(tmp_path: Path) -> None:
    git = git_directory(tmp_path / ".git")
    for number in range(MOST_REPOSITORIES + 1):
        touched(git / "modules" / "a" / str(number) / "HEAD")
    inner = git_directory(git / "modules" / "lib")
    found = find_protected(tmp_path)
    assert {inner / "hooks", inner / "config"} <= set(found.fixed)
    assert found.whole


def _whole(folder: Path, answer: multiprocessing.Queue[bool]) -> None:
    if os.geteuid() == 0:
        os.setuid(65534)
    answer.put(find_protected(folder).whole)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="there are no such permissions")
@pytest.mark.parametrize(("mode", "whole"), [(0o755, True), (0o311, False), (0o000, False)])
def test_a_directory_of_ours_that_can_not_be_listed_may_hide_something(mode: int, whole: bool) -> None:
    with tempfile.TemporaryDirectory() as name:  # one that an ordinary user can reach
        folder = Path(name) / "project"
        (folder / "inner").mkdir(parents=True)
        if os.geteuid() == 0:
            Path(name).chmod(0o755)
            for each in (folder / "inner", folder):
                os.chown(each, 65534, -1)
        (folder / "inner").chmod(mode)
        context = multiprocessing.get_context("fork")
        answer: multiprocessing.Queue[bool] = context.Queue()
        child = context.Process(target=_whole, args=(folder, answer))
        child.start()
        try:
            assert answer.get(timeout=60) is whole
        finally:
            child.join(60)
            (folder / "inner").chmod(0o755)
