"""From nothing to a server that answers, beside a bare pygls server; and what it holds in memory then."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from attrs import frozen

from tests.bench.client import BARE_PYGLS, KORE, Client, notification
from tests.bench.clock import median
from tests.bench.row import Row
from tests.bench.scale import Scale

_HIDING = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name in ("pydantic_ai", "acp"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Hidden())
from kore_ls.__main__ import main
sys.exit(main())
"""
WITHOUT_EXTRAS = (sys.executable, "-c", _HIDING, "--stdio")
"""Our server as it is where the extras are not installed."""
_DOCUMENT = {"uri": "file:///bench.py", "languageId": "python", "version": 1, "text": "pass\n"}


@frozen(kw_only=True)
class _Start:
    """One start of our server: milliseconds from the start of the process, and megabytes."""

    initialize: float
    first_session: float
    idle: float
    with_documents: float


def measure(scale: Scale, directory: Path) -> list[Row]:
    """Starts of both servers in turns; the first of each only warms up."""
    bare: list[float] = []
    ours: list[_Start] = []
    without: list[_Start] = []
    for number in range(scale.starts + 1):
        bare.append(_start_bare(directory))
        for name, command, starts in (("with", KORE, ours), ("without", WITHOUT_EXTRAS, without)):
            folder = directory / f"start-{number}-{name}"
            folder.mkdir()
            starts.append(_start_ours(command, directory, folder))
    return [*_rows(bare[1:], ours[1:]), *_extras(ours[1:], without[1:])]


def _start_bare(directory: Path) -> float:
    start = time.perf_counter()
    with Client(BARE_PYGLS, directory / "state") as client:
        client.initialize()
        return (time.perf_counter() - start) * 1_000


def _start_ours(command: tuple[str, ...], directory: Path, folder: Path) -> _Start:
    start = time.perf_counter()
    with Client(command, directory / "state") as client:
        client.initialize(folder)
        initialized = time.perf_counter()
        client.send(notification("initialized", {}))
        client.call("kore/session/create", {})
        created = time.perf_counter()
        idle = client.resident_megabytes()
        client.send(notification("textDocument/didOpen", {"textDocument": _DOCUMENT}))
        client.ask("textDocument/hover", {"textDocument": {"uri": _DOCUMENT["uri"]}, "position": {}})
        return _Start(
            initialize=(initialized - start) * 1_000,
            first_session=(created - start) * 1_000,
            idle=idle,
            with_documents=client.resident_megabytes(),
        )


def _extras(ours: list[_Start], without: list[_Start]) -> list[Row]:
    """What it costs that the extras for models and other agents are installed, before they are used."""
    start = median([each.initialize for each in ours]) / median([each.initialize for each in without])
    memory = median([each.idle for each in ours]) - median([each.idle for each in without])
    return [
        Row(name="start with extras over without", value=start, unit="x", at_most=1.1, note="`model` and `acp`"),
        Row(name="idle memory for extras", value=memory, unit="MB", at_most=1, note="before the first prompt"),
    ]


def _rows(bare: list[float], ours: list[_Start]) -> list[Row]:
    initialize = median([start.initialize for start in ours])
    first_session = median([start.first_session for start in ours])
    return [
        Row(name="start of bare pygls", value=median(bare), unit="ms", note="process start to initialize reply"),
        Row(name="start", value=initialize, unit="ms", note="the same"),
        Row(name="start over bare pygls", value=initialize / median(bare), unit="x", at_most=1.25),
        Row(
            name="start to first session", value=first_session, unit="ms", note="to the first kore/session/create reply"
        ),
        Row(
            name="idle memory",
            value=median([start.idle for start in ours]),
            unit="MB",
            at_most=60,
            note="RSS after initialize and the first session",
        ),
        Row(
            name="idle memory with documents",
            value=median([start.with_documents for start in ours]),
            unit="MB",
            at_most=60,
            note="RSS after the first textDocument messages, for which pygls and its types are loaded",
        ),
    ]
