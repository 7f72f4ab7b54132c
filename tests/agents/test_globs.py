"""Globs over paths."""

from __future__ import annotations

import pytest

from kore_ls.agents.globs import glob_fits


@pytest.mark.parametrize(
    ("glob", "path", "fits"),
    [
        *(("src/*", "src/a", True), ("src/*", "src/a/b", False), ("src/**", "src/a/b", True), ("a?c", "a/c", False)),
        *(("**/*.py", "a.py", True), ("**/*.py", "x/y/a.py", True), ("*.py", "x/a.py", False), ("a.b", "axb", False)),
        *(("x*y*z", "xaybz", True), ("x*y*z", "xa/ybz", False), ("/etc/**", "/etc/x/y", True), ("[ab]", "a", False)),
        *(("***", "a/b", True), ("a", "a\n", False), ("**", "a\nb", True), ("a?c", "abc", True)),
    ],
)
def test_stars_stay_within_a_segment_and_double_stars_do_not(glob: str, path: str, fits: bool) -> None:
    assert glob_fits(glob, path) is fits
