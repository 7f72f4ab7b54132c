"""An external agent's process: confined where that is possible, in a group of its own, gone when it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from asyncio.subprocess import SubprocessStreamProtocol
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from attrs import frozen

from kore_ls.agents.acp.presets import Program
from kore_ls.agents.agent import Workplace
from kore_ls.agents.environment import child_environment
from kore_ls.agents.keys import ProviderKeys
from kore_ls.agents.protected_files import find_protected
from kore_ls.agents.sandbox.confine import can_confine, confine
from kore_ls.agents.sandbox.kinds import SandboxKind
from kore_ls.agents.sandbox.profile import SYSTEM, agent_profile
from kore_ls.errors import AgentFailed
from kore_ls.model.agent_settings import AgentSettings

LINE_BYTES = 1 << 26
_TAIL_LINES = 40
_STOP_S = 1.0


@frozen(kw_only=True)
class Start:
    """Everything that a child is started with; another one needs another child. `confined`: the gate may rely on it."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    writable: bool
    confined: bool


def environment(
    program: Program, settings: AgentSettings, keys: ProviderKeys, environ: Mapping[str, str], folder: Path
) -> dict[str, str]:
    """What the child sees: a short list, its preset's variables, what the user set for it. Never `KORE_*`."""
    env = child_environment(environ, folder=folder, network=True)
    env |= {name: environ[name] for name in program.preset.variables if name in environ}
    key = None if program.preset.provider is None else keys.of(program.preset.provider)
    if key is not None:
        env[program.preset.variables[0]] = key
    mine = settings.backend == "acp" and program.name in (settings.preset, settings.command)
    env |= {name: value for name, value in (settings.env if mine else {}).items() if not name.startswith("KORE_")}
    return env


class Child:
    """A started agent: its pipes, and what it last wrote to its standard error."""

    def __init__(self, process: asyncio.subprocess.Process, transport: asyncio.SubprocessTransport) -> None:
        self._process, self._transport = process, transport
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._listening = asyncio.create_task(self._listen(), name="kore-agent-stderr")

    @property
    def pipes(self) -> tuple[asyncio.StreamWriter, asyncio.StreamReader]:
        """To its standard input, from its standard output."""
        assert self._process.stdin is not None and self._process.stdout is not None
        return self._process.stdin, self._process.stdout

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.returncode is None

    async def ended(self, within: float) -> bool:
        """Whether it ends in that time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._process.wait()
        return not self.alive

    async def last_words(self) -> list[str]:
        """The end of its standard error."""
        await asyncio.wait([self._listening], timeout=_STOP_S)
        return list(self._tail)

    async def _listen(self) -> None:
        stream = self._process.stderr
        assert stream is not None
        while True:
            try:
                line = await stream.readline()
            except ValueError:  # a line without an end
                continue
            if not line:
                return
            self._tail.append(line.decode(errors="replace").rstrip()[:500])

    async def stop(self) -> None:
        """End it with all its group: first asked, then forced."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.alive:
                self._signal(number)
                await self.ended(_STOP_S)
        self._signal(signal.SIGKILL)  # what it left in its group
        self._transport.close()  # asyncio waits for whoever else holds its pipes, and that may be for hours
        await asyncio.wait([self._listening])

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.name == "posix":
                os.killpg(self._process.pid, number)
            elif self.alive:
                self._process.kill()


async def prepared(program: Program, env: Mapping[str, str], place: Workplace, *, writable: bool) -> Start:
    """How to start it here."""
    protected = await asyncio.to_thread(find_protected, place.folder, internal=place.internal)
    whole = can_confine(place.sandbox.kind, protected)
    confined = place.sandbox.kind is not SandboxKind.NONE and (whole or not writable)
    return Start(argv=program.argv, env=env, writable=writable, confined=confined)


async def start(program: Program, given: Start, place: Workplace) -> Child:
    """Start it. Raises AgentFailed."""
    protected = await asyncio.to_thread(find_protected, place.folder, internal=place.internal)
    profile = agent_profile(
        place.folder,
        protected,
        writable=given.writable,
        own=[path for path in _own(program, given.env, place.folder) if path.exists()],
        programs=_programs(given),
    )
    confined = confine(place.sandbox, list(given.argv), profile, place.folder)
    with tempfile.TemporaryFile() as grants:
        if confined.grants is not None:
            grants.write(confined.grants)
            grants.flush()
            grants.seek(0)
        try:
            loop = asyncio.get_running_loop()
            transport, protocol = await loop.subprocess_exec(
                lambda: SubprocessStreamProtocol(limit=LINE_BYTES, loop=loop),
                *confined.argv(grants.fileno()),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd=place.folder,
                env=dict(given.env),
                start_new_session=True,
                pass_fds=() if confined.grants is None else (grants.fileno(),),
            )
        except (OSError, ValueError) as error:
            raise AgentFailed("the agent's program can't be started", reason="start") from error
    return Child(asyncio.subprocess.Process(transport, protocol, loop), transport)


def _own(program: Program, env: Mapping[str, str], folder: Path) -> Iterable[Path]:
    """The agent's own places: those of its preset, and directories that its own variables name.

    Of the latter never toolchains, which others run, nor what lies in the folder or around it.
    """
    home = Path(os.path.realpath(Path.home()))
    for name in program.preset.own:
        yield home / name
    general = child_environment(env, folder=folder, network=True)
    for name, value in env.items():
        if name.endswith(("_HOME", "_DIR")) and name not in general and Path(value).is_absolute():
            path = Path(os.path.realpath(value))
            if path not in (home, *home.parents) and not _overlap(path, folder):
                yield path


def _overlap(path: Path, folder: Path) -> bool:
    return path.is_relative_to(folder) or folder.is_relative_to(path)


def _programs(given: Start) -> Iterable[Path]:
    """Where the program, and the interpreter that such programs need, are installed."""
    search = given.env.get("PATH", os.defpath)
    for each in (given.argv[0], shutil.which("node", path=search), *_files(given.argv[1:])):
        if each is not None:
            for path in (Path(each), Path(os.path.realpath(each))):
                yield _installed(path)


def _files(words: Sequence[str]) -> Iterable[str]:
    return (word for word in words if Path(word).is_absolute() and Path(word).is_file())


def _installed(path: Path) -> Path:
    parts = path.parts
    if "node_modules" in parts:
        return Path(*parts[: parts.index("node_modules") + 1])
    parent = path.parent
    above = parent.parent
    whole = parent.name in ("bin", "sbin", "Scripts") and len(above.parts) > 2 and above != Path.home()
    return above if whole and not any(str(above) == each for each in SYSTEM) else parent
