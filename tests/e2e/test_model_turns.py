"""The server that users start, with a model in the user's own configuration: loaded late, killed in mid-answer."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.raw_client import Message, Process, process
from tests.model_server import Call, ModelServer

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("model")]

COMMAND = (sys.executable, "-m", "kore_ls", "--stdio")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Where the user's configuration is."""
    made = tmp_path / "config" / "kore"
    made.mkdir(parents=True)
    return made / "config.toml"


@contextmanager
def server(tmp_path: Path, folder: Path) -> Iterator[Process]:
    env = {"XDG_STATE_HOME": str(tmp_path / "state"), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    with process(COMMAND, env=env) as made:
        kore = {"events": True, "trusted": True}
        made.initialize(rootUri=folder.as_uri(), initializationOptions={"kore": kore})
        yield made


def event(server: Process, type_: str) -> Message:
    return server.wait(lambda each: each.get("method") == "kore/event" and each["params"]["type"] == type_)


async def call(server: Process, method: str, params: Any) -> Any:
    return (await asyncio.to_thread(server.request, method, params))["result"]


def loaded(server: Process) -> bool:
    """Whether the process has loaded the library's compiled part."""
    return "pydantic_core" in Path(f"/proc/{server.pid}/maps").read_text()


async def test_a_turn_that_was_killed_goes_on_after_a_restart(tmp_path: Path, folder: Path, config: Path) -> None:
    (folder / "a.txt").write_text("the content")
    async with ModelServer() as model:
        config.write_text(f'[agent]\nbackend = "model"\nmodel = "qwen3:8b"\nbase_url = "{model.address}/v1"\n')
        with server(tmp_path, folder) as one:
            session = await call(one, "kore/session/create", {"name": "named"})
            where = {"sessionId": session["id"]}
            assert not sys.platform.startswith("linux") or not loaded(one)
            model.reply(calls=(Call("read_file", {"path": "a.txt"}),))
            model.reply("半句话", " and more", hold=True)
            await call(one, "kore/turn/start", where | {"prompt": "read it"})
            await asyncio.to_thread(event, one, "message.streaming")
            assert not sys.platform.startswith("linux") or loaded(one)
            await call(one, "kore/session/save", where)
            one.popen.kill()
            one.exit_code()
        with server(tmp_path, folder) as two:
            messages = (await call(two, "kore/message/list", where))["messages"]
            assert [each["content"] for each in messages] == ["read it", "", "半句话"]
            assert messages[-1]["state"] == "interrupted"
            model.reply("done")
            await call(two, "kore/turn/start", where | {"prompt": "go on"})
            await asyncio.to_thread(event, two, "turn.finished")
            assert (await call(two, "kore/session/get", where))["status"] == "idle"
        before, after = (each.body["messages"] for each in model.asked[1:3])
        assert after[: len(before)] == before
        assert [each["content"] for each in after[len(before) :]] == ["半句话", "go on"]
        assert "the content" in json.dumps(after)
