"""HTTP on loopback: takes requests one after another on a connection, hands each to the format its path means."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from tests.model_server import anthropic, chat, gemini, responses
from tests.model_server.reply import Asked, Reply

REASONS = {401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests", 400: "Bad Request", 529: "Overloaded"}


class ModelServer:
    """`async with ModelServer() as server`: answers with `replies` in order; without one it says "ok".

    Requests without tools (titles, summaries) are answered with `plain`. `asked` are the requests with tools,
    `asked_plain` the others. Requests of more than `holds` characters are too long for it.
    """

    def __init__(self) -> None:
        self.replies: deque[Reply] = deque()
        self.plain: deque[Reply] = deque()
        self.asked: list[Asked] = []
        self.asked_plain: list[Asked] = []
        self.holds: int | None = None
        self.held = asyncio.Event()
        self.let_go = asyncio.Event()
        self.gone = asyncio.Event()
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> ModelServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 24)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    @property
    def address(self) -> str:
        """`http://127.0.0.1:port`."""
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"

    def reply(self, *texts: str, **more: Any) -> None:
        """Answer a coming request with this text, in pieces."""
        self.replies.append(Reply(text=texts, **more))

    async def until(self, requests: int) -> None:
        """Wait until so many requests with tools have come."""
        while len(self.asked) < requests:
            self._changed.clear()
            await self._changed.wait()

    async def until_plain(self, requests: int) -> None:
        """Wait until so many requests without tools have come."""
        while len(self.asked_plain) < requests:
            self._changed.clear()
            await self._changed.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while (asked := await _read(reader)) is not None:
                if not await self._answer(asked, reader, writer):
                    break
        writer.close()

    async def _answer(self, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        path = asked.path.partition("?")[0]
        if asked.body is None or path.endswith(("/models", "count_tokens", ":countTokens")):
            await _json(writer, {"data": [], "object": "list", "input_tokens": 10, "totalTokens": 10}, 200, {})
            return True
        with_tools = bool(asked.body.get("tools"))
        (self.asked if with_tools else self.asked_plain).append(asked)
        self._changed.set()
        waiting = self.replies if with_tools else self.plain
        if self.holds is not None and len(json.dumps(asked.body)) > self.holds:
            reply = Reply(status=400, code="context_length_exceeded")
        else:
            reply = waiting.popleft() if waiting else Reply(text=("ok",))
        form = _form(path)
        if reply.status != 200:
            after = {} if reply.retry_after is None else {"retry-after": str(reply.retry_after)}
            await _json(writer, form.error(reply), reply.status, after)
            return True
        stream = asked.body.get("stream") or "streamGenerateContent" in path
        if not stream:
            await _json(writer, form.whole(reply, asked.body), 200, {})
            return True
        return await self._stream(form, reply, asked, reader, writer)

    async def _stream(
        self, form: Any, reply: Reply, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        for event in form.events(reply, asked.body):
            if event is form.FIRST and reply.hold:
                self.held.set()
                gone = asyncio.create_task(reader.read(1))
                let_go = asyncio.create_task(self.let_go.wait())
                await asyncio.wait([gone, let_go], return_when=asyncio.FIRST_COMPLETED)
                let_go.cancel()
                if gone.done():
                    self.gone.set()
                    return False
                gone.cancel()
            if event is form.FIRST and reply.stray:
                writer.write(f"{len(reply.stray):x}\r\n".encode() + reply.stray + b"\r\n")
            if event is form.LAST and reply.cut:
                return False
            if event is form.LAST and reply.short:
                break
            if event:
                writer.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
                await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True


def _form(path: str) -> Any:
    if path.endswith("/chat/completions"):
        return chat
    if path.endswith("/responses"):
        return responses
    if path.endswith("/messages"):
        return anthropic
    assert "enerateContent" in path, path
    return gemini


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    line = await reader.readline()
    if not line:
        return None
    _, path, _ = line.decode().split(" ", 2)
    headers: dict[str, str] = {}
    while (header := await reader.readline()) not in (b"\r\n", b""):
        name, _, value = header.decode().partition(":")
        headers[name.strip().lower()] = value.strip()
    body = b""
    if "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
    elif headers.get("transfer-encoding") == "chunked":
        while size := int((await reader.readline()).strip(), 16):
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
    return Asked(path=path, headers=headers, body=json.loads(body) if body else None)


async def _json(writer: asyncio.StreamWriter, value: Any, status: int, headers: Mapping[str, str]) -> None:
    body = json.dumps(value, ensure_ascii=False).encode()
    more = "".join(f"{name}: {each}\r\n" for name, each in headers.items())
    head = f"HTTP/1.1 {status} {REASONS.get(status, 'OK')}\r\ncontent-type: application/json\r\n{more}"
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()
