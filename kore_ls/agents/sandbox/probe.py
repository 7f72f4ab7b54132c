"""Finds out what this machine can confine a child process with, by doing it. Blocking; run once per process."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from kore_ls.agents.protection import ProtectedFiles
from kore_ls.agents.sandbox import launcher
from kore_ls.agents.sandbox.bubblewrap import bubblewrap_argv
from kore_ls.agents.sandbox.kinds import NO_SANDBOX, Sandbox, SandboxKind
from kore_ls.agents.sandbox.landlock import LEAST_ABI
from kore_ls.agents.sandbox.profile import Profile

_SECONDS = 10
_PLACES = ("/usr/bin", "/bin", "/usr/local/bin", "/run/current-system/sw/bin")


def probe() -> Sandbox:
    """The strongest means that works here."""
    if sys.platform != "linux":
        return NO_SANDBOX
    program = next((path for place in _PLACES if (path := Path(place, "bwrap")).is_file()), None)
    if program is not None and _wraps(str(program)):
        return Sandbox(kind=SandboxKind.BUBBLEWRAP, program=str(program))
    return Sandbox(kind=SandboxKind.LANDLOCK) if launcher.abi() >= LEAST_ABI else NO_SANDBOX


def _wraps(program: str) -> bool:
    with tempfile.TemporaryDirectory(prefix="kore-") as name:
        folder = Path(name).resolve()
        profile = Profile(folder=folder, writable=True, network=False, protected=ProtectedFiles())
        argv = bubblewrap_argv(program, ["/bin/sh", "-c", ": > proof"], profile, folder)
        try:
            done = subprocess.run(
                argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False, env={}
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0 and (folder / "proof").exists()
