"""An external agent's process, started and stopped: what it leaves behind in ours."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from kore_ls.agents.acp.child import prepared, start
from kore_ls.agents.acp.presets import Preset, Program
from kore_ls.agents.agent import Workplace
from kore_ls.agents.sandbox.kinds import NO_SANDBOX

LEAVES = """
import subprocess, sys, time
left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print(left.pid, flush=True)
time.sleep(600)
"""


def pipes() -> set[str]:
    """Those that this process holds an end of."""
    found = set()
    for each in Path("/proc/self/fd").iterdir():
        try:
            found.add(str(each.readlink()))
        except OSError:  # the one by which they are listed
            continue
    return {each for each in found if each.startswith(("pipe:", "socket:"))}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_no_pipe_stays_open_whoever_else_holds_it(folder: Path) -> None:
    """What an agent started in a group of its own may live for hours, and writes to the same pipes."""
    before = pipes()
    place = Workplace(folder=folder, trusted=True, sandbox=NO_SANDBOX)
    program = Program(name="leaves", argv=(sys.executable, "-c", LEAVES), preset=Preset(commands=()))
    child = await start(program, await prepared(program, {}, place, writable=True), place)
    left = int(await child.pipes[1].readline())
    try:
        assert pipes() > before
        await child.stop()
        assert not child.alive
        assert pipes() == before
        os.kill(left, 0)
    finally:
        os.kill(left, signal.SIGKILL)
