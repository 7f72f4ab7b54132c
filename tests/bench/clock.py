"""Times in microseconds, and what is said of many of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence


def microseconds(work: Callable[[], object]) -> float:
    """How long one call takes."""
    start = time.perf_counter_ns()
    work()
    return (time.perf_counter_ns() - start) / 1_000


def median(values: Sequence[float]) -> float:
    """The value in the middle."""
    return statistics.median(values)


def p99(values: Sequence[float]) -> float:
    """The value that one in a hundred exceeds."""
    return sorted(values)[min(len(values) - 1, len(values) * 99 // 100)]
