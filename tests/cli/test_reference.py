from __future__ import annotations

from pathlib import Path

from kore_ls.rpc.reference import LUA_PATH, MARKDOWN_PATH, TYPESCRIPT_PATH
from tests.cli.commands import Kore

PATHS = {MARKDOWN_PATH, TYPESCRIPT_PATH, LUA_PATH}


def test_it_names_what_is_not_fresh_writes_it_and_is_content(kore: Kore, tmp_path: Path) -> None:
    stale = kore("reference", "--check", "--root", tmp_path)

    assert stale.code == 1
    assert set(stale.out.split()) == PATHS
    assert "--write" in stale.err
    assert set(kore("reference", "--write", "--root", tmp_path).out.split()) == PATHS
    fresh = kore("reference", "--check", "--root", tmp_path)
    assert (fresh.code, fresh.out) == (0, "")
    (tmp_path / LUA_PATH).write_text("changed by hand")
    assert kore("reference", "--check", "--root", tmp_path).out == f"{LUA_PATH}\n"


def test_a_place_that_is_no_folder_is_refused(kore: Kore, tmp_path: Path) -> None:
    assert kore("reference", "--check", "--root", tmp_path / "nowhere").code == 1
