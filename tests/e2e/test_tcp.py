"""Several clients on one TCP server: each for itself, none without the token."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.raw_client import LIMIT, WIRE_SERVER, Process, Wire, frame, process, tcp_client

Address = tuple[str, int]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Process]:
    with process((*WIRE_SERVER, "--tcp", "127.0.0.1:0", str(tmp_path / "state"))) as server:
        yield server


@pytest.fixture
def hasty_server(tmp_path: Path) -> Iterator[Process]:
    """One that waits only a second for a greeting."""
    command = (*WIRE_SERVER, "--tcp", "127.0.0.1:0", str(tmp_path / "state"))
    with process(command, env={"PATIENCE": "1"}) as server:
        yield server


@pytest.fixture
def address(server: Process) -> Address:
    return address_of(server)


@pytest.fixture
def token(server: Process) -> str:
    return token_of(server)


def address_of(server: Process) -> Address:
    host, _, port = server.logged("listening on").rpartition(" ")[2].rpartition(":")
    return host, int(port)


def token_of(server: Process) -> str:
    return Path(server.logged("token file").partition("token file ")[2]).read_text()


def hello(token: str) -> dict[str, Any]:
    return {"initializationOptions": {"kore": {"token": token}}}


def test_the_token_is_in_a_file_of_the_users_own_and_goes_with_the_server(server: Process, address: Address) -> None:
    path = Path(server.logged("token file").partition("token file ")[2])
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text() not in Path(f"/proc/{server.pid}/cmdline").read_text()
    os.kill(server.pid, signal.SIGTERM)
    assert server.exit_code() == 0
    assert not path.exists()
    assert server.log()[-1] == "application closed"


def test_clients_are_served_side_by_side_and_end_for_themselves(server: Process, address: Address, token: str) -> None:
    with tcp_client(address) as first, tcp_client(address) as second:
        first.initialize(**hello(token), rootUri="file:///first")
        second.initialize(**hello(token), rootUri="file:///second")
        assert first.request("kore/test/folders")["result"] == {"folders": ["file:///first"]}
        assert second.request("kore/test/folders")["result"] == {"folders": ["file:///second"]}
        first.request("shutdown")
        first.notify("exit")
        assert first.end() == []
        server.logged("workspace closed")
        assert second.request("kore/test/echo", {"value": 1})["result"] == 1


def test_a_client_that_just_goes_ends_only_its_own_connection(server: Process, address: Address, token: str) -> None:
    with tcp_client(address) as stays:
        stays.initialize(**hello(token))
        with tcp_client(address) as goes:
            goes.initialize(**hello(token))
            goes.request("kore/test/null")
        server.logged("workspace closed")
        assert stays.request("kore/test/echo", {"value": 1})["result"] == 1


def test_a_client_that_does_not_read_stalls_no_other(server: Process, address: Address, token: str) -> None:
    with tcp_client(address, reading=False) as silent, tcp_client(address) as other:
        silent.send(silent.call("initialize", {"processId": None, "capabilities": {}} | hello(token)))
        silent.send(*(silent.call("kore/test/big", {"size": 1 << 20}) for _ in range(40)))
        other.initialize(**hello(token))
        assert other.request("kore/test/echo", {"value": 1})["result"] == 1
        os.kill(server.pid, signal.SIGTERM)
        assert server.exit_code() == 0


@pytest.mark.parametrize("options", [{}, hello(""), hello("0" * 64), {"initializationOptions": {"token": "x"}}])
def test_without_the_token_initialize_is_refused_and_the_connection_closed(
    server: Process, address: Address, options: dict[str, Any]
) -> None:
    with tcp_client(address) as client:
        reply = client.request("initialize", {"processId": None, "capabilities": {}} | options)
        assert reply["error"]["code"] == -32600
        assert client.end() == []


def test_nothing_is_served_before_initialize(server: Process, address: Address) -> None:
    with tcp_client(address) as client:
        assert client.request("kore/test/null")["error"]["code"] == -32002
        assert client.request("workspace/executeCommand", {"command": "kore.test.null"})["error"]["code"] == -32002


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60\r\n\r\n" + frame({"jsonrpc": "2.0", "id": 1}),
        b"GET ",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
)
def test_an_http_request_is_cut_off_without_an_answer(server: Process, address: Address, request_: bytes) -> None:
    with socket.create_connection(address, LIMIT) as client:
        client.sendall(request_)
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(100) == b""


def test_a_client_that_says_nothing_is_cut_off(hasty_server: Process) -> None:
    address, token = address_of(hasty_server), token_of(hasty_server)
    with tcp_client(address) as served, tcp_client(address) as silent:
        served.initialize(**hello(token))
        assert silent.end() == []
        assert served.request("kore/test/echo", {"value": 1})["result"] == 1


def test_a_half_closed_client_gets_its_last_replies(server: Process, address: Address, token: str) -> None:
    with socket.create_connection(address, LIMIT) as connection:
        client = Wire(lambda: connection.recv(1 << 18), connection.sendall)
        client.read()
        client.initialize(**hello(token))
        client.send(*(client.call("kore/test/echo", {"value": n}, 100 + n) for n in range(20)))
        connection.shutdown(socket.SHUT_WR)
        assert [message["result"] for message in client.end()] == list(range(20))


def test_the_end_of_the_server_answers_requests_in_work(server: Process, address: Address, token: str) -> None:
    with tcp_client(address) as client:
        client.initialize(**hello(token))
        waiting = client.call("kore/test/wait")
        client.send(waiting)
        client.event("kore/test/begun")
        server.popen.terminate()
        assert client.reply(waiting["id"])["error"]["code"] == -32800
        assert server.exit_code() == 0
