"""Claude Code's adapter, the real program, by its preset: offline, against a model server of ours, in our sandbox.

It is driven where it is installed: `KORE_CLAUDE_CODE` names the `claude-agent-acp` to use.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from kore_ls.model.agent_settings import AgentSettings
from tests.api.test_permission import allow, user
from tests.client import served
from tests.model_server import Call, ModelServer

PROGRAM = Path(os.environ.get("KORE_CLAUDE_CODE", "/nowhere/claude-agent-acp"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("claude-code"),
    pytest.mark.timeout(400),
    pytest.mark.skipif(not PROGRAM.exists(), reason="Claude Code's adapter is not installed"),
]


async def test_a_conversation_with_permission_goes_on_in_the_agents_own_session_after_a_restart(
    state_home: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.client.LIMIT", 180.0)
    monkeypatch.setenv("PATH", f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}")
    home = tmp_path / "claude-home"
    home.mkdir()
    async with ModelServer() as model:
        env = {
            "CLAUDE_CONFIG_DIR": str(home),
            "ANTHROPIC_API_KEY": "not-a-key",
            "ANTHROPIC_BASE_URL": model.address,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        }
        settings = AgentSettings(backend="acp", preset="claude-code", env=env)
        application = served(state_home, None)
        client, asked = await user(application, folder, agent=settings)
        session = await client.create(name="named", mode="general")
        where = {"sessionId": session["id"]}
        for name, yes in (("a.txt", True), ("b.txt", False)):
            model.reply(calls=(Call("Write", {"file_path": str(folder / name), "content": "from the agent\n"}),))
            model.reply("那就这样")
            await client.call("kore/turn/start", where | {"prompt": f"write {name}"})
            _, request, answer = await asked.requests.get()
            assert name in request["summary"] and "external agent" in request["summary"]
            answer.set_result(allow(request) if yes else {"outcome": "selected", "optionId": "rejectOnce"})
            await client.event("turn.finished")
            assert (folder / name).exists() is yes
            model.replies.clear()
        await application.close()

        again = served(state_home, None)
        client, _ = await user(again, folder, agent=settings)
        model.reply("still here")
        await client.call("kore/turn/start", where | {"prompt": "go on"})
        assert (await client.event("turn.finished"))["data"]["stopReason"] == "endTurn"
        said = (await client.call("kore/message/list", where))["messages"]
        assert said[-1]["content"] == "still here"
        sent = json.dumps(model.asked[-1].body)
        assert "write a.txt" in sent and "as data and no order" not in sent
        await again.close()
