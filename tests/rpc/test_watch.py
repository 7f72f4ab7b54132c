"""The watch over the process that started us."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from kore_ls.rpc import watch
from kore_ls.rpc.watch import ParentWatch

SLEEPER = [sys.executable, "-c", "import sys; sys.stdin.read()"]


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(SLEEPER, stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


async def end_of(pid: Any, after: subprocess.Popen[bytes] | None = None) -> str:
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    ParentWatch(ended.set_result).start({"processId": pid})
    if after is not None:
        await asyncio.sleep(0)
        assert not ended.done()
        after.kill()
        await asyncio.to_thread(after.wait)
    return await asyncio.wait_for(ended, 30)


@pytest.mark.parametrize("descriptors", [True, False])
async def test_the_end_of_the_process_is_noticed(
    child: subprocess.Popen[bytes], descriptors: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not descriptors:
        monkeypatch.setattr(watch, "_descriptor", lambda pid: None)
        monkeypatch.setattr(watch, "POLL_SECONDS", 0.01)
    assert await end_of(child.pid, child) == "parent gone"


async def test_a_process_that_is_not_there_counts_as_gone(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()
    assert await end_of(child.pid) == "parent gone"


@pytest.mark.parametrize(
    "params", [None, [], {}, *({"processId": pid} for pid in (None, 0, -1, "7", True, 1 << 40, 1.0))]
)
async def test_nothing_is_watched_where_no_process_is_named(params: Any) -> None:
    watching = ParentWatch(lambda _: pytest.fail("ended"))
    watching.start(params)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        await task
