"""What the tests of the command line share."""

from __future__ import annotations

import pytest

from tests.cli.commands import Kore


@pytest.fixture
def kore(capsys: pytest.CaptureFixture[str]) -> Kore:
    """`kore-ls`, run in this process."""
    return Kore(capsys)
