"""Google's generateContent and streamGenerateContent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.model_server.reply import Reply
from tests.model_server.sse import FIRST, LAST, event

__all__ = ["FIRST", "LAST", "error", "events", "whole"]

STATUSES = {401: "UNAUTHENTICATED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}


def error(reply: Reply) -> Any:
    """An error's body."""
    words = "secret words"
    if "context" in reply.code:
        words = "The input token count (2000000) exceeds the maximum number of tokens allowed (1048576)."
    return {"error": {"code": reply.status, "message": words, "status": STATUSES.get(reply.status, "INVALID_ARGUMENT")}}


def _part(reply: Reply, parts: list[dict[str, Any]], finish: str | None = None) -> dict[str, Any]:
    given, made = reply.tokens
    candidate: dict[str, Any] = {"index": 0, "content": {"role": "model", "parts": parts}}
    if finish is not None:
        candidate["finishReason"] = finish
    usage = {"promptTokenCount": given, "candidatesTokenCount": made, "totalTokenCount": given + made}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini-test", "responseId": "r1"}


def _calls(reply: Reply) -> list[dict[str, Any]]:
    return [
        {"functionCall": {"name": call.name, "args": json.loads(call.text)}, "thoughtSignature": "c2lnbmVk"}
        for call in reply.calls
    ]


def whole(reply: Reply, body: Any) -> Any:
    """The answer at once."""
    text = [{"text": "".join(reply.text)}] if reply.text else []
    return _part(reply, [*text, *_calls(reply)], reply.stop or "STOP")


def events(reply: Reply, body: Any) -> Iterator[bytes]:
    """The answer in pieces."""
    for piece in reply.thinking:
        yield event(_part(reply, [{"text": piece, "thought": True}]))
    for at, piece in enumerate(reply.text):
        yield event(_part(reply, [{"text": piece}]))
        if at == 0:
            yield FIRST
    for call in _calls(reply):
        yield event(_part(reply, [call]))
    yield LAST
    yield event(_part(reply, [{"text": ""}], reply.stop or "STOP"))
