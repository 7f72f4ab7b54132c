"""Watches the process that started us: when it is gone, so are we."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable
from typing import Any

logger = logging.getLogger(__name__)

POLL_SECONDS = 2.0


class ParentWatch:
    """Calls `ended` when the process named by an `initialize` is gone, or was never there."""

    def __init__(self, ended: Callable[[str], None]) -> None:
        self._ended = ended
        self._task: asyncio.Task[None] | None = None

    def start(self, params: Any) -> None:
        """Watch `processId` of these `initialize` params; nothing to watch where it is null or no process id."""
        pid = params.get("processId") if isinstance(params, dict) else None
        if type(pid) is int and 0 < pid < 1 << 31 and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._watch(pid))

    def stop(self) -> None:
        """Watch no longer."""
        if self._task is not None:
            self._task.cancel()

    async def _watch(self, pid: int) -> None:
        descriptor = _descriptor(pid)
        if descriptor is None:
            while _alive(pid):  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(POLL_SECONDS)
        else:
            await _readable(descriptor)
        self._ended("parent gone")


def _descriptor(pid: int) -> int | None:
    """A Linux process descriptor, which no other process can take over with the same id; None where there is none."""
    if sys.platform != "linux":
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:  # the process is gone, or the kernel is too old: the polling will see
        return None


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()
    loop.add_reader(descriptor, gone.set)
    try:
        await gone.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _alive(pid: int) -> bool:
    if sys.platform == "win32":
        return _alive_on_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _alive_on_windows(pid: int) -> bool:
    """`os.kill` would end the process there. Untested."""
    import ctypes

    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]
    synchronize, timeout = 0x0010_0000, 0x102
    handle = kernel.OpenProcess(synchronize, False, pid)
    if not handle:
        return False
    try:
        return bool(kernel.WaitForSingleObject(handle, 0) == timeout)
    finally:
        kernel.CloseHandle(handle)
