"""Indexing an encrypted store in the background is shown as progress, and goes on or not as the user says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.raw_client import Message, Process
from tests.e2e.test_two_servers import kore, start

COUNT = 3_000
OPTIONS = {"kore": {"passphrase": "secret"}}
CREATE = "window/workDoneProgress/create"


@pytest.fixture
def server(folder: Path, state_home: Path) -> Iterator[Process]:
    """A process that is to say hello to a folder with much to index."""
    messages = [{"role": "user", "content": f"number n{number}", "timestamp": number} for number in range(COUNT)]
    document = {"format": "kore-session", "version": 1, "id": "long", "name": "n", "agent_mode": "plan"}
    with start(folder, state_home) as first:
        hello(first, folder, shows=False)
        kore(first, "session/import", document=document | {"status": "idle", "messages": messages})
        ended(first)
    with start(folder, state_home) as process:
        yield process
        ended(process)


def hello(server: Process, folder: Path, *, shows: bool = True) -> None:
    """Open the folder's store."""
    capabilities = {"window": {"workDoneProgress": shows}}
    server.initialize(rootUri=folder.as_uri(), capabilities=capabilities, initializationOptions=OPTIONS)
    kore(server, "session/list")


def ended(server: Process) -> None:
    server.request("shutdown")
    server.notify("exit")
    assert server.exit_code() == 0
    assert server.log() == []


def progress(server: Process, token: str, kind: str) -> Any:
    def wanted(message: Message) -> bool:
        params: Any = message.get("params")
        return message.get("method") == "$/progress" and (params["token"], params["value"]["kind"]) == (token, kind)

    return server.wait(wanted)["params"]["value"]


def begun(server: Process) -> str:
    """The progress that the server begins by itself."""
    asked = server.event(CREATE)
    server.answer(asked)
    token: str = asked["params"]["token"]
    shown = progress(server, token, "begin")
    assert (shown["title"], shown["cancellable"]) == ("Kore: indexing the encrypted sessions", True)
    return token


@pytest.mark.slow
def test_it_is_shown_until_all_is_indexed(server: Process, folder: Path) -> None:
    hello(server, folder)
    token = begun(server)
    count, word = progress(server, token, "report")["message"].split()
    assert (int(count) >= 2_000, word) == (True, "messages")
    progress(server, token, "end")
    assert kore(server, "store/status")["indexedMessages"] == COUNT


def test_cancelled_it_ends_and_searches_find_all_the_same(server: Process, folder: Path) -> None:
    hello(server, folder)
    token = begun(server)
    server.notify("window/workDoneProgress/cancel", {"token": token})
    progress(server, token, "end")
    for number in (0, COUNT - 1):
        (hit,) = kore(server, "session/search", query=f'"n{number}"')["hits"]
        assert hit["matches"][0]["seq"] == number + 1


@pytest.mark.slow
def test_a_client_that_refuses_is_asked_once_and_searches(server: Process, folder: Path) -> None:
    hello(server, folder)
    asked = server.event(CREATE)
    server.send({"jsonrpc": "2.0", "id": asked["id"], "error": {"code": -32601, "message": "no"}})
    (hit,) = kore(server, "session/search", query='"n7"')["hits"]
    assert hit["matches"][0]["seq"] == 8
    while kore(server, "store/status")["indexedMessages"] < COUNT:
        pass
    assert not [each for each in server.received if each.get("method") in (CREATE, "$/progress")]


@pytest.mark.slow
def test_a_client_that_can_show_none_hears_of_none(server: Process, folder: Path) -> None:
    hello(server, folder, shows=False)
    while kore(server, "store/status")["indexedMessages"] < COUNT:
        pass
    assert not [each for each in server.received if each.get("method") in (CREATE, "$/progress")]
