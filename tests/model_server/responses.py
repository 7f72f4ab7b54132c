"""OpenAI's responses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.model_server.chat import error
from tests.model_server.reply import Reply
from tests.model_server.sse import FIRST, LAST, event

__all__ = ["FIRST", "LAST", "error", "events", "whole"]


def _items(reply: Reply) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if reply.thinking:
        summary = [{"type": "summary_text", "text": "".join(reply.thinking)}]
        items.append({"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "sealed-reasoning"})
    if reply.text:
        content = [{"type": "output_text", "text": "".join(reply.text), "annotations": []}]
        items.append({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content})
    for at, call in enumerate(reply.calls):
        items.append(
            {
                "type": "function_call",
                "id": f"fc_{at}",
                "call_id": f"call_{at}",
                "name": call.name,
                "arguments": call.text,
                "status": "completed",
            }
        )
    return items


def _response(reply: Reply, body: Any, status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
    given, made = reply.tokens
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": body["model"],
        "status": status,
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": given,
            "output_tokens": made,
            "total_tokens": given + made,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
    }


def whole(reply: Reply, body: Any) -> Any:
    """The answer at once."""
    return _response(reply, body, "completed", _items(reply))


def events(reply: Reply, body: Any) -> Iterator[bytes]:
    """The answer in pieces."""
    number = 0
    none: list[Any] = []

    def made(kind: str, **more: Any) -> bytes:
        nonlocal number
        number += 1
        return event({"type": kind, "sequence_number": number, **more}, kind)

    yield made("response.created", response=_response(reply, body, "in_progress", []))
    for at, item in enumerate(_items(reply)):
        where = {"output_index": at, "item_id": item["id"]}
        match item["type"]:
            case "reasoning":
                yield made("response.output_item.added", output_index=at, item=item | {"summary": none})
                part = {"type": "summary_text", "text": ""}
                yield made("response.reasoning_summary_part.added", **where, summary_index=0, part=part)
                for piece in reply.thinking:
                    yield made("response.reasoning_summary_text.delta", **where, summary_index=0, delta=piece)
            case "message":
                yield made("response.output_item.added", output_index=at, item=item | {"content": []})
                part = {"type": "output_text", "text": "", "annotations": none}  # type: ignore[dict-item]
                yield made("response.content_part.added", **where, content_index=0, part=part)
                for number_of, piece in enumerate(reply.text):
                    yield made("response.output_text.delta", **where, content_index=0, delta=piece, logprobs=[])
                    if number_of == 0:
                        yield FIRST
            case _:
                yield made("response.output_item.added", output_index=at, item=item | {"arguments": ""})
                yield made("response.function_call_arguments.delta", **where, delta=item["arguments"])
        yield made("response.output_item.done", output_index=at, item=item)
    yield LAST
    yield made("response.completed", response=_response(reply, body, "completed", _items(reply)))
