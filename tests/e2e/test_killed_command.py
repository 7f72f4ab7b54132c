"""A real server is killed while one of its commands runs: what the command left takes no effect for good."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.raw_client import Process, process
from tests.e2e.test_turns import event, kore

COMMAND = (sys.executable, "-m", "kore_ls", "--stdio")


@pytest.fixture(autouse=True)
def where_state_is(state_home: Path) -> None:
    """Servers find it by the environment that they inherit."""
    assert os.environ["XDG_STATE_HOME"] == str(state_home.parent)


@contextlib.contextmanager
def served(folder: Path) -> Iterator[Process]:
    with process(COMMAND) as server:
        options = {"kore": {"events": True, "permissions": True, "trusted": True}}
        server.initialize(rootUri=folder.as_uri(), initializationOptions=options)
        yield server


def test_what_a_command_made_is_put_aside_when_the_folder_is_next_opened(folder: Path) -> None:
    line = "mkdir .vscode; echo x > .vscode/settings.json; echo x > .envrc; echo x > plain; echo ready; exec sleep 600"
    with served(folder) as server:
        session = kore(server, "session/create", mode="build")["id"]
        kore(server, "turn/start", sessionId=session, prompt=f"/run sh -c '{line}'")
        while True:
            asked = server.wait(
                lambda message: (
                    message.get("method") == "kore/permission/request"
                    or message.get("params", {}).get("type") == "tool.output"
                )
            )
            if asked["method"] == "kore/event":
                break
            server.answer(asked, {"outcome": "selected", "optionId": "allowOnce"})  # where there is no sandbox
        server.popen.send_signal(signal.SIGKILL)
        server.exit_code()
    with served(folder) as server:
        other = kore(server, "session/create", mode="build")["id"]
        kore(server, "turn/start", sessionId=other, prompt="/ls")
        event(server, "turn.finished")
        *_, told = kore(server, "message/list", sessionId=session)["messages"]
        assert (told["role"], told["content"].splitlines()[1].split(": ")[1]) == ("system", ".envrc, .vscode")
        left = sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if ".kore" not in each.parts)
        assert left == [".envrc.put-aside", ".vscode.put-aside", ".vscode.put-aside/settings.json", "plain"]
