"""Sessions answered by another program over the Agent Client Protocol: a real process under our gate and sandbox."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from kore_ls.agents.sandbox.kinds import NO_SANDBOX, SandboxKind
from kore_ls.agents.sandbox.probe import probe
from kore_ls.api.application import Application
from kore_ls.model.agent_settings import AgentSettings
from tests.agents.means import sandbox_of
from tests.api.test_permission import Asked, allow, user
from tests.client import Client, Json, served

pytestmark = pytest.mark.xdist_group("acp")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where the agent keeps what is its own."""
    path = tmp_path / "agent-home"
    path.mkdir()
    return path


@pytest.fixture
def settings(home: Path) -> AgentSettings:
    return AgentSettings(
        backend="acp",
        command=sys.executable,
        args=(str(ROOT / "tests" / "acp_agent.py"),),
        env={"AGENT_HOME": str(home)},
    )


@pytest.fixture
async def application(state_home: Path) -> AsyncIterator[Application]:
    made = served(state_home, None)
    yield made
    await made.close()


def seen(home: Path, key: str) -> list[Any]:
    """What the agent noted under this key."""
    notes = [json.loads(line) for line in (home / "seen.jsonl").read_text().splitlines()]
    return [note[key] for note in notes if key in note]


async def ask(client: Client, session: Json, prompt: str) -> Json:
    await client.call("kore/turn/start", {"sessionId": session["id"], "prompt": prompt})
    data: Json = (await client.event("turn.finished"))["data"]
    return data


async def messages(client: Client, session: Json) -> list[Json]:
    found: list[Json] = (await client.call("kore/message/list", {"sessionId": session["id"]}))["messages"]
    return found


async def started(
    application: Application, folder: Path, settings: AgentSettings, mode: str
) -> tuple[Client, Asked, Json]:
    client, asked = await user(application, folder, agent=settings)
    return client, asked, await client.create(name="named", mode=mode)


async def test_what_the_agent_says_thinks_and_plans_is_stored_and_it_sees_a_short_environment(
    application: Application, folder: Path, settings: AgentSettings, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KORE_PASSPHRASE", "secret")
    monkeypatch.setenv("SOME_TOKEN", "secret")
    client, _, session = await started(application, folder, settings, "build")
    end = await ask(client, session, "THINK 先想\nPLAN 一,二\nSAY 你好\nSAY ，世界")
    assert end["stopReason"] == "endTurn"
    step, answer = (await messages(client, session))[1:]
    assert (step["thinking"], step["toolCalls"][0]["result"]["text"]) == ("先想", "[ ] 一\n[ ] 二")
    assert answer["content"] == "你好，世界"
    assert (await client.get(session["id"]))["usage"] == {"inputTokens": 10, "outputTokens": 5}
    (names,) = seen(home, "env")
    assert "PATH" in names and not {"KORE_PASSPHRASE", "SOME_TOKEN"} & set(names)


@pytest.mark.parametrize("yes", [pytest.param(True, marks=pytest.mark.slow), False])
async def test_permission_is_the_users_to_give_and_is_asked_in_our_words(
    application: Application, folder: Path, settings: AgentSettings, home: Path, yes: bool
) -> None:
    client, asked, session = await started(application, folder, settings, "general")
    await client.call("kore/turn/start", {"sessionId": session["id"], "prompt": "EDIT a.txt\nSAY done"})
    _, request, answer = await asked.requests.get()
    assert "a.txt" in request["summary"] and "external agent" in request["summary"]
    assert "+asked" in request["diff"]
    reject = {"outcome": "selected", "optionId": "rejectOnce"}
    answer.set_result(allow(request) if yes else reject)
    await client.event("turn.finished")
    assert (folder / "a.txt").exists() is yes
    assert seen(home, "answer") == ["yes" if yes else "no"]
    assert (await messages(client, session))[1]["toolCalls"][0]["status"] == ("completed" if yes else "denied")
    (decision,) = (await client.call("kore/permission/log", {"sessionId": session["id"]}))["decisions"]
    assert decision["outcome"] == ("allowOnce" if yes else "rejectOnce")


@pytest.mark.skipif(probe().kind is SandboxKind.NONE, reason="nothing here confines a process")
async def test_in_plan_mode_nothing_is_changed_whatever_the_agent_claims_or_does(
    application: Application,
    folder: Path,
    settings: AgentSettings,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (folder / "opencode.json").write_text('{"permission": {"edit": "allow", "bash": "allow"}}')
    (folder / "jdk").mkdir()
    (tmp_path / "tools").mkdir()
    monkeypatch.setenv("JAVA_HOME", str(folder / "jdk"))
    monkeypatch.setenv("NVM_DIR", str(tmp_path / "tools"))
    settings = evolve(settings, env={**settings.env, "MY_DIR": str(folder / "jdk"), "OUR_DIR": str(tmp_path)})
    before = sorted(folder.rglob("*"))
    client, _, session = await started(application, folder, settings, "plan")
    tries = f"SILENT jdk/f.txt\nSILENT {tmp_path}/tools/g.txt\n"
    await ask(client, session, f"{tries}EDIT a.txt\nEDIT b.txt!\nSILENT c.txt\nWRITE d.txt\nRUN touch e.txt")
    assert list((tmp_path / "tools").iterdir()) == []
    assert [each for each in sorted(folder.rglob("*")) if ".kore" not in each.parts] == before
    assert seen(home, "answer") == ["no", "no"] and seen(home, "mode") == ["plan"]
    said = (await messages(client, session))[-1]["content"]
    assert "could not" in json.dumps(await messages(client, session)) and "written" not in said.replace(
        "not written", ""
    )

    await client.call("kore/session/update", {"sessionId": session["id"], "mode": "build"})
    await ask(client, session, "SILENT c.txt")
    assert (folder / "c.txt").read_text() == "silently"
    assert len(seen(home, "started")) == 2 and seen(home, "loaded") == ["s0"]


@pytest.mark.slow
async def test_files_and_commands_go_through_our_tools(
    application: Application, folder: Path, settings: AgentSettings
) -> None:
    (folder / "long.txt").write_text("".join(f"line {number} 行\n" for number in range(12_000)))
    (folder / ".env").write_text("SECRET=1")
    client, asked, session = await started(application, folder, settings, "build")
    await client.call(
        "kore/turn/start",
        {
            "sessionId": session["id"],
            "prompt": "READ none\nREAD long.txt\nWRITE a.txt\nRUN echo 你好\nWRITE .env\nSAY end",
        },
    )
    _, request, answer = await asked.requests.get()
    assert ".env" in request["summary"]
    answer.set_result({"outcome": "selected", "optionId": "rejectOnce"})
    end = (await client.event("turn.finished"))["data"]
    said = "".join(each["content"] for each in (await messages(client, session))[1:])
    assert said.startswith("error -32002; ")
    assert f"read {len((folder / 'long.txt').read_text())}" in said
    assert "exit 0: 你好" in said and said.endswith("not writtenend")
    assert (folder / "a.txt").read_text() == "新的" and end["changedFiles"] == ["a.txt"]
    assert (folder / ".env").read_text() == "SECRET=1"


@pytest.mark.slow
async def test_after_a_restart_the_agents_own_session_is_loaded_and_nothing_is_told_twice(
    state_home: Path, folder: Path, settings: AgentSettings, home: Path
) -> None:
    one = served(state_home, None)
    client, _, session = await started(one, folder, settings, "build")
    await ask(client, session, "SAY one")
    await ask(client, session, "SAY two")
    await one.close()
    two = served(state_home, None)
    client, _ = await user(two, folder, agent=settings)
    await ask(client, session, "SAY three")
    assert seen(home, "loaded") == ["s0"] and seen(home, "prompt") == ["SAY one", "SAY two", "SAY three"]
    assert [each["content"] for each in await messages(client, session)][1::2] == ["one", "two", "three"]
    await client.add(session["id"], "a note of the user")
    await ask(client, session, "SAY four")
    assert "a note of the user" in seen(home, "prompt")[-1] and "SAY three" not in seen(home, "prompt")[-1]
    await two.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("can", "lost", "tried", "told"),
    [
        ("resume load", "", [{"resumed": "s0"}], False),
        ("resume load", "resume", [{"lost": "resume"}, {"loaded": "s0"}], False),
        ("resume load", "resume load", [{"lost": "resume"}, {"lost": "load"}], True),
        ("", "", [], True),
    ],
)
async def test_after_a_restart_an_agent_resumes_else_loads_else_is_told_what_was_said(
    state_home: Path,
    folder: Path,
    settings: AgentSettings,
    home: Path,
    can: str,
    lost: str,
    tried: list[Json],
    told: bool,
) -> None:
    able = evolve(settings, env={**settings.env, "AGENT_CAN": can, "AGENT_LOST": lost})
    for prompt in ("SAY 一", "SAY two"):
        application = served(state_home, None)
        client, _ = await user(application, folder, agent=able)
        session = await client.call("kore/session/current", {"create": True})
        assert (await ask(client, session, prompt))["stopReason"] == "endTurn"
        answers = [each["content"] for each in await messages(client, session)][1::2]
        await application.close()
    assert answers == ["一", "two"]
    notes = [json.loads(line) for line in (home / "seen.jsonl").read_text().splitlines()]
    assert [note for note in notes if note.keys() & {"resumed", "loaded", "lost"}] == tried
    first, second = seen(home, "prompt")
    assert first == "SAY 一" and second.endswith("SAY two")
    assert ('{"user": "SAY 一"}\n{"assistant": "一"}' in second) is told and (second == "SAY two") is not told
    assert len(list(home.glob("s*.json"))) == (2 if told else 1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [SandboxKind.BUBBLEWRAP, SandboxKind.LANDLOCK, SandboxKind.NONE])
async def test_the_agent_works_in_each_sandbox_and_in_none_and_what_confines_it_hides_our_store(
    application: Application,
    folder: Path,
    settings: AgentSettings,
    home: Path,
    kind: SandboxKind,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = NO_SANDBOX if kind is SandboxKind.NONE else sandbox_of(kind)
    monkeypatch.setattr("kore_ls.sessions.folder.sandbox", lambda: found)
    (folder / "src").mkdir()
    (folder / "here.txt").write_text("12345")
    client, asked, session = await started(application, folder, settings, "build")
    where = {"sessionId": session["id"]}
    await client.call("kore/turn/start", where | {"prompt": "LOOK here.txt\nLOOK .kore/sessions.db\nEDIT src/a.txt"})
    if kind is SandboxKind.NONE:  # nothing confines what it would do: each request is the user's to allow
        _, request, answer = await asked.requests.get()
        answer.set_result(allow(request))
    assert (await client.event("turn.finished"))["data"]["stopReason"] == "endTurn"
    said = "".join(each["content"] for each in (await messages(client, session))[1:])
    assert said.startswith("looked: 5; ") and ("hidden: " in said) is (kind is not SandboxKind.NONE)
    assert (folder / "src" / "a.txt").read_text() == "asked\n"

    await client.call("kore/session/update", where | {"mode": "plan"})
    client.heard.clear()
    await ask(client, session, "SILENT src/b.txt\nEDIT src/c.txt\nWRITE src/d.txt\nRUN touch src/e.txt")
    made = {path.name for path in (folder / "src").iterdir()}
    assert made == ({"a.txt", "b.txt"} if kind is SandboxKind.NONE else {"a.txt"})


@pytest.mark.slow
async def test_a_cancel_stops_it_and_an_open_question_is_answered(
    application: Application, folder: Path, settings: AgentSettings, home: Path
) -> None:
    client, asked, session = await started(application, folder, settings, "general")
    where = {"sessionId": session["id"]}
    await client.call("kore/turn/start", where | {"prompt": "HANG"})
    await client.event("message.streaming")
    assert (await client.call("kore/turn/cancel", where))["cancelled"]
    await client.call("kore/turn/start", where | {"prompt": "EDIT a.txt"})
    await asked.requests.get()
    await client.call("kore/turn/cancel", where)
    client.heard.clear()
    await ask(client, session, "SAY on")
    assert seen(home, "answer") == ["cancelled"]
    assert (await messages(client, session))[-1]["content"] == "on"
    assert len(seen(home, "started")) == 1
    assert not (folder / "a.txt").exists()


@pytest.mark.slow
async def test_an_agent_that_does_not_stop_is_ended_and_the_next_prompt_starts_it_again(
    application: Application, folder: Path, settings: AgentSettings, home: Path
) -> None:
    client, _, session = await started(application, folder, settings, "build")
    await client.call("kore/turn/start", {"sessionId": session["id"], "prompt": "DEAF"})
    await client.event("message.streaming")
    await client.call("kore/turn/cancel", {"sessionId": session["id"]})
    client.heard.clear()
    await ask(client, session, "SAY again")
    assert len(seen(home, "started")) == 2
    assert (await messages(client, session))[-1]["content"] == "again"


@pytest.mark.slow
async def test_an_agent_that_dies_is_a_failed_turn_with_its_last_words_in_the_log(
    application: Application, folder: Path, settings: AgentSettings, caplog: pytest.LogCaptureFixture
) -> None:
    client, _, session = await started(application, folder, settings, "build")
    await client.call("kore/turn/start", {"sessionId": session["id"], "prompt": "SAY half\nDIE 再见"})
    error = (await client.event("agent.error"))["data"]["error"]
    assert error["kind"] == "agentFailed" and "ended unexpectedly" in error["message"]
    assert "my last words: 再见" in caplog.text
    assert (await messages(client, session))[-1]["content"] == "half"
    client.heard.clear()
    await ask(client, session, "SAY again")


@pytest.mark.slow
async def test_no_process_outlives_its_session(
    application: Application, folder: Path, settings: AgentSettings, home: Path
) -> None:
    client, _, session = await started(application, folder, settings, "build")
    await ask(client, session, "SAY one")
    await client.call("kore/session/close", {"sessionId": session["id"]})
    marks = [entry for entry in Path("/proc").glob("[0-9]*/environ") if _has(entry, f"AGENT_HOME={home}")]
    assert marks == []


def _has(entry: Path, text: str) -> bool:
    try:
        return os.fsencode(text) in entry.read_bytes()
    except OSError:
        return False


async def test_in_a_folder_that_is_not_trusted_nothing_is_started(
    application: Application, folder: Path, settings: AgentSettings, home: Path
) -> None:
    client, _ = await user(application, folder, agent=settings, trusted=False)
    session = await client.create(name="named", mode="build")
    await client.call("kore/turn/start", {"sessionId": session["id"], "prompt": "SAY x"})
    error = (await client.event("agent.error"))["data"]["error"]
    assert error["kind"] == "agentUnavailable" and "not trusted" in error["message"]
    assert list(home.iterdir()) == []


async def test_programs_that_the_folder_brought_along_are_not_started(
    application: Application, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = folder / "codex-acp"
    program.write_text("#!/bin/sh\ntouch ran\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    client, _ = await user(application, folder, agent=AgentSettings(backend="acp", preset="codex"))
    session = await client.create(name="named")
    await client.call("kore/turn/start", {"sessionId": session["id"], "prompt": "x"})
    assert (await client.event("agent.error"))["data"]["error"]["kind"] == "agentUnavailable"
    assert not (folder / "ran").exists()


async def test_a_missing_extra_names_the_command_that_installs_it(
    application: Application, folder: Path, settings: AgentSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kore_ls.agents.acp.agent.LIBRARY", "no_such_library")
    client, _, session = await started(application, folder, settings, "build")
    await client.call("kore/turn/start", {"sessionId": session["id"], "prompt": "x"})
    error = (await client.event("agent.error"))["data"]["error"]
    assert error["kind"] == "agentUnavailable" and "pip install 'kore-ls[acp]'" in error["message"]
    (default, *_) = (await client.call("kore/agent/list"))["backends"]
    assert (default["backend"], default["available"], default["default"]) == ("acp", False, True)
