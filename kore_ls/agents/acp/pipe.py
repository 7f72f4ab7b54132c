"""An external agent's pipes as whole messages of the right form, in order; what is none is dropped. Logs no word of it.

What the agent tells of its session is handed on here, one after another, so that an agent that tells more than is taken
has to wait.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from acp.schema import SessionNotification

log = logging.getLogger(__name__)

_UPDATE = "session/update"
_FAILED = -32603


class Pipe:
    """See `acp.connection.Transport`. `told` hears of each update of a session."""

    def __init__(
        self, writer: asyncio.StreamWriter, reader: asyncio.StreamReader, told: Callable[[str, Any], Awaitable[None]]
    ) -> None:
        self._writer, self._reader, self._told = writer, reader, told
        self._sending = asyncio.Lock()
        self._complained = False

    async def send(self, message: dict[str, Any]) -> None:
        """Write a message. Raises ConnectionError where nobody reads any more."""
        line = json.dumps(message, separators=(",", ":"), default=str).encode() + b"\n"
        async with self._sending:
            try:
                self._writer.write(line)
                await self._writer.drain()
            except (OSError, RuntimeError) as error:
                raise ConnectionError("the agent reads no more") from error

    async def receive(self) -> dict[str, Any] | None:
        """The next request or response; None after the last, or where a line has no end."""
        while True:
            try:
                line = await self._reader.readuntil(b"\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                return None
            except asyncio.LimitOverrunError:
                log.error("an external agent wrote a line that is too long; nothing more of it is read")
                return None
            message = _message(line)
            if message is None:
                if line.strip():
                    self._complain("a line that is no message")
            elif "method" not in message or "id" in message:
                return message
            elif message["method"] == _UPDATE:
                await self._update(message.get("params"))

    async def close(self) -> None:
        """Nothing to let go of: the pipes are the process' own."""

    async def _update(self, params: Any) -> None:
        try:
            update = SessionNotification.model_validate(params)
        except ValueError:
            return self._complain("an update that can't be read")
        await self._told(update.session_id, update.update)

    def _complain(self, what: str) -> None:
        """Once is enough: whatever prints one such line prints many."""
        if not self._complained:
            self._complained = True
            log.warning("an external agent wrote %s; it is left out, as are more of the kind", what)


def _message(line: bytes) -> dict[str, Any] | None:
    """What a line says, if that is a message in the form of JSON-RPC."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict):
        return None
    if "method" in message:
        return message if isinstance(message["method"], str) else None
    if type(message.get("id")) is not int:
        return None
    error = message.get("error")
    if error is None and "result" in message:
        return {"id": message["id"], "result": message["result"]}
    code = error.get("code") if isinstance(error, dict) else None
    return {"id": message["id"], "error": {"code": code if type(code) is int else _FAILED, "message": ""}}
