"""The generated files are those that the declarations make now, and their links lead somewhere."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from kore_ls.api import PROTOCOL_VERSION, TABLE
from kore_ls.api.events import EVENTS
from kore_ls.rpc.reference import MARKDOWN_PATH, generate, stale
from tests.project.source import ROOT


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return generate(TABLE, EVENTS, PROTOCOL_VERSION)


def test_generated_files_are_fresh(files: dict[str, str]) -> None:
    assert stale(ROOT, files) == [], "run `kore-ls reference --write`"


def test_every_link_of_the_reference_leads_to_one_heading(files: dict[str, str]) -> None:
    page = files[MARKDOWN_PATH]
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    anchors = Counter(re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings)

    for target in re.findall(r"\]\(#([^)]*)\)", page):
        assert anchors[target] == 1, target


def test_every_method_is_explained() -> None:
    assert [method.name for method in TABLE.values() if not method.doc] == []
