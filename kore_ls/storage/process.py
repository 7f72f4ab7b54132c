"""Which process this is, and whether another one on this machine is still alive. Ends and starts none."""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path

from attrs import frozen

_PROC = Path("/proc")


@frozen(kw_only=True)
class ProcessMark:
    """What tells a process from all others, before and after it.

    `host` is the machine (and, on Linux, the process name space) in which `pid` means something; `boot_id` and
    `started` tell a number that was given out again. Empty: the system does not say.
    """

    host: str
    boot_id: str
    pid: int
    started: str

    @property
    def words(self) -> str:
        """For people."""
        return f"process {self.pid} on {self.host.partition('/')[0]}"

    def is_gone(self) -> bool:
        """Whether the process is proved dead; False where that can't be known from here."""
        here = this_process()
        if self.host != here.host:
            return False
        if self.boot_id != here.boot_id:
            return True
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:  # somebody else's process has the number now, or still
            pass
        return _started(self.pid) != self.started


@cache
def _mark_of(pid: int) -> ProcessMark:
    return ProcessMark(host=_host(), boot_id=_read("sys/kernel/random/boot_id"), pid=pid, started=_started(pid))


def this_process() -> ProcessMark:
    """The process that asks."""
    return _mark_of(os.getpid())


def _host() -> str:
    try:
        space = os.readlink("/proc/self/ns/pid")  # noqa: PTH115 - it is no path but a word
    except OSError:
        space = ""
    return f"{socket.gethostname()}/{space}"


def _started(pid: int) -> str:
    """When a process was started, in the system's own measure; a zombie counts as never started."""
    _, _, rest = _read(f"{pid}/stat").rpartition(")")
    fields = rest.split()
    if len(fields) < 20 or fields[0] in ("Z", "X"):
        return ""
    return fields[19]


def _read(name: str) -> str:
    try:
        return (_PROC / name).read_text(errors="replace").strip()
    except OSError:
        return ""
