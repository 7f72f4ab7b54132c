"""Talks to the user through the editor: short messages and choices. A client that can't show them costs nothing."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from enum import Enum

from kore_ls.rpc.connection import Connection
from kore_ls.rpc.faults import ConnectionClosed, ResponseError

logger = logging.getLogger(__name__)


class Kind(Enum):
    """How a message is shown; the values are LSP's."""

    ERROR = 1
    WARNING = 2
    INFO = 3


class Window:
    """`window/*` of one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def show(self, text: str, kind: Kind = Kind.INFO) -> None:
        """Show a message to the user."""
        self._connection.notify("window/showMessage", {"type": kind.value, "message": text})

    def log(self, text: str, kind: Kind = Kind.WARNING) -> None:
        """Leave a message in the client's log."""
        self._connection.notify("window/logMessage", {"type": kind.value, "message": text})

    async def choose(self, question: str, titles: Sequence[str]) -> str | None:
        """Let the user choose one of `titles` (all different), however long it takes; None if nothing was chosen."""
        params = {"type": Kind.INFO.value, "message": question, "actions": [{"title": title} for title in titles]}
        try:
            item = await self._connection.request("window/showMessageRequest", params, timeout=None)
        except ResponseError as error:
            logger.warning("the client did not show a choice: code %s", error.code)
            return None
        except ConnectionClosed:
            return None
        title = item.get("title") if isinstance(item, dict) else None
        return title if title in titles else None
