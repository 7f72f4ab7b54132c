"""kill -9 at any moment: what was acknowledged is there, nothing is there by half, and work goes on."""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from attrs import Factory, define

from tests.e2e.raw_client import Message, Process, process
from tests.transcripts import real_transcript

COMMAND = (sys.executable, "-m", "kore_ls", "--stdio")
DOCUMENT = real_transcript(900, large=False)
CALLS = 60

Json = dict[str, Any]


@define
class Known:
    """What the server has acknowledged over all its lives."""

    messages: dict[str, dict[str, Message]] = Factory(dict)
    """By session, by id."""
    names: dict[str, str] = Factory(dict)
    active: str = ""


def _load(rng: random.Random, round_: int, session_id: str) -> list[tuple[str, Json]]:
    """What is asked of one life of the server: mostly messages, some updates, forks and imports."""
    calls: list[tuple[str, Json]] = []
    for n in range(CALLS):
        kind = rng.choices(("add", "rename", "fork", "import"), (80, 10, 5, 5))[0]
        where: Json = {"sessionId": session_id}
        if kind == "add":
            content = f"第 {n} 句 🙂" * rng.choice((1, 10, 2_000))
            id_ = f"m-{round_}-{n}"
            calls.append(("kore/message/add", where | {"id": id_, "role": "user", "content": content}))
        elif kind == "rename":
            calls.append(("kore/session/rename", where | {"name": f"name {round_} {n}"}))
        elif kind == "fork":
            calls.append(("kore/session/fork", where | {"name": f"fork {round_} {n}"}))
        else:
            document = DOCUMENT | {"id": f"import-{round_}-{n}"}
            calls.append(("kore/session/import", {"document": document}))
    return calls


def _life(server: Process, folder: Path, known: Known, rng: random.Random, round_: int) -> None:
    """Start, work, and be killed while at it; note what was acknowledged."""
    server.initialize(rootUri=folder.as_uri())
    session = server.request("kore/session/create", {"name": f"round {round_}"})["result"]
    known.active = session["id"]
    known.messages[session["id"]] = {}
    known.names[session["id"]] = session["name"]
    calls = [(server.call(method, params), method) for method, params in _load(rng, round_, session["id"])]
    server.send(*(call for call, _ in calls))
    server.reply(calls[rng.randrange(len(calls))][0]["id"])  # some way into the work
    time.sleep(rng.random() * 0.05)  # waits for nothing: it makes the point of the kill a random one
    server.popen.kill()
    server.exit_code()
    answered = {message.get("id"): message for message in server.end()}
    for call, method in calls:
        reply = answered.get(call["id"])
        if reply is None:
            continue
        assert "result" in reply, reply
        if method == "kore/message/add":
            known.messages[session["id"]][reply["result"]["id"]] = reply["result"]
        elif method == "kore/session/rename":
            known.names[session["id"]] = reply["result"]["name"]
        elif method == "kore/session/import":
            (imported,) = reply["result"]["sessions"]
            known.names[imported["id"]] = DOCUMENT["name"]
        else:
            known.names[reply["result"]["id"]] = reply["result"]["name"]


def _check(server: Process, folder: Path, known: Known) -> None:
    """Everything acknowledged is there; every import and fork is whole; the store is sound."""
    server.initialize(rootUri=folder.as_uri())

    def ask(method: str, params: Json) -> Any:
        reply = server.request(method, params)
        assert "result" in reply, reply
        return reply["result"]

    assert ask("kore/store/check", {}) == {"ok": True, "problems": []}
    assert ask("kore/session/current", {})["id"] == known.active
    sessions: dict[str, Json] = {}
    for archived in (False, True):
        cursor: Json = {}
        while True:
            page = ask("kore/session/list", {"limit": 200, "archived": archived} | cursor)
            sessions |= {session["id"]: session for session in page["sessions"]}
            if "nextCursor" not in page:
                break
            cursor = {"cursor": page["nextCursor"]}
    for session_id, name in known.names.items():
        assert session_id in sessions
        stored_name = sessions[session_id]["name"]  # a later rename may be stored and yet unanswered
        assert stored_name == name or _number(stored_name) > _number(name)
    for session_id, session in sessions.items():
        messages: list[Message] = []
        more = True
        while more:
            page = ask("kore/message/list", {"sessionId": session_id, "afterSeq": len(messages), "limit": 1000})
            messages += page["messages"]
            more = page["hasMore"]
        assert [message["seq"] for message in messages] == list(range(1, session["messageCount"] + 1))
        if session_id.startswith("import-"):
            assert len(messages) == len(DOCUMENT["messages"])
        stored = {message["id"]: message for message in messages}
        for id_, message in known.messages.get(session_id, {}).items():
            assert stored[id_] == message
        if "parentId" in session and not session.get("imported"):
            assert session["forkedAtSeq"] == len(messages)


def _number(name: str) -> int:
    """Which rename of its life gave a session this name."""
    return int(name.split()[-1]) if name.startswith("name ") else -1


def _rounds(folder: Path, state_home: Path, rounds: int) -> None:
    known, rng = Known(), random.Random(rounds)
    env = {"XDG_STATE_HOME": str(state_home.parent)}
    for round_ in range(rounds):
        with process(COMMAND, env=env) as server:
            _life(server, folder, known, rng, round_)
        if round_ % 5 == 4 or round_ == rounds - 1:
            with process(COMMAND, env=env) as server:
                _check(server, folder, known)


def test_two_kills_lose_nothing(folder: Path, state_home: Path) -> None:
    _rounds(folder, state_home, 2)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_fifty_kills_lose_nothing(folder: Path, state_home: Path) -> None:
    _rounds(folder, state_home, 50)
