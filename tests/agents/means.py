"""The sandboxes that this machine has. In CI a missing one is a failure, elsewhere a reason to skip."""

from __future__ import annotations

import os
import shutil

import pytest

from kore_ls.agents.sandbox import launcher
from kore_ls.agents.sandbox.kinds import Sandbox, SandboxKind
from kore_ls.agents.sandbox.landlock import LEAST_ABI
from kore_ls.agents.sandbox.probe import probe

REQUIRED = os.environ.get("KORE_CI_REQUIRE", "").split(",")
"""What must be there: `bubblewrap`, `ripgrep`."""


def missing(what: str) -> None:
    """Skip the test, unless what is missing must be there."""
    if what in REQUIRED:
        pytest.fail(f"{what} is required here and does not work")
    pytest.skip(f"{what} does not work here")


def sandbox_of(kind: SandboxKind) -> Sandbox:
    """A sandbox of this kind, or a skipped test."""
    if kind is SandboxKind.BUBBLEWRAP:
        found = probe()
        if found.kind is not SandboxKind.BUBBLEWRAP:
            missing("bubblewrap")
        return found
    if launcher.abi() < LEAST_ABI:
        missing("landlock")
    return Sandbox(kind=SandboxKind.LANDLOCK)


def ripgrep() -> None:
    """Skip the test where there is no ripgrep."""
    if shutil.which("rg") is None:
        missing("ripgrep")
