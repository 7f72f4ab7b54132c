"""Commands as their users run them: in this process where that is enough, as processes where it matters."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from kore_ls.cli.caller import LocalFolder, local_folder
from kore_ls.cli.main import run

LIMIT = 60.0
"""Seconds; long, because it only matters where a test fails."""
KORE = (sys.executable, "-m", "kore_ls")
HOSTILE = "\x1b]0;owned\x07\x1b[31m\u202eevil\u2066\x9b2J[bold]"
"""A name that would retitle the terminal, colour it, reorder its line and clear it, if it were obeyed."""
OBEYED = ("\x1b]", "\x1b[31m", "\u202e", "\u2066", "\x9b", "\x07")


@frozen
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)


class Kore:
    """Runs `kore-ls` in this process."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def __call__(self, *arguments: object) -> Outcome:
        self._capture.readouterr()
        code = run([str(each) for each in arguments])
        said = self._capture.readouterr()
        assert "Traceback" not in said.err
        return Outcome(code, said.out, said.err)


def process(*arguments: object, stdin: bytes | str = b"", **options: Any) -> Outcome:
    """Run `kore-ls` as a process with this input."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    command = [*KORE, *map(str, arguments)]
    done = subprocess.run(command, input=data, capture_output=True, timeout=LIMIT, check=False, **options)
    outcome = Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in outcome.err
    return outcome


def calls(folder: Path, *requests: tuple[str, dict[str, Any]]) -> list[Any]:
    """The results of methods called on a folder, one after the other."""

    async def work() -> list[Any]:
        async with local_folder(folder) as local:
            return [await local.call(method, **params) for method, params in requests]

    return asyncio.run(work())


async def added(local: LocalFolder, name: str, *contents: str) -> dict[str, Any]:
    """A new session with these messages of the user's."""
    session = await local.call("kore/session/create", name=name)
    for content in contents:
        await local.call("kore/message/add", sessionId=session["id"], role="user", content=content)
    found: dict[str, Any] = await local.call("kore/session/get", sessionId=session["id"])
    return found


def made(folder: Path, name: str, *contents: str) -> dict[str, Any]:
    """A new session with these messages, made by a process that is gone by now."""

    async def work() -> dict[str, Any]:
        async with local_folder(folder) as local:
            return await added(local, name, *contents)

    return asyncio.run(work())


def transcripts(folder: Path) -> dict[str, list[str]]:
    """What users said in all sessions, by the session's name."""

    async def work() -> dict[str, list[str]]:
        async with local_folder(folder) as local:
            found = {}
            for session in (await local.call("kore/session/list"))["sessions"]:
                page = await local.call("kore/message/list", sessionId=session["id"])
                said = [message["content"] for message in page["messages"] if message["role"] == "user"]
                found[session["name"]] = said
            return found

    return asyncio.run(work())
