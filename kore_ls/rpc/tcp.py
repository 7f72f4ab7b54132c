"""Serves several clients over loopback TCP, one connection each, over one application.

Nothing is served to a client before its `initialize` has shown the token; the end of one client is nobody else's.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from kore_ls.rpc.connection import Connection
from kore_ls.rpc.outbox import PAUSE_BYTES
from kore_ls.rpc.serve import Close, ConnectionFactory, Ending, Patience, end_on_signals, end_process_after, run, within
from kore_ls.rpc.token import Token

logger = logging.getLogger(__name__)


class NotLoopback(ValueError):
    """The address is not one that only this machine can reach."""


def run_tcp(
    connect: ConnectionFactory,
    close: Close,
    host: str,
    port: int,
    token_directory: Path,
    patience: Patience | None = None,
) -> int:
    """Serve until a signal ends it; the exit code of this process, 0. Port 0 takes a free one.

    The address and the token's file are told on standard error. Raises NotLoopback, OSError where it can't listen.
    """
    return run(_serve(connect, close, loopback_address(host), port, token_directory, patience or Patience()))


def loopback_address(host: str) -> str:
    """The numeric loopback address for `host`; NotLoopback if other machines could reach it or it is unknown."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NotLoopback(host) from None
    addresses = sorted({str(address[0]) for *_, address in found}, key=lambda text: ":" in text)
    if not addresses or not all(ipaddress.ip_address(text.partition("%")[0]).is_loopback for text in addresses):
        raise NotLoopback(host)
    return addresses[0]


async def _serve(
    connect: ConnectionFactory, close: Close, address: str, port: int, directory: Path, patience: Patience
) -> int:
    ended = Ending()
    end_on_signals(ended)
    peers: set[_Peer] = set()
    loop = asyncio.get_running_loop()
    token: Token | None = None

    def admits(params: Any) -> bool:
        return token is not None and token.admits(params)

    server = await loop.create_server(lambda: _Peer(connect, admits, peers, patience), address, port)
    try:
        bound = server.sockets[0].getsockname()[1]
        token = Token(directory, f"tcp-{bound}-{os.getpid()}")
        shown = f"[{address}]" if ":" in address else address
        sys.stderr.write(f"kore-ls: listening on {shown}:{bound}\nkore-ls: token file {token.path}\n")
        sys.stderr.flush()
        logger.info("ending: %s", await ended.reason())
    finally:
        end_process_after(patience.process)
        server.close()
        if token is not None:
            token.remove()
        for peer in peers:
            peer.end("the server ends")
        await asyncio.gather(*(peer.finished() for peer in peers))
        await within(patience.application, "closing the application", close())
    return 0


class _Peer(asyncio.Protocol):
    """One client: a socket, its connection, and the end of both."""

    _transport: asyncio.Transport
    _connection: Connection

    def __init__(
        self, connect: ConnectionFactory, admits: Callable[[Any], bool], peers: set[_Peer], patience: Patience
    ) -> None:
        self._connect = connect
        self._admits = admits
        self._peers = peers
        self._patience = patience
        self._lost = asyncio.Event()
        self._finishing: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self._transport.set_write_buffer_limits(high=PAUSE_BYTES)
        self._connection = self._connect(
            self._transport, ended=self.end, greeted=self._greeted, admit=self._admits, resync=False
        )
        self._peers.add(self)
        self._late = asyncio.get_running_loop().call_later(self._patience.greeting, self.end, "no greeting")

    def data_received(self, data: bytes) -> None:
        self._connection.feed(data)

    def eof_received(self) -> bool:
        self.end("end of input")
        return True  # the socket stays open for the last replies

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost.set()
        self.end("lost")

    def pause_writing(self) -> None:
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        self._connection.resume_writing()

    def _greeted(self, _: Any) -> None:
        self._late.cancel()

    def end(self, reason: str) -> None:
        """End this client's connection; the first reason counts."""
        if self._finishing is None:
            logger.info("a client ends: %s", reason)
            self._late.cancel()
            self._finishing = asyncio.get_running_loop().create_task(self._finish())

    async def finished(self) -> None:
        """Wait until this client's connection has ended."""
        if self._finishing is not None:
            await self._finishing

    async def _finish(self) -> None:
        await within(self._patience.connection, "closing a connection", self._connection.close())
        self._transport.close()
        await within(self._patience.output, "sending the last replies", self._lost.wait())
        self._transport.abort()
        self._peers.discard(self)
