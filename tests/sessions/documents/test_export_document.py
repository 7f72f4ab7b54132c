from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from kore_ls.model.ids import MessageId, SessionId
from kore_ls.model.message import Message, Role, ToolCall, ToolKind, ToolStatus
from kore_ls.model.mode import AgentMode
from kore_ls.model.session import SessionRecord, Usage
from kore_ls.sessions.documents.export_document import document_of, message_entry
from kore_ls.sessions.documents.export_form import pieces
from kore_ls.sessions.documents.import_document import parse
from tests.transcripts import real_transcript


def record(**changes: Any) -> SessionRecord:
    values: dict[str, Any] = {
        "id": "s1",
        "name": "名字",
        "agent_mode": AgentMode.PLAN,
        "created_at": 1,
        "updated_at": 2,
    }
    return SessionRecord(**(values | changes))


def message(seq: int = 1, **changes: Any) -> Message:
    values: dict[str, Any] = {
        "id": f"m{seq}",
        "session_id": "s1",
        "seq": seq,
        "role": Role.USER,
        "content": "hi",
        "timestamp": 5,
    }
    return Message(**(values | changes))


async def batches_of(*batches: Sequence[Message]) -> AsyncIterator[Sequence[Message]]:
    for batch in batches:
        yield batch


async def text_of(session: SessionRecord, *batches: Sequence[Message]) -> bytes:
    return b"".join([piece async for piece in pieces("json", session, batches_of(*batches), lambda: 99)])


def test_a_plain_session_has_only_the_keys_that_have_a_value() -> None:
    assert document_of(record(), [message()], exported_at=99) == {
        "format": "kore-session",
        "version": 1,
        "exported_at": 99,
        "id": "s1",
        "name": "名字",
        "agent_mode": "plan",
        "status": "idle",
        "created_at": 1,
        "updated_at": 2,
        "metadata": {},
        "tags": [],
        "messages": [
            {"id": "m1", "session_id": "s1", "role": "user", "content": "hi", "timestamp": 5, "metadata": {}},
        ],
    }


def test_everything_a_session_can_have_is_exported_under_its_snake_case_name() -> None:
    session = record(
        tags=("a",),
        description="d",
        pinned=True,
        archived=True,
        parent_id=SessionId("p"),
        forked_at_seq=0,
        usage=Usage(input_tokens=3, output_tokens=4),
    )
    document = document_of(session, [], exported_at=1)
    assert {key: document[key] for key in ("tags", "description", "pinned", "archived", "parent_id")} == {
        "tags": ["a"],
        "description": "d",
        "pinned": True,
        "archived": True,
        "parent_id": "p",
    }
    assert document["forked_at_seq"] == 0
    assert document["usage"] == {"input_tokens": 3, "output_tokens": 4}


def test_a_tool_call_is_exported_inside_its_message() -> None:
    call = ToolCall(
        id="c",
        message_id=MessageId("m1"),
        name="run",
        kind=ToolKind.EXECUTE,
        title="Run",
        arguments={"argv": ["ls"]},
        status=ToolStatus.COMPLETED,
        result={"exit": 0},
        started_at=1,
    )
    assert message_entry(message(tool_calls=(call,)))["tool_calls"] == [
        {
            "id": "c",
            "name": "run",
            "kind": "execute",
            "title": "Run",
            "arguments": {"argv": ["ls"]},
            "status": "completed",
            "result": {"exit": 0},
            "started_at": 1,
        }
    ]


def test_unknown_keys_of_an_import_return_to_the_top() -> None:
    document = document_of(record(metadata={"a": 1, "imported": {"x": [1]}}), [], exported_at=1)
    assert document["x"] == [1]
    assert document["metadata"] == {"a": 1}


def test_no_imported_key_can_take_the_place_of_a_known_one() -> None:
    document = document_of(record(metadata={"imported": {"name": "other", "messages": 5, "x": 1}}), [], exported_at=1)
    assert (document["name"], document["messages"], document["x"]) == ("名字", [], 1)
    assert document["metadata"] == {"imported": {"name": "other", "messages": 5}}


def test_metadata_that_only_looks_like_an_import_stays() -> None:
    document = document_of(record(metadata={"imported": "2026-01-18"}), [], exported_at=1)
    assert document["metadata"] == {"imported": "2026-01-18"}


async def test_the_streamed_text_is_the_document() -> None:
    (bundle,) = parse(real_transcript(120), now=0, new_id=lambda: "unused")
    messages = bundle.messages
    text = await text_of(bundle.record, messages[:50], (), messages[50:51], messages[51:])
    assert json.loads(text) == document_of(bundle.record, messages, exported_at=99)


async def test_a_session_without_messages_streams_as_valid_json() -> None:
    assert json.loads(await text_of(record())) == document_of(record(), [], exported_at=99)


async def test_the_text_has_one_message_per_line_and_no_escapes_for_letters() -> None:
    text = (await text_of(record(), [message(1, content="你好\n🙂"), message(2)])).decode()
    first, *lines, last, end = text.split("\n")
    assert [json.loads(line.rstrip(","))["id"] for line in lines] == ["m1", "m2"]
    assert first.endswith('"messages":[') and (last, end) == ("]}", "")
    assert "你好\\n🙂" in text and "\\u" not in text


async def test_integers_beyond_64_bits_are_written_as_they_are() -> None:
    text = await text_of(record(metadata={"n": 10**30, "字": 1}), [message(metadata={"n": -(10**30)})])
    document = json.loads(text)
    assert (document["metadata"], document["messages"][0]["metadata"]) == ({"n": 10**30, "字": 1}, {"n": -(10**30)})


async def test_a_batch_is_asked_for_only_when_the_one_before_is_written() -> None:
    asked: list[int] = []

    async def batches() -> AsyncIterator[Sequence[Message]]:
        for seq in range(1, 4):
            asked.append(seq)
            yield [message(seq)]

    found = pieces("json", record(), batches(), lambda: 1)
    await anext(found)
    assert asked == []
    await anext(found)
    assert asked == [1]
