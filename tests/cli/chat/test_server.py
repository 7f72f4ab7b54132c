from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kore_ls.cli.chat.answering import Answering
from kore_ls.cli.chat.commands import Chat
from kore_ls.cli.chat.conversation import Conversation
from kore_ls.cli.chat.loop import Loop
from kore_ls.cli.chat.server import Server, ServerGone
from kore_ls.cli.failures import CommandFailed
from kore_ls.cli.screen import Screen
from kore_ls.errors import InvalidParams, SessionNotFound
from tests.cli.commands import LIMIT, added, made


class Heard:
    """What a server told; `event` waits for a type of event."""

    def __init__(self) -> None:
        self.types: asyncio.Queue[str] = asyncio.Queue()

    def __call__(self, method: str, params: Any) -> None:
        if method == "kore/event":
            self.types.put_nowait(params["type"])

    async def event(self, wanted: str) -> None:
        async with asyncio.timeout(LIMIT):
            while await self.types.get() != wanted:
                pass


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
async def server(folder: Path, heard: Heard) -> AsyncIterator[Server]:
    server = await Server.start(folder, heard)
    yield server
    await server.stop()


def pid_of(server: Server) -> int:
    return server._process.pid


async def test_it_answers_and_tells(server: Server, heard: Heard) -> None:
    session = await added(server, "one", "你好")  # type: ignore[arg-type]

    assert session["messageCount"] == 1
    await heard.event("session.created")
    await heard.event("message.added")


async def test_its_errors_are_those_of_the_domain(server: Server) -> None:
    with pytest.raises(SessionNotFound) as missing:
        await server.call("kore/session/get", sessionId="nothing")
    with pytest.raises(InvalidParams) as wrong:
        await server.call("kore/session/create", name="")

    assert missing.value.params == {"sessionId": "nothing"}
    assert wrong.value.problems == ["params.name: must not be blank"]


async def test_calls_wait_side_by_side(server: Server) -> None:
    await server.call("kore/session/create", name="one")
    names = [f"number {number}" for number in range(50)]
    made = await asyncio.gather(*(server.call("kore/session/create", name=name, activate=False) for name in names))

    assert [session["name"] for session in made] == names


async def test_a_server_that_dies_is_told_to_all_who_wait(server: Server) -> None:
    os.kill(pid_of(server), signal.SIGSTOP)  # so that it can't answer first
    waiting = [asyncio.create_task(server.call("kore/session/list")) for _ in range(3)]
    await asyncio.sleep(0)
    os.kill(pid_of(server), signal.SIGKILL)

    for outcome in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(outcome, ServerGone)
        assert outcome.exit_code == -signal.SIGKILL
    with pytest.raises(ServerGone):
        await server.call("kore/session/list")


async def test_stopping_ends_the_process_in_good_order(folder: Path, heard: Heard) -> None:
    server = await Server.start(folder, heard)
    await server.stop()
    await server.stop()

    assert server._process.returncode == 0


async def test_another_process_is_heard_of(server: Server, heard: Heard, folder: Path) -> None:
    await server.call("kore/session/create", name="here")
    await asyncio.to_thread(made, folder, "there")
    await heard.event("store.changed")


async def test_work_that_is_stopped_leaves_nothing_and_the_server_goes_on(
    server: Server, folder: Path, tmp_path: Path
) -> None:
    """As Ctrl-C does while a command is at work."""
    messages = ",".join('{"role":"user","content":"text"}' for _ in range(50_000))
    document = tmp_path / "large.json"
    document.write_text('{"id":"large","name":"large","messages":[' + messages + "]}")
    screen = Screen()
    loop = Loop(Chat(Conversation(server), screen), server, Answering(server, screen, trusted=True))
    taking = asyncio.create_task(loop._stoppable(loop.take(f"/import {document}")))
    await asyncio.sleep(0)
    assert loop.stop()

    with pytest.raises(CommandFailed, match="stopped"):
        await taking
    assert not loop.stop()
    assert (await server.call("kore/session/list"))["sessions"] == []


async def test_a_server_that_cannot_start_is_reported(
    folder: Path, heard: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho broken >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(ServerGone) as caught:
        await Server.start(folder, heard)

    assert caught.value.exit_code == 3
    assert caught.value.log == ("broken",)


async def test_the_server_takes_no_code_from_the_folder_nor_from_what_variables_name(
    folder: Path, heard: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where the chat itself was told to: its folder, or a module that only a variable finds."""
    for place in (folder, folder / "below", tmp_path / "user/usercustomize"):
        place.mkdir(parents=True, exist_ok=True)
        for name in ("json", "sitecustomize", "usercustomize", "uvloop", "cattrs", "kore_ls"):
            (place / f"{name}.py").write_text(
                f"open({str(tmp_path / 'evil')!r}, 'a').write('x')\nraise SystemExit(9)\n"
            )
    monkeypatch.chdir(folder)
    for name in ("", str(folder), str(folder / "below"), "below"):
        monkeypatch.syspath_prepend(name)
    monkeypatch.setenv("PYTHONPATH", f"{folder}:{tmp_path / 'user/usercustomize'}")
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    monkeypatch.setenv("PYTHONINSPECT", "1")
    server = await Server.start(folder, heard)
    try:
        await added(server, "one", "two")  # type: ignore[arg-type]
    finally:
        await server.stop()
    assert not (tmp_path / "evil").exists()
    assert server._process.returncode == 0
