"""Serves an application to editors: over standard input and output, or over loopback TCP."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kore_ls.lsp.ports import Application
from kore_ls.lsp.room import LanguageRoom
from kore_ls.rpc.connection import Connection
from kore_ls.rpc.methods import MethodTable
from kore_ls.rpc.outbox import Channel
from kore_ls.rpc.serve import ConnectionFactory, Patience


def serve_stdio(application: Application, table: MethodTable, version: str, *, patience: Patience | None = None) -> int:
    """Serve one client on standard input and output until it ends; the exit code."""
    from kore_ls.rpc.stdio import run_stdio

    return run_stdio(connections(application, table, version), application.close, patience)


def serve_tcp(
    application: Application,
    table: MethodTable,
    version: str,
    host: str,
    port: int,
    token_directory: Path,
    *,
    patience: Patience | None = None,
) -> int:
    """Serve any number of clients on a loopback address until a signal comes; the exit code.

    Raises NotLoopback, OSError where it can't listen.
    """
    from kore_ls.rpc.tcp import run_tcp

    return run_tcp(connections(application, table, version), application.close, host, port, token_directory, patience)


def connections(application: Application, table: MethodTable, version: str) -> ConnectionFactory:
    """What makes a connection for each client of an application."""

    def room(connection: Connection) -> LanguageRoom:
        return LanguageRoom(connection, application, table, version, os.environ)

    def connect(
        channel: Channel,
        *,
        ended: Callable[[str], None],
        greeted: Callable[[Any], None],
        admit: Callable[[Any], bool] | None = None,
        resync: bool = True,
    ) -> Connection:
        return Connection(table, channel, room, ended=ended, greeted=greeted, admit=admit, resync=resync)

    return connect
