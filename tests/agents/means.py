"""The sandboxes that this machine has. In CI a missing program is a failure, elsewhere a reason to skip."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from kore_ls.agents.sandbox import launcher
from kore_ls.agents.sandbox.kinds import Sandbox, SandboxKind
from kore_ls.agents.sandbox.landlock import LEAST_ABI
from kore_ls.agents.sandbox.probe import probe

REQUIRED = os.environ.get("KORE_SANDBOX") == "required"


def missing(what: str) -> None:
    """Skip the test, unless what is missing must be there."""
    if REQUIRED:
        pytest.fail(f"{what} is required here")
    pytest.skip(f"{what} is not here")


def namespaces() -> bool:
    """Whether bubblewrap can do anything at all on this machine."""
    bare = ["bwrap", "--unshare-user", "--unshare-pid", "--ro-bind", "/", "/", "true"]
    return subprocess.run(bare, capture_output=True, timeout=20, check=False).returncode == 0


def sandbox_of(kind: SandboxKind) -> Sandbox:
    """A sandbox of this kind, or a skipped test."""
    if kind is SandboxKind.BUBBLEWRAP:
        if shutil.which("bwrap") is None:
            missing("bubblewrap")
        found = probe()
        if found.kind is not SandboxKind.BUBBLEWRAP:
            assert not namespaces(), "bubblewrap works here, but not as we call it"
            pytest.skip("this machine has no user namespaces")
        return found
    if launcher.abi() < LEAST_ABI:
        pytest.skip("this machine's kernel has no Landlock that knows of the network")
    return Sandbox(kind=SandboxKind.LANDLOCK)


def ripgrep() -> None:
    """Skip the test where there is no ripgrep."""
    if shutil.which("rg") is None:
        missing("ripgrep")
