"""Anthropic's messages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.model_server.reply import Reply
from tests.model_server.sse import FIRST, LAST, event

__all__ = ["FIRST", "LAST", "error", "events", "whole"]

KINDS = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error", 529: "overloaded_error"}


def error(reply: Reply) -> Any:
    """An error's body."""
    words = "prompt is too long: 250000 tokens > 200000 maximum" if "context" in reply.code else "secret words"
    return {"type": "error", "error": {"type": KINDS.get(reply.status, "invalid_request_error"), "message": words}}


def _message(reply: Reply, body: Any) -> dict[str, Any]:
    usage = {"input_tokens": reply.tokens[0], "output_tokens": 1}
    rest: dict[str, Any] = {"stop_reason": None, "stop_sequence": None, "usage": usage, "content": []}
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"]} | rest


def _blocks(reply: Reply) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if reply.thinking:
        blocks.append({"type": "thinking", "thinking": "".join(reply.thinking), "signature": "signed-by-the-model"})
    if reply.text:
        blocks.append({"type": "text", "text": "".join(reply.text)})
    for at, call in enumerate(reply.calls):
        blocks.append({"type": "tool_use", "id": f"toolu_{at}", "name": call.name, "input": json.loads(call.text)})
    return blocks


def _stop(reply: Reply) -> str:
    return reply.stop or ("tool_use" if reply.calls else "end_turn")


def whole(reply: Reply, body: Any) -> Any:
    """The answer at once."""
    usage = {"input_tokens": reply.tokens[0], "output_tokens": reply.tokens[1]}
    return _message(reply, body) | {"content": _blocks(reply), "stop_reason": _stop(reply), "usage": usage}


def events(reply: Reply, body: Any) -> Iterator[bytes]:
    """The answer in pieces."""

    def made(kind: str, **more: Any) -> bytes:
        return event({"type": kind, **more}, kind)

    yield made("message_start", message=_message(reply, body))
    for at, block in enumerate(_blocks(reply)):
        match block["type"]:
            case "thinking":
                empty = {"type": "thinking", "thinking": "", "signature": ""}
                pieces = [{"type": "thinking_delta", "thinking": piece} for piece in reply.thinking]
                pieces.append({"type": "signature_delta", "signature": block["signature"]})
            case "text":
                empty = {"type": "text", "text": ""}
                pieces = [{"type": "text_delta", "text": piece} for piece in reply.text]
            case _:
                empty = block | {"input": {}}
                text = json.dumps(block["input"], ensure_ascii=False)
                pieces = [{"type": "input_json_delta", "partial_json": text}]
        yield made("content_block_start", index=at, content_block=empty)
        for number, piece in enumerate(pieces):
            yield made("content_block_delta", index=at, delta=piece)
            if number == 0 and block["type"] == "text":
                yield FIRST
        yield made("content_block_stop", index=at)
    yield LAST
    delta = {"stop_reason": _stop(reply), "stop_sequence": None}
    yield made("message_delta", delta=delta, usage={"output_tokens": reply.tokens[1]})
    yield made("message_stop")
