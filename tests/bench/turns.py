"""What turns cost: a delta on its way to a client, the first event beside a blocked neighbour, a cancel."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil

from kore_ls.agents.agent import AgentEvent, AnsweredTurn, TextDelta
from kore_ls.api import TABLE
from kore_ls.api.application import Application
from kore_ls.model.session import SessionRecord
from kore_ls.model.settings import ClientSettings, UserRule
from kore_ls.rpc.codec import Codec, dumps
from kore_ls.sessions.app import App
from tests.bench.clock import median
from tests.bench.row import Row
from tests.bench.scale import Scale

DELTA = "a few words "
PER_SECOND = 5_000
DELTAS = 20_000
QUICK_DELTAS = 500


_SLEEP = UserRule(answer="allow", argv=("sleep",), unsandboxed=True)
_SETTINGS = ClientSettings(events=True, trusted=True, rules=(_SLEEP,))


class Talker:
    """Says as many deltas as the prompt asks for: `N all at once`, `N paced`, `N slowly`.

    Or blocks, by itself (`0 block`) or in a tool that takes ten seconds (`0 tool`).
    """

    async def answer(self, turn: AnsweredTurn) -> AsyncIterator[AgentEvent]:
        """See `Agent`."""
        count, _, how = turn.prompt.text.partition(" ")
        if how == "block":
            await asyncio.Event().wait()
        if how == "tool":
            await turn.use_tool("run_command", {"argv": ["sleep", "10"]})
        begin = time.perf_counter()
        for number in range(int(count)):
            yield TextDelta(text=DELTA)
            if how == "paced" and (ahead := begin + number / PER_SECOND - time.perf_counter()) > 0.005:
                await asyncio.sleep(ahead)
            if how == "slowly":
                await asyncio.sleep(0.05)

    async def close(self) -> None:
        """Nothing to let go of."""


def talker(session: SessionRecord) -> Talker:
    """The factory."""
    return Talker()


class Listener:
    """A connection in this process: what it hears is encoded, as for a pipe."""

    def __init__(self, application: Application) -> None:
        self.workspace = application.connect(_SETTINGS, self._heard)
        self._codec = Codec()
        self._waiting: tuple[str, asyncio.Future[None]] | None = None

    def _heard(self, method: str, params: Any) -> None:
        dumps({"method": method, "params": params}, self._codec.unstructure)
        if self._waiting is not None and params.type.value == self._waiting[0] and not self._waiting[1].done():
            self._waiting[1].set_result(None)

    def next(self, type_: str) -> Awaitable[None]:
        """The next event of a type."""
        self._waiting = type_, asyncio.get_running_loop().create_future()
        return self._waiting[1]

    async def call(self, method: str, **params: Any) -> Any:
        """A method's result."""
        declared = TABLE[method]
        return await declared.handler(self.workspace, self._codec.structure(params, declared.params))

    async def session(self) -> str:
        """A new session's id."""
        return str((await self.call("kore/session/create")).id)

    async def turn(self, session: str, prompt: str, until: str = "turn.finished") -> float:
        """Seconds from a prompt to an event."""
        waiting = self.next(until)
        begin = time.perf_counter()
        await self.call("kore/turn/start", sessionId=session, prompt=prompt)
        await waiting
        return time.perf_counter() - begin


def measure(scale: Scale, directory: Path) -> list[Row]:
    """All of it in one process; the agent is scripted and costs next to nothing."""
    folder = directory / "folder"
    folder.mkdir()
    quick = scale.rounds <= 2

    async def run() -> list[Row]:
        application = Application(App(directory / "state", talker))
        listener = Listener(application)
        await listener.workspace.open_folder(folder.as_uri())
        try:
            return [
                *await _deltas(listener, QUICK_DELTAS if quick else DELTAS),
                *await _first_events(listener, 3 if quick else 30),
                *await _cancels(listener, 3 if quick else 30),
            ]
        finally:
            await listener.workspace.close()
            await application.close()

    return asyncio.run(run())


async def _deltas(listener: Listener, count: int) -> list[Row]:
    session = await listener.session()
    empty = await _best(lambda: listener.turn(session, "1 at once"))
    whole = await _best(lambda: listener.turn(session, f"{count} at once"))
    process = psutil.Process()
    await listener.turn(session, f"{count} paced")
    before = process.memory_info().rss
    paced = await listener.turn(session, f"{count} paced")
    grown = max(0, process.memory_info().rss - before) / 1024
    return [
        Row(
            name="turn, per delta",
            value=(whole - empty) / count * 1e6,
            unit="us",
            at_most=100,
            note="from the agent to encoded events, drafts and the stored message included",
        ),
        Row(name="turn, deltas per second asked for 5,000", value=count / paced, unit="/s"),
        Row(
            name="turn, growth in a paced turn",
            value=grown,
            unit="KiB",
            at_most=16_384,
            note=f"resident memory after a second turn of {count:,} deltas at {PER_SECOND:,} a second",
        ),
    ]


async def _first_events(listener: Listener, count: int) -> list[Row]:
    await _first(listener)  # warms up
    blocked, *others = [await listener.session() for _ in range(7)]
    alone, beside = [], []
    for _ in range(count):  # in turns, as the machine may be busy with other things for a while
        alone.append(await _first(listener))
        await listener.turn(blocked, "0 tool", until="tool.start")
        for each in others:
            await listener.turn(each, "1000 slowly", until="turn.started")
        beside.append(await _first(listener))
        for each in (blocked, *others):
            await listener.call("kore/turn/cancel", sessionId=each)
    return [
        Row(name="turn, first event p50", value=median(alone) * 1e3, unit="ms"),
        Row(
            name="turn, first event of one in eight at work",
            value=median(beside) / median(alone),
            unit="x",
            at_most=2,
            note="one of the others blocked for ten seconds in a tool, six streaming",
        ),
    ]


async def _first(listener: Listener) -> float:
    session = await listener.session()
    taken = await listener.turn(session, "1 at once", until="message.streaming")
    await listener.call("kore/session/close", sessionId=session)
    return taken


async def _cancels(listener: Listener, count: int) -> list[Row]:
    session = await listener.session()
    times = []
    for _ in range(count):
        await listener.turn(session, "0 block", until="turn.started")
        begin = time.perf_counter()
        await listener.call("kore/turn/cancel", sessionId=session)
        times.append(time.perf_counter() - begin)
    return [Row(name="turn, cancel", value=max(times) * 1e3, unit="ms", at_most=1_000, note="the slowest of all")]


async def _best(work: Callable[[], Awaitable[float]]) -> float:
    return min([await work() for _ in range(3)])
