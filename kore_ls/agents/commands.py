"""Runs one child process to its end, its time limit, its output limit or its cancellation. Never through a shell."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
import secrets
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import cast

from attrs import frozen

from kore_ls.agents.problem import ToolProblem
from kore_ls.agents.sandbox.confine import Confined

_CHUNK = 32 << 10
_MARK = "AGENT_COMMAND_ID"
"""A variable by which a command's processes are found again when their parents are gone."""
_LAUNCHER_SECONDS = 0.4
_ROUNDS = 5
"""How often what a command left running is looked for: it may be making more."""
_DRAIN_SECONDS = 0.3
"""How long a finished command's background children may hold its output."""


@frozen(kw_only=True)
class CommandResult:
    """How a command ended. `code` is its exit code, negative a signal's number; `truncated`: `output` is not all."""

    code: int
    output: str
    truncated: bool = False
    timed_out: bool = False


@frozen(kw_only=True)
class CommandLimits:
    """`seconds` of time; `kept` characters of output; a command that prints more than `bytes` is stopped."""

    seconds: float = 120.0
    kept: int = 200_000
    bytes: int = 32 << 20


async def run_command(
    confined: Confined,
    *,
    cwd: Path,
    env: Mapping[str, str],
    limits: CommandLimits,
    on_output: Callable[[str], Awaitable[None]] | None = None,
    stdin: bytes = b"",
    mark: str | None = None,
) -> CommandResult:
    """Run it in a process group of its own, with its output and errors as one text.

    `mark` is a random word by which `kill_marked` finds its processes. When it returns or raises (also
    CancelledError), the whole group is gone. Raises ToolProblem if it can't start.
    """
    output = _Output(limits, on_output)
    async with _started(confined, cwd=cwd, env=env, stdin=stdin, mark=mark or secrets.token_hex(16)) as child:
        timed_out = False
        try:
            async with asyncio.timeout(limits.seconds):
                while chunk := await child.next_chunk():
                    if not await output.take(chunk):
                        break
        except TimeoutError:
            timed_out = True
        await child.stop()
        await output.take(b"", final=True)
    return CommandResult(code=child.code, output=output.text(), truncated=output.truncated, timed_out=timed_out)


@asynccontextmanager
async def _started(
    confined: Confined, *, cwd: Path, env: Mapping[str, str], stdin: bytes, mark: str
) -> AsyncIterator[_Child]:
    with _readable(confined.grants) as grants, _readable(stdin or None) as source:
        try:
            _, child = await asyncio.get_running_loop().subprocess_exec(
                partial(_Child, mark, ends_all=grants is not None),
                *confined.argv(-1 if grants is None else grants),
                stdin=subprocess.DEVNULL if source is None else source,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=dict(env) | {_MARK: mark},
                start_new_session=True,
                pass_fds=() if grants is None else (grants,),
            )
        except FileNotFoundError as error:
            raise ToolProblem("There is no such program.") from error
        except (OSError, ValueError) as error:
            raise ToolProblem("The program can't be started.") from error
    try:
        yield child
    finally:
        await asyncio.shield(asyncio.ensure_future(child.stop()))


@contextmanager
def _readable(content: bytes | None) -> Iterator[int | None]:
    """A descriptor with a content, at its start; closed here once the child has its own."""
    if content is None:
        yield None
        return
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        file.seek(0)
        yield file.fileno()


class _Child(asyncio.SubprocessProtocol):
    """A child process and what it prints. asyncio's own `Process.wait` may wait for whoever holds the output.

    `ends_all`: it is the sandbox's launcher, which ends all that it started when it gets SIGUSR1.
    """

    def __init__(self, mark: str, *, ends_all: bool) -> None:
        self._mark, self._ends_all = mark.encode(), ends_all
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue()
        self._exited = asyncio.Event()
        self._transport: asyncio.SubprocessTransport
        self._ended = self._stopped = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Started."""
        self._transport = cast(asyncio.SubprocessTransport, transport)  # uvloop's is no subclass

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """It printed."""
        self._chunks.put_nowait(data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """Nobody holds its output any more."""
        self._chunks.put_nowait(b"")

    def process_exited(self) -> None:
        """It ended; its background children may live on and hold its output."""
        self._exited.set()
        asyncio.get_running_loop().call_later(_DRAIN_SECONDS, self._chunks.put_nowait, b"")

    @property
    def code(self) -> int:
        """Its exit code, or minus the signal that ended it."""
        code = self._transport.get_returncode()
        return -signal.SIGTERM if code is None else code

    async def next_chunk(self) -> bytes:
        """The next bytes, empty at the end."""
        if self._ended:
            return b""
        chunk = await self._chunks.get()
        if not chunk:
            self._ended = True
            await self._exited.wait()
        return chunk

    async def stop(self) -> None:
        """Kill what is left of it, its group, its descendants and what they left running; wait for it."""
        if not self._stopped:
            self._stopped = True
            if self._ends_all and not self._exited.is_set():
                with contextlib.suppress(ProcessLookupError, TimeoutError):
                    os.kill(self._transport.get_pid(), signal.SIGUSR1)
                    await asyncio.wait_for(self._exited.wait(), _LAUNCHER_SECONDS)
            self._kill()
        await self._exited.wait()
        self._transport.close()

    def _kill(self) -> None:
        pid = self._transport.get_pid()
        others = [] if self._exited.is_set() else _descendants(pid)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.name == "posix":
                os.killpg(pid, signal.SIGKILL)  # the transport's own kill would take its exit code from the watcher
            elif not self._exited.is_set():
                self._transport.kill()
        for _ in range(_ROUNDS):
            for each in others:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(each, signal.SIGKILL)
            others = [each for each in _marked(self._mark) if each != pid]
            if not others:
                return


class _Output:
    """What a process prints: told in pieces, and kept at its beginning and its end."""

    def __init__(self, limits: CommandLimits, on_output: Callable[[str], Awaitable[None]] | None) -> None:
        self._limits, self._on_output = limits, on_output
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._head, self._tail = "", ""
        self._bytes = 0
        self.truncated = False

    async def take(self, chunk: bytes, *, final: bool = False) -> bool:
        """Add bytes; False once there are too many."""
        self._bytes += len(chunk)
        text = self._decoder.decode(chunk, final).replace("\0", "\ufffd")
        half = self._limits.kept // 2
        shown = text[: max(half - len(self._head), 0)]
        self._head += shown
        self._tail += text[len(shown) :]
        if len(self._tail) > half:
            self.truncated = True
            self._tail = self._tail[-half:]
        if text and self._on_output is not None and not self.truncated:
            await self._on_output(text)
        return self._bytes <= self._limits.bytes

    def text(self) -> str:
        """All of it, or its beginning and its end."""
        if self.truncated:
            return f"{self._head}\n[... output left out ...]\n{self._tail}"
        return self._head + self._tail


def _descendants(pid: int) -> list[int]:
    """Children and their children, also those that left the group; empty where there is no `/proc`."""
    below: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = entry.read_text(errors="replace").rsplit(")", 1)[1].split()
            below.setdefault(int(fields[1]), []).append(int(entry.parent.name))
    found: list[int] = []
    pending = [pid]
    while pending:
        children = below.get(pending.pop(), [])
        found += children
        pending += children
    return found


def kill_marked(mark: str) -> None:
    """Kill what is left of a command whose server is gone, by the mark that it was started with."""
    for _ in range(_ROUNDS):
        left = _marked(f"{_MARK}={mark}".encode())
        if not left:
            return
        for each in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(each, signal.SIGKILL)


def _marked(mark: bytes) -> list[int]:
    """Processes that were started by a command, whoever their parent is by now."""
    found: list[int] = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError, ValueError):
            if mark in entry.read_bytes():
                found.append(int(entry.parent.name))
    return found
