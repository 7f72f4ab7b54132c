"""Serves one client over standard input and output; every way to end leads through the same `finally`."""

from __future__ import annotations

import contextlib
import logging
import os
import sys

from kore_ls.rpc.pipes import PipeChannel, needs_threads
from kore_ls.rpc.serve import Close, ConnectionFactory, Ending, Patience, end_on_signals, end_process_after, run, within
from kore_ls.rpc.watch import ParentWatch

logger = logging.getLogger(__name__)


def run_stdio(connect: ConnectionFactory, close: Close, patience: Patience | None = None) -> int:
    """Serve until the client, its process or a signal ends it; the exit code of this process.

    0 after `shutdown`, else 1. `close` closes the application; it may be called at any time and more than once.
    """
    # before the event loop opens descriptors: it may be given a missing 0 or 1
    incoming, outgoing = take_over()
    return run(_serve(incoming, outgoing, connect, close, patience or Patience()))


async def _serve(incoming: int, outgoing: int, connect: ConnectionFactory, close: Close, patience: Patience) -> int:
    ended = Ending()
    end_on_signals(ended)
    channel, watch = PipeChannel(ended), ParentWatch(ended)
    threads_in, threads_out = needs_threads(incoming, outgoing)
    await channel.open_output(outgoing, threads=threads_out)
    connection = connect(channel, ended=ended, greeted=watch.start)
    try:
        await channel.open_input(incoming, connection, threads=threads_in)
        logger.info("ending: %s", await ended.reason())
    finally:
        end_process_after(patience.process)
        watch.stop()
        await within(patience.connection, "closing the connection", connection.close())
        await within(patience.application, "closing the application", close())
        await within(patience.output, "sending the last replies", channel.close())
    return 0 if connection.shutdown_seen else 1


def take_over() -> tuple[int, int]:
    """Standard input and output for the protocol alone.

    What is printed goes to standard error from now on, and a child process that inherits standard input reads nothing.
    """
    with contextlib.suppress(AttributeError, OSError):  # it may be closed
        sys.stdout.flush()
    null = os.open(os.devnull, os.O_RDWR)
    while null <= 2:  # we were started without it; no other descriptor shall get its number
        null = os.open(os.devnull, os.O_RDWR)
    incoming, outgoing = os.dup(0), os.dup(1)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    return incoming, outgoing
