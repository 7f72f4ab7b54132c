"""The generated files are those that the declarations make now, and their links lead somewhere."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from kore_ls.api import PROTOCOL_VERSION, TABLE
from kore_ls.api.asked import ASKED, LANGUAGE
from kore_ls.api.events import EVENTS
from kore_ls.lsp.editor import _LANGUAGE
from kore_ls.rpc.reference import MARKDOWN_PATH, generate, stale
from tests.project.source import ROOT


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return generate(TABLE, EVENTS, PROTOCOL_VERSION, ASKED)


def test_generated_files_are_fresh(files: dict[str, str]) -> None:
    assert stale(ROOT, files) == [], "run `kore-ls reference --write`"


def test_every_link_of_the_reference_leads_to_one_heading(files: dict[str, str]) -> None:
    page = files[MARKDOWN_PATH]
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    anchors = Counter(re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings)

    for target in re.findall(r"\]\(#([^)]*)\)", page):
        assert anchors[target] == 1, target


def test_all_that_the_server_asks_of_clients_is_explained() -> None:
    sent = re.compile(r'(?:\.ask|\.request|METHOD =)\(?\s*"((?:workspace|window|kore|client)/[\w/]+)"')
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "kore_ls").rglob("*.py")]
    asked = {name for text in sources for name in sent.findall(text)}
    asked |= {"window/showMessageRequest", *(f"kore/lsp/{name}" for name in _LANGUAGE)}
    assert set(LANGUAGE) == _LANGUAGE
    assert {each.name for each in ASKED} == asked - {"kore/event"}


def test_every_method_is_explained() -> None:
    assert [method.name for method in TABLE.values() if not method.doc] == []
