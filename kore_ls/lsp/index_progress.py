"""Shows the indexing of encrypted stores, which nobody asked for, as progress that can be cancelled.

Only to clients that can show it; one that refuses is asked no more. Indexes nothing itself.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable

from kore_ls.api.progress import Progress
from kore_ls.lsp.words import Words
from kore_ls.rpc.connection import Connection
from kore_ls.rpc.faults import ConnectionClosed, ResponseError

CREATE_S = 30.0


class IndexProgress:
    """The progresses of one connection, one for each folder."""

    def __init__(self, connection: Connection, words: Words, *, shows: bool) -> None:
        self._connection = connection
        self._words = words
        self._shows = shows
        self._counts: dict[str, asyncio.Queue[int | None]] = {}
        self._stops: dict[str, Callable[[], None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def tell(self, folder: str, rows: int | None, stop: Callable[[], None]) -> None:
        """So many messages of the folder are indexed; None: it is over, or nobody needs to know any more."""
        counts = self._counts.get(folder)
        if counts is None:
            if rows is None or not self._shows:
                return
            counts = self._counts[folder] = asyncio.Queue()
            task = asyncio.create_task(self._show(counts, stop), name="kore-index-progress")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        counts.put_nowait(rows)
        if rows is None:
            del self._counts[folder]

    async def _show(self, counts: asyncio.Queue[int | None], stop: Callable[[], None]) -> None:
        token = f"kore-index-{uuid.uuid4()}"
        try:
            await self._connection.request("window/workDoneProgress/create", {"token": token}, timeout=CREATE_S)
        except (ResponseError, ConnectionClosed, TimeoutError):
            self._shows = False
            return
        self._stops[token] = stop
        try:
            with Progress(self._connection.notify, token, self._words.indexing) as progress:
                while (rows := await counts.get()) is not None:
                    progress.report(self._words.indexed.format(count=rows))
        finally:
            self._stops.pop(token, None)

    def cancel(self, token: object) -> bool:
        """The user cancelled a progress: end the indexing if it is one of ours, and say so."""
        stop = self._stops.pop(token, None) if isinstance(token, str) else None
        if stop is None:
            return False
        stop()
        return True

    async def close(self) -> None:
        """Show nothing more."""
        self._shows = False
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
