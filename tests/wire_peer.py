"""A connection in this process, and the client at its other end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from kore_ls.lsp.room import LanguageRoom
from kore_ls.rpc.connection import Connection
from kore_ls.rpc.framing import Framer
from tests.wire_table import TABLE, TableApplication, TableWorkspace

Message = dict[str, Any]

ABSENT: Any = object()
LIMIT = 30


class MemoryChannel:
    """A channel whose reader can stop; remembers what was asked of it."""

    def __init__(self, received: Callable[[Message], None]) -> None:
        self._received = received
        self._framer = Framer()
        self._unsent = b""
        self.stalled = False
        self.paused = False
        self.aborted = asyncio.Event()
        self.writes = 0
        self.bytes = b""

    def write(self, data: bytes) -> None:
        self.writes += 1
        self._unsent += data
        if not self.stalled:
            self.drain()

    def drain(self) -> None:
        self.stalled = False
        data, self._unsent = self._unsent, b""
        self.bytes = data
        for frame in self._framer.feed(data):
            assert isinstance(frame, bytearray)
            self._received(json.loads(frame))

    def get_write_buffer_size(self) -> int:
        return len(self._unsent)

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def abort(self) -> None:
        self.aborted.set()


class Peer:
    """The client; `connection`, `application` and `channel` are the server's side."""

    def __init__(self, *, environment: dict[str, str] | None = None, **options: Any) -> None:
        self.received: list[Message] = []
        self.ended: list[str] = []
        self.application = TableApplication()
        self.channel = MemoryChannel(self._receive)
        self._changed = asyncio.Event()
        self._count = 0
        self.connection = Connection(
            TABLE,
            self.channel,
            lambda connection: LanguageRoom(connection, self.application, TABLE, "0", environment or {}),
            ended=self.ended.append,
            **{"grace": 0.2} | options,
        )

    def _receive(self, message: Message) -> None:
        self.received.append(message)
        self._changed.set()

    @property
    def workspace(self) -> TableWorkspace:
        return self.application.workspaces[-1]

    def raw(self, data: bytes) -> None:
        self.connection.feed(data)

    def send(self, *messages: object) -> None:
        for message in messages:
            body = message if isinstance(message, bytes) else json.dumps(message).encode()
            self.raw(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    def call(self, method: str, params: Any = ABSENT, id_: Any = None) -> Any:
        """Send a request; its id."""
        self._count += 1
        message = {"jsonrpc": "2.0", "id": self._count if id_ is None else id_, "method": method}
        self.send(message if params is ABSENT else message | {"params": params})
        return message["id"]

    def notify(self, method: str, params: Any = ABSENT) -> None:
        message = {"jsonrpc": "2.0", "method": method}
        self.send(message if params is ABSENT else message | {"params": params})

    def answer(self, request: Message, result: Any = None) -> None:
        self.send({"jsonrpc": "2.0", "id": request["id"], "result": result})

    async def request(self, method: str, params: Any = ABSENT) -> Message:
        return await self.reply(self.call(method, params))

    async def result(self, method: str, params: Any = ABSENT) -> Any:
        reply = await self.request(method, params)
        assert "result" in reply, reply
        return reply["result"]

    async def error(self, method: str, params: Any = ABSENT) -> Message:
        reply = await self.request(method, params)
        assert "error" in reply, reply
        error: Message = reply["error"]
        return error

    async def command(self, name: str, *arguments: Any) -> Message:
        return await self.request("workspace/executeCommand", {"command": name, "arguments": list(arguments)})

    async def reply(self, id_: Any) -> Message:
        return await self.wait(lambda message: "method" not in message and message.get("id") == id_)

    async def event(self, method: str) -> Message:
        return await self.wait(lambda message: message.get("method") == method)

    async def wait(self, wanted: Callable[[Message], bool]) -> Message:
        async with asyncio.timeout(LIMIT):
            while True:
                for index, message in enumerate(self.received):
                    if wanted(message):
                        return self.received.pop(index)
                self._changed.clear()
                await self._changed.wait()

    async def choice(self, title: str) -> Message:
        """Wait for a question to the user and choose the answer with this title; the question."""
        question = await self.event("window/showMessageRequest")
        assert title in titles(question), titles(question)
        self.answer(question, {"title": title})
        return question

    async def shown(self) -> str:
        """Wait for a message to the user."""
        text: str = (await self.event("window/showMessage"))["params"]["message"]
        return text

    async def initialize(self, **params: Any) -> Message:
        reply = await self.request(
            "initialize", {"processId": None, "rootUri": "file:///code", "capabilities": {}} | params
        )
        self.notify("initialized", {})
        return reply


def titles(question: Message) -> list[str]:
    return [action["title"] for action in question["params"]["actions"]]
