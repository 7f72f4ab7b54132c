"""A long session out to a file and in again over stdio, and what its messages take up on disk."""

from __future__ import annotations

import time
from pathlib import Path

from tests.bench.client import KORE, Client, request
from tests.bench.clock import median
from tests.bench.raw_commit import TEXT
from tests.bench.row import Row
from tests.bench.scale import Scale


def measure(scale: Scale, directory: Path) -> list[Row]:
    """Adds the messages one by one, weighs the store, then exports and imports in turns."""
    folder = directory / "folder"
    folder.mkdir()
    with Client(KORE, directory / "state") as client:
        client.initialize(folder)
        source = client.call("kore/session/create", {"name": "long"})["id"]
    empty = _bytes_on_disk(folder)
    with Client(KORE, directory / "state") as client:
        client.initialize(folder)
        _add(client, source, scale.history)
    per_message = (_bytes_on_disk(folder) - empty) / scale.history
    with Client(KORE, directory / "state") as client:
        client.initialize(folder)
        exported, imported = _transfers(client, source, scale)
    note = f"a session of {scale.history:,} messages, a file, over stdio"
    return [
        Row(name="export", value=exported, unit="messages/s", note=note),
        Row(name="import", value=imported, unit="messages/s", note="the same file as a copy"),
        Row(
            name="disk per message",
            value=per_message,
            unit="bytes",
            note="500 bytes of text each, added one by one; the closed store's growth, change log included",
        ),
    ]


def _add(client: Client, session_id: str, count: int) -> None:
    params = {"sessionId": session_id, "role": "user", "content": TEXT}
    client.pipeline([request(client.new_id(), "kore/message/add", params) for _ in range(count)])


def _bytes_on_disk(folder: Path) -> int:
    return sum(each.stat().st_size for each in (folder / ".kore").iterdir())


def _transfers(client: Client, session_id: str, scale: Scale) -> tuple[float, float]:
    """Messages per second out and in; the first turn warms up."""
    rates: tuple[list[float], list[float]] = [], []
    export = {"sessionId": session_id, "path": "long.json", "overwrite": True}
    for number in range(scale.transfers + 1):
        for method, params, taken in (
            ("kore/session/export", export, rates[0]),
            ("kore/session/import", {"path": "long.json", "onConflict": "copy"}, rates[1]),
        ):
            start = time.perf_counter()
            client.call(method, params)
            if number:
                taken.append(scale.history / (time.perf_counter() - start))
    return median(rates[0]), median(rates[1])
