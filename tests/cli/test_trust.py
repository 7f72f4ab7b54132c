from __future__ import annotations

from pathlib import Path

import pytest

from kore_ls.sessions.trust import TrustList
from tests.cli.commands import HOSTILE, OBEYED, Kore


def test_a_folder_is_trusted_until_it_is_no_more(kore: Kore, folder: Path, state_home: Path) -> None:
    assert kore("trust", folder).code == 0
    assert TrustList(state_home).trusted(folder) is True
    assert kore("trust", folder, "--remove").code == 0
    assert TrustList(state_home).trusted(folder) is False
    assert list(folder.iterdir()) == []


def test_without_a_folder_it_is_this_one(
    kore: Kore, folder: Path, state_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    kore("trust")

    assert TrustList(state_home).trusted(folder) is True


def test_the_list_shows_what_was_said(kore: Kore, folder: Path, tmp_path: Path) -> None:
    assert kore("trust", "--list").err == "no folder is trusted\n"
    kore("trust", folder)
    kore("trust", tmp_path, "--remove")

    assert kore("trust", "--list").out == f"not trusted  {tmp_path}\ntrusted      {folder}\n"
    assert kore("trust", "--list", "--json").json == {"folders": {str(folder): True, str(tmp_path): False}}


def test_a_hostile_path_is_shown_and_not_obeyed(kore: Kore, tmp_path: Path) -> None:
    folder = tmp_path / HOSTILE
    folder.mkdir()
    for done in (kore("trust", folder), kore("trust", "--list"), kore("trust", "--list", "--json")):
        for sequence in OBEYED:
            assert sequence not in done.out + done.err


def test_a_list_that_cannot_be_written_is_an_error(kore: Kore, folder: Path, state_home: Path) -> None:
    state_home.parent.mkdir()
    state_home.write_text("a file where a directory should be")
    done = kore("trust", folder)

    assert done.code == 1
    assert done.err.startswith("kore-ls: the trust list can't be written")
