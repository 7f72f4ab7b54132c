"""The chat's page in a real browser: streaming, focus, composition, and messages that mean harm."""

from __future__ import annotations

import pytest

from tests.editors.vscode.conftest import Npm, run_node_tests

pytestmark = [pytest.mark.xdist_group("vscode"), pytest.mark.timeout(300)]


def test_the_page_does_what_it_is_told_and_nothing_that_messages_say(npm: Npm, chromium: str) -> None:
    npm("run", "build")
    npm("run", "build", "--", "--tests")

    run_node_tests("e2e/page.test.mjs", {"KORE_E2E_CHROMIUM": chromium})
