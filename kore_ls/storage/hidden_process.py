"""Keeps this process's memory to itself once it holds a key: no core dump, no debugger. Where the system offers it."""

from __future__ import annotations

import sys
from functools import cache

_PR_SET_DUMPABLE = 4


@cache
def hide_process() -> bool:
    """Make this process non-dumpable (Linux); whether that was done. Only the first call does anything."""
    if sys.platform != "linux":
        return False
    import ctypes

    try:
        return bool(ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) == 0)
    except (OSError, AttributeError):
        return False
