"""Turns of real server processes: killed in mid-stream, shared by two servers, read by nobody."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.e2e.raw_client import Message, Process, process

COMMAND = (sys.executable, "-m", "tests.e2e.turn_server", "--stdio")
SOME_CHARS = 400


@pytest.fixture(autouse=True)
def where_state_is(state_home: Path) -> None:
    """Servers find it by the environment that they inherit."""
    assert os.environ["XDG_STATE_HOME"] == str(state_home.parent)


@contextlib.contextmanager
def served(folder: Path) -> Iterator[Process]:
    with process(COMMAND) as server:
        server.initialize(rootUri=folder.as_uri(), initializationOptions={"kore": {"events": True}})
        yield server


def kore(server: Process, method: str, **params: Any) -> Any:
    reply = server.request(f"kore/{method}", params)
    assert "result" in reply, reply
    return reply["result"]


def kind(server: Process, method: str, **params: Any) -> tuple[str, Any]:
    data = server.request(f"kore/{method}", params)["error"]["data"]
    return data["kind"], data["params"]


def event(server: Process, type_: str) -> Message:
    found: Message = server.wait(
        lambda message: message.get("method") == "kore/event" and message["params"]["type"] == type_
    )["params"]
    return found


def streamed(server: Process, chars: int) -> None:
    """Wait until so much of an answer has come."""
    while (data := event(server, "message.streaming")["data"])["offset"] + len(data["delta"]) < chars:
        pass


def begun(server: Process, prompt: str = "go") -> str:
    session = kore(server, "session/create")["id"]
    kore(server, "turn/start", sessionId=session, prompt=prompt)
    return str(session)


def test_a_server_killed_in_mid_stream_loses_next_to_nothing_and_leaves_nothing_running(folder: Path) -> None:
    with served(folder) as server:
        session = begun(server)
        streamed(server, SOME_CHARS)
        kore(server, "session/save")
        streamed(server, 2 * SOME_CHARS)
        server.popen.send_signal(signal.SIGKILL)
        server.exit_code()
    with served(folder) as server:
        assert kore(server, "session/get", sessionId=session)["status"] == "idle"
        (turn,) = kore(server, "turn/list", sessionId=session)["turns"]
        assert (turn["state"], turn["stopReason"]) == ("done", "interrupted")
        prompt, partial = kore(server, "message/list", sessionId=session)["messages"]
        assert (prompt["content"], partial["state"]) == ("go", "interrupted")
        assert len(partial["content"]) >= SOME_CHARS
        assert set(partial["content"].split()) == {"word"}
        kore(server, "turn/start", sessionId=session, prompt="again")
        assert kore(server, "turn/cancel", sessionId=session)["cancelled"]


def test_a_second_server_is_told_who_works_in_a_session_and_takes_over_from_the_dead(folder: Path) -> None:
    with served(folder) as one, served(folder) as two:
        session = begun(one)
        streamed(one, SOME_CHARS)
        document = kore(two, "session/export", sessionId=session)["document"]
        for method, params in (
            ("turn/start", {"sessionId": session, "prompt": "me too"}),
            ("turn/cancel", {"sessionId": session}),
            ("session/close", {"sessionId": session}),
            ("session/pause", {"sessionId": session}),
            ("session/delete", {"sessionId": session}),
            ("session/delete", {"sessionId": session, "permanent": True}),
            ("session/update", {"sessionId": session, "mode": "plan"}),
            ("session/import", {"document": document, "onConflict": "replace"}),
        ):
            word, facts = kind(two, method, **params)
            assert (method, word) == (method, "leaseHeld")
            assert str(one.pid) in facts["holder"]
        answer = {"requestId": "of-the-other", "outcome": "cancelled"}
        assert kind(two, "permission/answer", **answer)[0] == "leaseHeld"
        assert kore(one, "permission/answer", **answer) == {"accepted": False}
        kore(two, "session/rename", sessionId=session, name="by two")
        kore(two, "message/add", sessionId=session, role="user", content="by two")
        kore(two, "session/update", sessionId=session, tags=["by two"], pinned=True)
        kore(two, "session/switch", sessionId=session)
        assert kore(two, "session/fork", sessionId=session)["status"] == "idle"
        lease = kore(two, "session/get", sessionId=session)["lease"]
        assert (lease["mine"], str(one.pid) in lease["holder"]) == (False, True)
        assert kore(one, "session/get", sessionId=session)["name"] == "by two"
        one.popen.send_signal(signal.SIGKILL)
        one.exit_code()
        two.wait(
            lambda message: (
                message.get("method") == "kore/event"
                and message["params"]["type"] == "session.updated"
                and message["params"]["data"]["session"]["status"] == "idle"
            )
        )
        assert kore(two, "turn/list", sessionId=session)["turns"][0]["stopReason"] == "interrupted"
        assert "lease" not in kore(two, "session/get", sessionId=session)
        kore(two, "turn/start", sessionId=session, prompt="mine now")


def test_the_editor_s_end_interrupts_the_turn(folder: Path) -> None:
    with served(folder) as server:
        session = begun(server)
        streamed(server, SOME_CHARS)
        server.close_input()
        server.exit_code()
    with served(folder) as server:
        assert kore(server, "session/get", sessionId=session)["status"] == "idle"
        assert kore(server, "turn/list", sessionId=session)["turns"][0]["stopReason"] == "interrupted"
        partial = kore(server, "message/list", sessionId=session)["messages"][-1]
        assert (partial["state"], len(partial["content"]) >= SOME_CHARS) == ("interrupted", True)


def test_a_client_that_does_not_read_makes_nothing_grow_and_misses_nothing_but_pieces(folder: Path) -> None:
    with process(COMMAND, reading=False) as server:
        hello = {"processId": os.getpid(), "capabilities": {}, "rootUri": folder.as_uri()}
        options = {"initializationOptions": {"kore": {"events": True}}}
        create = server.call("kore/session/create", {"name": "flooded"})
        server.send(server.call("initialize", hello | options), server.note("initialized", {}), create)
        with served(folder) as other:
            while not (sessions := kore(other, "session/list")["sessions"]):
                event(other, "store.changed")
            session = sessions[0]["id"]
            server.send(server.call("kore/turn/start", {"sessionId": session, "prompt": "flood"}))
            running = psutil.Process(server.pid)
            while kore(other, "session/get", sessionId=session)["status"] != "running":
                event(other, "store.changed")
            before = running.memory_info().rss
            for n in range(40):  # the time that it takes is the time that the flood has
                kore(other, "message/add", sessionId=session, role="user", content=str(n))
            assert running.memory_info().rss - before < 64 << 20
        cancel = server.call("kore/turn/cancel", {"sessionId": session})
        server.read()
        server.send(cancel)
        assert server.reply(cancel["id"])["result"]["cancelled"]
        final = event(server, "turn.finished")["data"]["message"]["content"]
        pieces = [
            message["params"]["data"]
            for message in server.received
            if message.get("method") == "kore/event" and message["params"]["type"] == "message.streaming"
        ]
        assert "".join(piece["delta"] for piece in pieces) == final
