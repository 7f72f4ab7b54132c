"""How a server process lives and ends: each way once, with what the user would notice."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.raw_client import ABSENT, LIMIT, ROOT, WIRE_SERVER, Process, frame, process

CLOSED = ["workspace closed", "application closed"]


@pytest.fixture
def server() -> Iterator[Process]:
    with process() as server:
        yield server


def closings(server: Process) -> list[str]:
    return [line for line in server.log() if line in CLOSED]


def test_shutdown_then_exit_closes_everything_once_and_exits_0(server: Process) -> None:
    server.initialize()
    assert server.request("shutdown")["result"] is None
    server.notify("exit")
    assert server.exit_code() == 0
    assert closings(server) == CLOSED


def test_shutdown_and_exit_in_one_write_are_answered_and_exit_0(server: Process) -> None:
    server.initialize()
    server.send(server.call("shutdown", id_="bye"), server.note("exit"))
    assert server.reply("bye")["result"] is None
    assert server.exit_code() == 0
    assert closings(server) == CLOSED


def test_a_whole_life_in_one_write_is_answered_in_full(server: Process) -> None:
    hello: dict[str, Any] = {"processId": None, "rootUri": "file:///code", "capabilities": {}}
    server.send(
        server.call("initialize", hello, 1),
        server.note("initialized", {}),
        server.call("kore/test/folders", ABSENT, 2),
        server.call("shutdown", ABSENT, 3),
        server.note("exit"),
    )
    assert server.exit_code() == 0
    assert [message["id"] for message in server.end()] == [1, 2, 3]


def test_exit_without_shutdown_closes_everything_and_exits_1(server: Process) -> None:
    server.initialize()
    server.notify("exit")
    assert server.exit_code() == 1
    assert closings(server) == CLOSED


def test_exit_before_initialize_exits_1(server: Process) -> None:
    server.notify("exit")
    assert server.exit_code() == 1
    assert closings(server) == ["application closed"]


def test_the_end_of_input_answers_what_was_asked_and_exits_1(server: Process) -> None:
    server.initialize()
    server.send(*(server.call("kore/test/echo", {"value": n}, 100 + n) for n in range(50)))
    server.close_input()
    assert server.exit_code() == 1
    assert [message["result"] for message in server.end()] == list(range(50))
    assert closings(server) == CLOSED


def test_the_end_of_input_after_shutdown_exits_0(server: Process) -> None:
    server.initialize()
    server.request("shutdown")
    server.close_input()
    assert server.exit_code() == 0


def test_the_end_of_input_in_the_middle_of_a_message_is_an_end_like_any_other(server: Process) -> None:
    server.initialize()
    server.raw(b"Content-Length: 1000\r\n\r\n{")
    server.close_input()
    assert server.exit_code() == 1
    assert closings(server) == CLOSED


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_closes_everything_once_and_exits_1(server: Process, number: signal.Signals) -> None:
    server.initialize()
    server.request("kore/test/null")
    os.kill(server.pid, number)
    assert server.exit_code() == 1
    assert closings(server) == CLOSED


def test_a_signal_during_a_request_answers_it_first(server: Process) -> None:
    server.initialize()
    waiting = server.call("kore/test/wait")
    server.send(waiting)
    server.event("kore/test/begun")
    server.popen.terminate()
    assert server.reply(waiting["id"])["error"]["code"] == -32800
    assert server.exit_code() == 1


def test_the_end_of_the_parent_is_noticed_although_input_stays_open(server: Process) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as parent:
        server.initialize(processId=parent.pid)
        server.request("kore/test/null")
        parent.kill()
    assert server.exit_code() == 1
    assert closings(server) == CLOSED


@pytest.mark.parametrize("what", ["close", "thread"])
def test_what_never_ends_can_not_keep_the_process(what: str) -> None:
    with process(env={"HANG": what, "PATIENCE": "0.5"}) as server:
        server.initialize()
        server.close_input()
        assert server.exit_code() == 1


def test_a_client_that_closes_its_end_of_the_output_ends_the_server() -> None:
    with process(reading=False) as server:
        server.send(server.call("initialize", {"processId": None, "capabilities": {}}))
        assert server.popen.stdout is not None
        server.popen.stdout.read(10)
        server.popen.stdout.close()
        assert server.exit_code() == 1
        assert closings(server)[-1] == "application closed"


def test_text_on_standard_output_by_accident_reaches_standard_error(server: Process) -> None:
    server.initialize()
    assert server.request("kore/test/print")["result"] is None
    assert server.request("kore/test/echo", {"value": 1})["result"] == 1
    server.logged("stray text")


def test_what_fails_is_found_in_the_log_by_its_reference_without_the_users_words(server: Process) -> None:
    server.initialize()
    data = server.request("kore/test/crash", {"value": "the user's words"})["error"]["data"]
    server.logged(data["reference"])
    server.close_input()
    server.exit_code()
    assert not [line for line in server.log() if "words" in line]


def test_a_lower_case_header_is_understood(server: Process) -> None:
    body = json.dumps(server.call("initialize", {"capabilities": {}}, 1)).encode()
    server.raw(b"content-type: x\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
    assert "result" in server.reply(1)


def test_messages_of_many_sizes_and_pieces_arrive_whole(server: Process) -> None:
    server.initialize()
    texts = ["", "会话🎉" * 1000, "x" * 3_000_000, '{"jsonrpc": "2.0"}\r\n']
    stream = b"".join(frame(server.call("kore/test/echo", {"value": text}, 100 + n)) for n, text in enumerate(texts))
    for start in range(0, len(stream), 65_521):
        server.raw(stream[start : start + 65_521])
    assert [server.reply(100 + n)["result"] for n in range(len(texts))] == texts


def test_a_client_that_does_not_read_stops_being_read_and_nothing_is_lost() -> None:
    with process(reading=False) as server:
        server.send(server.call("initialize", {"processId": None, "capabilities": {}}, "hello"))
        request = frame(server.call("kore/test/echo", {"value": "x" * 100_000}, "again"))
        sent, rest = server.stuff(request, most=1000)
        assert sent < 1000, "the server reads without end"
        server.read()
        server.raw(rest)
        server.send(server.call("shutdown", ABSENT, "bye"))
        server.reply("bye")
        done = [message for message in server.received if "result" in message or "error" in message]
        assert len(done) == 1 + sent + bool(rest)


def test_regular_files_work_as_input_and_output(tmp_path: Path) -> None:
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"capabilities": {}}}
    ask = {"jsonrpc": "2.0", "id": 2, "method": "kore/test/echo", "params": {"value": "x" * 300_000}}
    (tmp_path / "in").write_bytes(frame(hello) + frame(ask))
    with (tmp_path / "in").open("rb") as source, (tmp_path / "out").open("wb") as target:
        done = subprocess.run([*WIRE_SERVER, "--stdio"], cwd=ROOT, stdin=source, stdout=target, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert (tmp_path / "out").read_bytes().count(b'"result"') == 2


def test_one_socket_works_as_input_and_output() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        command = [*WIRE_SERVER, "--stdio"]
        end, null = theirs.fileno(), subprocess.DEVNULL
        with subprocess.Popen(command, cwd=ROOT, stdin=end, stdout=end, stderr=null) as server:
            theirs.close()
            ours.settimeout(LIMIT)
            ours.sendall(frame({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"capabilities": {}}}))
            assert b'"result"' in ours.recv(1 << 16)
            ours.sendall(frame({"jsonrpc": "2.0", "id": 2, "method": "kore/test/echo", "params": {"value": "again"}}))
            assert b"again" in ours.recv(1 << 16)
            ours.shutdown(socket.SHUT_WR)
            assert server.wait(LIMIT) == 1


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "</dev/null"])
def test_missing_standard_streams_end_in_an_exit_code(closed: str) -> None:
    command = f'exec "$0" -m tests.e2e.wire_server --stdio {closed}'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT
    )
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr and (closed == "2>&-" or b"application closed" in done.stderr)
