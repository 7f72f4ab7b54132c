"""One version: the changelog, the project file and the package say the same."""

from __future__ import annotations

import re
import tomllib
from datetime import date

import kore_ls
from tests.project.source import ROOT

RELEASE = re.compile(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)$", re.MULTILINE)


def releases() -> list[tuple[str, ...]]:
    return RELEASE.findall((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))


def test_changelog_project_and_package_have_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert releases()[0][0] == project["version"] == kore_ls.__version__


def test_releases_are_dated_and_newest_first() -> None:
    dates = [date.fromisoformat(day) for _, day in releases()]

    assert dates == sorted(dates, reverse=True)
