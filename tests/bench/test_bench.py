"""The bench still measures everything; how fast anything is, is not asked here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.raw_commit import TEXT
from tests.bench.row import Row, table

BARS = {
    "message add over null": (10, None),
    "pipelined adds per raw commit": (None, 1 / 8),
    "start over bare pygls": (1.25, None),
    "idle memory": (60, None),
    "idle memory with documents": (60, None),
    "session page at the top": (2, None),
    "session page deep": (2, None),
    "history, session page after": (2, None),
    "history, search after: p95": (50, None),
    "search of 200: p95": (50, None),
    "search of 200: p95 in a session": (50, None),
    "message add, indexed over not": (1.1, None),
    "add, encrypted to plain": (1.2, None),
    "page, encrypted to plain": (1.5, None),
    "turn, per delta": (100, None),
    "turn, growth in a paced turn": (16_384, None),
    "turn, first event of one in eight at work": (2, None),
    "start with extras over without": (1.1, None),
    "idle memory for extras": (1, None),
    "turn, cancel": (1_000, None),
}
OTHERS = {
    "raw commit p50",
    "raw commit p99",
    "raw commit, paced",
    "null round trip p50",
    "null round trip p99",
    "message add p50",
    "message add p99",
    "raw commits",
    "pipelined adds",
    "start of bare pygls",
    "start",
    "start to first session",
    "message page, newest",
    "message page, middle",
    "export",
    "import",
    "disk per message",
    "history import",
    "history import again",
    "history import, growth",
    "history, search after: p50",
    "search of 200: indexed",
    "search of 200: index per text",
    "search of 200: p50",
    "search of 200: one character p50",
    "add in the store, plain",
    "add in the store, encrypted",
    "page of 100, plain",
    "page of 100, encrypted",
    "encrypted, 200 messages: converted",
    "encrypted, 200 messages: first answer after unlock",
    "encrypted, 200 messages: fully indexed after unlock",
    "encrypted, 200 messages: memory of the index",
    "encrypted, 200 messages: search p50, indexed",
    "plain, 200 messages: search p50, indexed",
    "search p50, encrypted to plain",
    "turn, deltas per second asked for 5,000",
    "turn, first event p50",
}
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_quick_run_yields_every_row_with_its_bar(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.bench", "--quick", "--json", "--directory", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert {name: (row["at_most"], row["at_least"]) for name, row in rows.items() if name in BARS} == BARS
    assert set(rows) - set(BARS) == OTHERS
    differences = {  # nothing keeps them from being nothing, or less
        "message add over null",
        "idle memory for extras",
        "history import, growth",
        "turn, per delta",
        "turn, growth in a paced turn",
        "encrypted, 200 messages: memory of the index",
    }
    assert {name for name, row in rows.items() if row["value"] <= 0} <= differences
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (Row(name="a", value=10.0, unit="us", at_most=10), "a  10 us  <= 10 us  ok"),
        (Row(name="a", value=12345.6, unit="us", at_most=10), "a  12,346 us  <= 10 us  MISS"),
        (Row(name="a", value=0.124, unit="x", at_least=0.125), "a  0.124 x  >= 0.125 x  MISS"),
        (Row(name="a", value=3.14159, unit="x", note="why"), "a  3.14 x\n\na: why"),
    ],
)
def test_the_table_says_whether_a_bar_is_met(row: Row, said: str) -> None:
    assert table([row]).strip() == said


def test_the_message_that_is_measured_has_500_bytes() -> None:
    assert len(TEXT.encode()) == 500
