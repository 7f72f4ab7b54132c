"""`python -m tests.bench [--only NAME] [--large | --quick] [--json]`: measures, prints a table, exits 1 for a miss."""

from __future__ import annotations

import argparse
import json
import platform
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs

from tests.bench import encryption, history, index_cost, pages, round_trip, search, start, transfer, turns
from tests.bench.row import Row, table
from tests.bench.scale import LARGE, NORMAL, QUICK, Scale

MEASUREMENTS: Mapping[str, Callable[[Scale, Path], list[Row]]] = {
    "round_trip": round_trip.measure,
    "start": start.measure,
    "pages": pages.measure,
    "transfer": transfer.measure,
    "history": history.measure,
    "search": search.measure,
    "index_cost": index_cost.measure,
    "encryption": encryption.measure,
    "turns": turns.measure,
}


def main() -> int:
    """Run what is asked for; the exit code."""
    options = _options()
    scale = LARGE if options.large else QUICK if options.quick else NORMAL
    rows: list[Row] = []
    for name in options.only or MEASUREMENTS:
        with tempfile.TemporaryDirectory(prefix="kore-bench-", dir=options.directory) as directory:
            rows += MEASUREMENTS[name](scale, Path(directory).resolve())
    if options.json:
        print(json.dumps([attrs.asdict(row) | {"ok": row.ok} for row in rows], indent=1))
    else:
        print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {platform.system()}")
        print(table(rows))
    return 1 if not options.quick and any(row.ok is False for row in rows) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=tuple(MEASUREMENTS), metavar="NAME", help="one of %(choices)s"
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--large", action="store_true", help="with a million messages in the store")
    size.add_argument("--quick", action="store_true", help="every row once; the figures mean nothing")
    parser.add_argument("--json", action="store_true", help="for a program to read")
    parser.add_argument("--directory", type=Path, help="where the stores lie while they are measured")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
