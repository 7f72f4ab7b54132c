"""A real conversation through a real server: imported, paged, forked, exported, compared, byte for byte."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.raw_client import Message, Process, process
from tests.transcripts import ODDITIES, real_transcript

COMMAND = (sys.executable, "-m", "kore_ls", "--stdio")
COUNT = 420

Json = dict[str, Any]


def kore(server: Process, method: str, **params: Any) -> Any:
    reply = server.request(f"kore/{method}", params)
    assert "result" in reply, reply
    return reply["result"]


def without_time(document: Json) -> Json:
    return {key: value for key, value in document.items() if key != "exported_at"}


@pytest.fixture
def server(folder: Path, state_home: Path) -> Iterator[Process]:
    with process(COMMAND, env={"XDG_STATE_HOME": str(state_home.parent)}) as running:
        running.initialize(rootUri=folder.as_uri())
        yield running
        assert running.request("shutdown")["result"] is None
        running.notify("exit")
        assert running.exit_code() == 0
        assert running.log() == []


@pytest.fixture
def document() -> Json:
    return real_transcript(COUNT)


@pytest.fixture
def imported(server: Process, folder: Path, document: Json) -> Message:
    """The transcript, taken from a file that an editor on another system wrote."""
    (folder / "talk.json").write_bytes(json.dumps(document, ensure_ascii=False, indent=2).encode())
    (session,) = kore(server, "session/import", path="talk.json")["sessions"]
    assert isinstance(session, dict)
    return session


def walk(server: Process, session_id: str, *, forward: bool, limit: int) -> list[Message]:
    found: list[Message] = []
    while True:
        bound: Json = {"afterSeq": found[-1]["seq"] if found else 0}
        if not forward:
            bound = {"beforeSeq": found[0]["seq"]} if found else {}
        page = kore(server, "message/list", sessionId=session_id, limit=limit, **bound)
        found = [*found, *page["messages"]] if forward else [*page["messages"], *found]
        if not page["hasMore"]:
            return found


def test_it_is_listed_as_what_it_is(server: Process, imported: Message, document: Json) -> None:
    assert imported["name"] == document["name"]
    assert (imported["messageCount"], imported["imported"], imported["mode"]) == (COUNT, True, "general")
    assert (imported["status"], imported["pinned"], imported["archived"]) == ("paused", True, True)
    assert kore(server, "session/list", archived=True)["sessions"] == [imported]


@pytest.mark.parametrize("limit", [37, 1000])
def test_it_is_paged_both_ways_without_a_gap_and_unchanged(
    server: Process, imported: Message, document: Json, limit: int
) -> None:
    forward = walk(server, imported["id"], forward=True, limit=limit)
    assert walk(server, imported["id"], forward=False, limit=limit) == forward
    assert [message["seq"] for message in forward] == list(range(1, COUNT + 1))
    for message, entry in zip(forward, document["messages"], strict=True):
        assert message["content"].encode() == entry["content"].encode()
        assert (message["id"], message["role"], message["timestamp"]) == (
            entry["id"],
            entry["role"],
            entry["timestamp"],
        )
        assert message["metadata"] == entry["metadata"]
        assert message.get("thinking") == entry.get("thinking")
        assert [c["arguments"] for c in message.get("toolCalls", [])] == [
            c["arguments"] for c in entry.get("tool_calls", [])
        ]


def test_it_is_exported_as_it_came_in_a_message_and_in_a_file(
    server: Process, imported: Message, folder: Path, document: Json
) -> None:
    inline = kore(server, "session/export", sessionId=imported["id"])["document"]
    assert without_time(inline) == without_time(document)
    answer = kore(server, "session/export", sessionId=imported["id"], path="out.json")
    written = (folder / "out.json").read_bytes()
    assert (answer["bytes"], answer["messages"]) == (len(written), COUNT)
    assert without_time(json.loads(written)) == without_time(document)
    assert b"\\u4f1a" not in written


def test_it_comes_through_a_fresh_folder_unchanged(
    server: Process, imported: Message, tmp_path: Path, document: Json
) -> None:
    fresh = tmp_path / "新的 文件夹"
    fresh.mkdir()
    event = {"added": [{"uri": fresh.as_uri(), "name": "fresh"}], "removed": []}
    server.notify("workspace/didChangeWorkspaceFolders", {"event": event})
    origin = imported["folder"]
    inline = kore(server, "session/export", sessionId=imported["id"], folder=origin)["document"]
    kore(server, "session/import", document=inline, folder=fresh.as_uri())
    again = kore(server, "session/export", sessionId=imported["id"], folder=fresh.as_uri())["document"]
    assert without_time(again) == without_time(document)


@pytest.mark.parametrize("upto", [1, 21, 51, COUNT])
def test_it_is_forked_anywhere_and_stays_as_it_was(
    server: Process, imported: Message, document: Json, upto: int
) -> None:
    last = document["messages"][upto - 1]["id"]
    fork = kore(server, "session/fork", sessionId=imported["id"], messageId=last)
    assert (fork["parentId"], fork["forkedAtSeq"], fork["messageCount"]) == (imported["id"], upto, upto)
    exported = kore(server, "session/export", sessionId=fork["id"])["document"]
    expected = [entry | {"session_id": fork["id"]} for entry in document["messages"][:upto]]
    assert exported["messages"] == expected
    assert without_time(kore(server, "session/export", sessionId=imported["id"])["document"]) == without_time(document)


def test_every_oddity_comes_back_as_it_was_sent(server: Process) -> None:
    session = kore(server, "session/create", name="oddities")
    texts = [*ODDITIES, "一" * (1 << 20), "\r\n" * 1_000, "🙂" * 10_000]
    calls = [
        server.call("kore/message/add", {"sessionId": session["id"], "role": "user", "content": text}) for text in texts
    ]
    server.send(*calls)
    for call, text in zip(calls, texts, strict=True):
        assert server.reply(call["id"])["result"]["content"].encode() == text.encode()
    stored = walk(server, session["id"], forward=True, limit=1000)
    assert [message["content"] for message in stored] == texts


def test_a_document_full_of_json_rpc_is_only_a_document(server: Process) -> None:
    talk = real_transcript(60, session_id="rpc", large=False)
    talk["metadata"] = {"jsonrpc": "2.0", "id": 1, "method": "exit", "params": {"jsonrpc": "2.0", "result": None}}
    talk["jsonrpc"] = "2.0"
    talk["messages"][0]["content"] = json.dumps({"jsonrpc": "2.0", "method": "shutdown", "id": 9})
    (session,) = kore(server, "session/import", document=talk)["sessions"]
    assert session["metadata"]["jsonrpc"] == "2.0"
    assert without_time(kore(server, "session/export", sessionId="rpc")["document"]) == without_time(talk)


CANARY = "CaNaRy-51c2"


def test_nothing_that_was_written_is_ever_in_the_log(server: Process, folder: Path) -> None:
    """Standard error stays empty; the fixture looks."""
    session = kore(server, "session/create", name=CANARY, metadata={CANARY: CANARY})
    where = {"sessionId": session["id"]}
    for method, params in (
        ("session/rename", where | {"name": f"{CANARY}\0"}),
        ("session/create", {"mode": CANARY, "tags": [f"\0{CANARY}"], "metadata": CANARY}),
        ("session/import", {"document": {"format": CANARY, CANARY: CANARY}}),
        ("session/import", {"path": f"/{CANARY}"}),
        ("session/export", where | {"path": f"{CANARY}/{CANARY}"}),
        ("message/add", where | {"role": CANARY, "content": f"\ud800{CANARY}"}),
        ("store/backup", {"path": f"{CANARY}/x"}),
        (f"nope/{CANARY}", {CANARY: CANARY}),
    ):
        body = json.dumps(server.call(f"kore/{method}", params, id_=method)).encode()
        server.send(body)
        assert CANARY not in json.dumps(server.reply(method)["error"])
