"""What a durable message costs over stdio, beside a request that does nothing and beside SQLite's own commit."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tests.bench.client import KORE, Client, request
from tests.bench.clock import median, microseconds, p99
from tests.bench.raw_commit import TEXT, WHAT, RawCommits
from tests.bench.row import Row
from tests.bench.scale import Scale

NULL_METHOD = "kore/event/unsubscribe"
"""A method of the table that touches no store."""


def measure(scale: Scale, directory: Path) -> list[Row]:
    """Commits, null requests and adds in turns, one at a time; then adds without waiting, in turns with commits."""
    folder = directory / "folder"
    folder.mkdir()
    with Client(KORE, directory / "state") as client, RawCommits(directory) as raw:
        client.initialize(folder)
        adds = Adds(client)
        return [*_one_at_a_time(scale, client, adds, raw), *_pipelined(scale, client, adds, raw)]


class Adds:
    """Requests that each append a 500-byte message to one session."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._session = client.call("kore/session/create", {"name": "bench"})["id"]

    def made(self, count: int) -> list[bytes]:
        """So many requests."""
        params = {"sessionId": self._session, "role": "user", "content": TEXT}
        return [request(self._client.new_id(), "kore/message/add", params) for _ in range(count)]


def _one_at_a_time(scale: Scale, client: Client, adds: Adds, raw: RawCommits) -> list[Row]:
    commits: list[float] = []
    paced: list[float] = []
    nulls: list[float] = []
    added: list[float] = []
    for number in range(scale.rounds + 1):
        taken = (
            raw.times(scale.calls),
            _paced(client, raw, scale.calls),
            _times(client, _nulls(client, scale.calls)),
            _times(client, adds.made(scale.calls)),
        )
        if number:  # the first round warms up
            for all_times, times in zip((commits, paced, nulls, added), taken, strict=True):
                all_times += times
    over = (median(added) - median(nulls)) / median(commits)
    return [
        Row(name="raw commit p50", value=median(commits), unit="us", note=WHAT),
        Row(name="raw commit p99", value=p99(commits), unit="us"),
        Row(
            name="raw commit, paced",
            value=median(paced),
            unit="us",
            note="the same at p50, one after each null request",
        ),
        Row(name="null round trip p50", value=median(nulls), unit="us", note=f"{NULL_METHOD} over stdio"),
        Row(name="null round trip p99", value=p99(nulls), unit="us"),
        Row(name="message add p50", value=median(added), unit="us", note="kore/message/add over stdio, 500 bytes"),
        Row(name="message add p99", value=p99(added), unit="us"),
        Row(name="message add over null", value=over, unit="raw commits", at_most=10, note="at p50"),
    ]


def _nulls(client: Client, count: int) -> list[bytes]:
    return [request(client.new_id(), NULL_METHOD, {}) for _ in range(count)]


def _times(client: Client, requests: Sequence[bytes]) -> list[float]:
    return [microseconds(partial(client.exchange, data)) for data in requests]


def _paced(client: Client, raw: RawCommits, count: int) -> list[float]:
    """Commits at the pace of requests: a processor that just did something else is slower than one in a tight loop."""
    times: list[float] = []
    for data in _nulls(client, count):
        client.exchange(data)
        times.append(microseconds(raw.commit))
    return times


def _pipelined(scale: Scale, client: Client, adds: Adds, raw: RawCommits) -> list[Row]:
    rates: list[float] = []
    commit_rates: list[float] = []
    for number in range(scale.rounds + 1):
        commit_rate = scale.pipelined / (sum(raw.times(scale.pipelined)) / 1e6)
        requests = adds.made(scale.pipelined)
        start = time.perf_counter()
        replies = client.pipeline(requests)
        rate = scale.pipelined / (time.perf_counter() - start)
        assert all(b'"result"' in reply for reply in replies)
        if number:
            rates.append(rate)
            commit_rates.append(commit_rate)
    return [
        Row(name="raw commits", value=median(commit_rates), unit="/s"),
        Row(name="pipelined adds", value=median(rates), unit="/s"),
        Row(
            name="pipelined adds per raw commit",
            value=median(rates) / median(commit_rates),
            unit="x",
            at_least=1 / 8,
            note="rates of the same rounds",
        ),
    ]
