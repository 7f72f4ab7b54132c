"""Journeys in real editors. They need the editors; where one is missing, its tests are skipped with the reason."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

REQUIRED = os.environ.get("KORE_EDITORS") == "required"
"""Whether a missing editor is a failure, as it is for `.ci/run`."""


def missing(reason: str) -> NoReturn:
    """Skip the test, or fail it where the editors are required."""
    if REQUIRED:
        pytest.fail(reason)
    pytest.skip(reason)
