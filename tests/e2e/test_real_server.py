"""The server that users start: however it ends, what it acknowledged is there, and its exit code tells how."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.raw_client import Process, process

COMMAND = (sys.executable, "-m", "kore_ls", "--stdio")


def orderly(server: Process) -> None:
    server.request("shutdown")
    server.notify("exit")


def pipelined(server: Process) -> None:
    server.send(server.call("shutdown"), server.note("exit"))


def only_exit(server: Process) -> None:
    server.notify("exit")


def end_of_input(server: Process) -> None:
    server.close_input()


def terminated(server: Process) -> None:
    os.kill(server.pid, signal.SIGTERM)


def killed(server: Process) -> None:
    server.popen.kill()


@pytest.mark.parametrize(
    ("end", "code"),
    [(orderly, 0), (pipelined, 0), (only_exit, 1), (end_of_input, 1), (terminated, 1), (killed, -signal.SIGKILL)],
)
def test_what_was_acknowledged_survives_every_end(end: Callable[[Process], None], code: int, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    env = {"XDG_STATE_HOME": str(tmp_path / "state")}
    with process(COMMAND, env=env) as server:
        server.initialize(rootUri=folder.as_uri())
        session = server.request("kore/session/create", {"name": "会话"})["result"]
        for n in range(20):
            params = {"sessionId": session["id"], "role": "user", "content": f"第 {n} 句"}
            assert server.request("kore/message/add", params)["result"]["seq"] == n + 1
        end(server)
        assert server.exit_code() == code
        assert server.log() == []

    with process(COMMAND, env=env) as server:
        server.initialize(rootUri=folder.as_uri())
        assert server.request("kore/session/current")["result"]["id"] == session["id"]
        messages = server.request("kore/message/list", {"sessionId": session["id"]})["result"]["messages"]
        assert [message["content"] for message in messages] == [f"第 {n} 句" for n in range(20)]
        assert server.request("kore/store/check")["result"]["ok"]


def test_a_folder_that_is_only_opened_gets_no_store(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    with process(COMMAND, env={"XDG_STATE_HOME": str(tmp_path / "state")}) as server:
        server.initialize(rootUri=folder.as_uri())
        assert server.request("kore/session/current")["result"] == {}
        assert server.request("kore/session/list")["result"]["sessions"] == []
        pipelined(server)
        assert server.exit_code() == 0
    assert list(folder.iterdir()) == []
