"""Agents' notes: kept with their message, taken along by forks and rewinds, encrypted like all else."""

from __future__ import annotations

from pathlib import Path

import pytest

from kore_ls.model.secret import Secret
from tests.client import Client, connected, served

MARK = "a-signature-of-the-model"


@pytest.mark.parametrize("passphrase", [None, "a passphrase"])
async def test_a_note_goes_where_its_message_goes(state_home: Path, folder: Path, passphrase: str | None) -> None:
    from kore_ls.agents.agent import AnswerEnded, StepEnded
    from tests.scripted import Scripts

    agents = Scripts()
    application = served(state_home, agents)
    client: Client = await connected(application, folder, secret=Secret(passphrase=passphrase))
    session = await client.create()
    from kore_ls.model.turn import StopReason

    end = AnswerEnded(stop_reason=StopReason.END_TURN, note="the end")
    agents[session["id"]].do("one", StepEnded(note=MARK), "two", end)
    await client.call("kore/turn/start", {"sessionId": session["id"], "prompt": "go"})
    await client.event("turn.finished")
    turns = client.workspace.folders[0].manager.storage.turns
    messages = (await client.call("kore/message/list", {"sessionId": session["id"]}))["messages"]
    _, first, last = (each["id"] for each in messages)

    async def kept(session_id: str) -> dict[str, str]:
        found = await turns.notes(session_id)  # type: ignore[arg-type]
        return {name: content for name, content in found.items() if name in (first, last)}

    assert await kept(session["id"]) == {first: MARK, last: "the end"}
    fork = await client.call("kore/session/fork", {"sessionId": session["id"], "messageId": first})
    assert await kept(fork["id"]) == {first: MARK}
    rewound = await client.call("kore/session/rewind", {"sessionId": session["id"], "messageId": last})
    assert await kept(session["id"]) == {first: MARK}
    assert await kept(rewound["kept"]["id"]) == {first: MARK, last: "the end"}
    await client.call("kore/session/save")
    await application.close()
    on_disk = b"".join(path.read_bytes() for path in (folder / ".kore").iterdir() if path.is_file())
    assert (MARK.encode() in on_disk) is (passphrase is None)
