"""Unified diffs are right, and bounded."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kore_ls.agents.unified import LONGEST, diff_of

LINES = st.lists(st.sampled_from(["a", "b", "c", "", "中文"]), max_size=12)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("patch")


@settings(max_examples=40)
@given(before=LINES, after=LINES, ends=st.tuples(st.booleans(), st.booleans()))
def test_git_makes_the_second_text_of_the_first_with_it(
    before: list[str], after: list[str], ends: tuple[bool, bool], place: Path
) -> None:
    old = "\n".join(before) + ("\n" if ends[0] and before else "")
    new = "\n".join(after) + ("\n" if ends[1] and after else "")
    diff = diff_of(old, new, "file")
    if old == new:
        assert "@@" not in diff
        return
    (place / "file").write_bytes(old.encode())
    argv = ["git", "apply", "--unidiff-zero", "--whitespace=nowarn", "-"]
    done = subprocess.run(argv, cwd=place, input=diff.encode(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode() + diff
    assert (place / "file").read_bytes().decode() == new


def test_a_new_and_a_deleted_file_have_no_other_side() -> None:
    assert diff_of(None, "a\n", "x").startswith("--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+a\n")
    assert diff_of("a\n", None, "x").startswith("--- a/x\n+++ /dev/null\n")


def test_a_change_far_down_has_its_line_numbers() -> None:
    old = [f"line {number}" for number in range(5000)]
    new = [*old[:3000], "new", *old[3001:]]
    assert "@@ -2998,7 +2998,7 @@" in diff_of("\n".join(old), "\n".join(new), "x")


def test_a_whole_new_text_is_cut() -> None:
    diff = diff_of("a\n" * 100_000, "b\n" * 100_000, "x")
    assert len(diff) < LONGEST + 100
    assert "left out" in diff
