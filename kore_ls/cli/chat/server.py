"""The server as a child process and a small JSON-RPC client that talks to it over its pipes. Needs no LSP library."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from kore_ls import __version__
from kore_ls.errors import InvalidParams, KoreError, error_tree
from kore_ls.rpc.codec import dumps, loads
from kore_ls.rpc.framing import Framer

START_SECONDS = 60.0
STOP_SECONDS = 10.0
LOG_LINES = 20
METHOD_NOT_FOUND = -32601

Listener = Callable[[str, Any], None]
Asked = Callable[[str, Any], Awaitable[Any | None]]

_START = (
    "import json, sys; sys.path += [each for each in json.loads(sys.argv.pop(1)) if each not in sys.path];"
    "from kore_ls.__main__ import main; main()"
)
_KINDS = {cls.kind: cls for cls in error_tree()}


class ServerGone(Exception):
    """The server ended, or never began to answer; `log` is the end of what it wrote to standard error."""

    def __init__(self, exit_code: int | None, log: tuple[str, ...]) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code
        self.log = log


class Server:
    """A running server; see `Caller`. Stop it with `stop`.

    `heard` is called with each notification, `asked` with each request: its result, or None for "not offered".
    """

    def __init__(self, process: asyncio.subprocess.Process, heard: Listener, asked: Asked) -> None:
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        self._process = process
        self._heard = heard
        self._asked = asked
        self._answering: dict[Any, asyncio.Task[None]] = {}
        self._input, self._output, self._errors = process.stdin, process.stdout, process.stderr
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._count = 0
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self.ended = asyncio.Event()
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._read_log())]

    @classmethod
    async def start(cls, folder: Path, heard: Listener, asked: Asked | None = None) -> Server:
        """Start a server with this folder open; `asked` opts in to permission requests. Raises ServerGone."""
        apart: dict[str, Any] = {"start_new_session": True}  # Ctrl-C is for us, not for the server
        if sys.platform == "win32":
            apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        process = await asyncio.create_subprocess_exec(
            *_argv(folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **apart,
        )
        server = cls(process, heard, asked or _nothing)
        try:
            async with asyncio.timeout(START_SECONDS):
                await server._greet(folder, permissions=asked is not None)
        except BaseException as error:
            await server.stop()
            if isinstance(error, TimeoutError | KoreError):
                raise ServerGone(process.returncode, tuple(server._log)) from error
            raise
        return server

    async def _greet(self, folder: Path, *, permissions: bool) -> None:
        uri = folder.as_uri()
        await self.call(
            "initialize",
            processId=os.getpid(),
            clientInfo={"name": "kore-ls chat", "version": __version__},
            rootUri=uri,
            workspaceFolders=[{"uri": uri, "name": folder.name}],
            capabilities={},
            initializationOptions={"kore": {"events": True, "permissions": permissions}},
        )
        await self._send({"method": "initialized", "params": {}})

    async def call(self, method: str, **params: Any) -> Any:
        """The result of a request. Raises KoreError, ServerGone. Cancelling it tells the server to stop."""
        self._count += 1
        number = self._count
        reply = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await self._send({"id": number, "method": method, "params": params})
            return await reply
        except asyncio.CancelledError:
            with contextlib.suppress(ServerGone):
                await self._send({"method": "$/cancelRequest", "params": {"id": number}})
            raise
        finally:
            del self._waiting[number]
            if reply.done() and not reply.cancelled():
                reply.exception()  # taken here, where sending failed too

    async def _send(self, message: dict[str, Any]) -> None:
        body = dumps({"jsonrpc": "2.0", **message})
        try:
            if self.ended.is_set():
                raise BrokenPipeError
            self._input.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
            await self._input.drain()
        except (ConnectionError, RuntimeError):
            await self.ended.wait()
            raise self.gone() from None

    def gone(self) -> ServerGone:
        """The error of a server that has ended."""
        return ServerGone(self._process.returncode, tuple(self._log))

    async def _read(self) -> None:
        framer = Framer()
        try:
            while data := await self._output.read(1 << 18):
                for frame in framer.feed(data):
                    if isinstance(frame, bytearray):
                        await self._take(loads(frame))
        except (ConnectionError, ValueError):
            pass
        finally:
            await self._end()

    async def _end(self) -> None:
        """The server says no more: see that it is gone, and tell those who wait for it."""
        self._input.close()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await asyncio.wait([self._tasks[1]], timeout=1)
        self.ended.set()
        for reply in self._waiting.values():
            if not reply.done():
                reply.set_exception(self.gone())

    async def _take(self, message: Any) -> None:
        if "method" not in message:
            reply = self._waiting.get(message.get("id"))
            if reply is not None and not reply.done():
                _settle(reply, message)
        elif "id" in message:
            task = asyncio.create_task(self._answer(message["id"], message["method"], message.get("params")))
            self._answering[message["id"]] = task
            task.add_done_callback(lambda _: self._answering.pop(message["id"], None))
        elif message["method"] == "$/cancelRequest":
            if (withdrawn := self._answering.get(message["params"]["id"])) is not None:
                withdrawn.cancel()
        else:
            self._heard(message["method"], message.get("params"))

    async def _answer(self, id_: Any, method: str, params: Any) -> None:
        result = await self._asked(method, params)
        refusal = {"code": METHOD_NOT_FOUND, "message": "not offered by this client"}
        with contextlib.suppress(ServerGone):
            await self._send({"id": id_, "error": refusal} if result is None else {"id": id_, "result": result})

    async def _read_log(self) -> None:
        while text := await self._errors.read(1 << 16):
            self._log.extend(text.decode("utf-8", "replace").splitlines())

    async def stop(self) -> None:
        """Let the server save and end, or end it; calling it again is fine."""
        for task in tuple(self._answering.values()):
            task.cancel()
        with contextlib.suppress(ServerGone, KoreError, TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await self.call("shutdown")
                await self._send({"method": "exit"})
                await self.ended.wait()
        if not self.ended.is_set():
            self._process.kill()
            await self.ended.wait()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _argv(folder: Path) -> list[str]:
    """Python without the directory it stands in and without its variables: both may be anybody's.

    What this process was found by comes after Python's own places, but nothing of the folder.
    """
    apart = [Path(os.path.realpath(each)) for each in (folder, Path.cwd())]
    places = [each for each in sys.path if Path(each).is_absolute()]
    outside = [each for each in places if not any(Path(os.path.realpath(each)).is_relative_to(one) for one in apart)]
    return [sys.executable, "-I", "-c", _START, dumps(outside).decode(), "--stdio"]


async def _nothing(method: str, params: Any) -> None:
    return None


def _settle(reply: asyncio.Future[Any], message: Any) -> None:
    error = message.get("error")
    if error is None:
        reply.set_result(message.get("result"))
    else:
        reply.set_exception(_error(error))


def _error(error: Any) -> KoreError:
    """The error that the server raised, as far as it can be told."""
    data = error.get("data") or {}
    cls = _KINDS.get(str(data.get("kind")), KoreError)
    if issubclass(cls, InvalidParams):
        return InvalidParams(data.get("problems") or [error["message"]])
    found = cls(error["message"])
    found.params = data.get("params") or {}
    if "reference" in data:
        found.message += f" (reference {data['reference']})"
    return found
