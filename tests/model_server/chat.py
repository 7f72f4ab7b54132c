"""OpenAI's chat completions, as most servers speak them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.model_server.reply import Reply
from tests.model_server.sse import FIRST, LAST, event

__all__ = ["FIRST", "LAST", "error", "events", "whole"]


def error(reply: Reply) -> Any:
    """An error's body."""
    return {"error": {"message": "secret words of the server", "type": "invalid_request_error", "code": reply.code}}


def _base(body: Any, kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": body["model"]}


def _usage(reply: Reply) -> dict[str, int]:
    given, made = reply.tokens
    return {"prompt_tokens": given, "completion_tokens": made, "total_tokens": given + made}


def _finish(reply: Reply) -> str:
    return reply.stop or ("tool_calls" if reply.calls else "stop")


def whole(reply: Reply, body: Any) -> Any:
    """The answer at once."""
    message: dict[str, Any] = {"role": "assistant", "content": "".join(reply.text) or None}
    if reply.calls:
        message["tool_calls"] = [
            {"id": f"call_{at}", "type": "function", "function": {"name": call.name, "arguments": call.text}}
            for at, call in enumerate(reply.calls)
        ]
    choice = {"index": 0, "message": message, "finish_reason": _finish(reply)}
    return _base(body, "chat.completion") | {"choices": [choice], "usage": _usage(reply)}


def events(reply: Reply, body: Any) -> Iterator[bytes]:
    """The answer in pieces."""
    base = _base(body, "chat.completion.chunk")

    def chunk(delta: Any, finish: str | None = None) -> bytes:
        return event(base | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    yield chunk({"role": "assistant", "content": ""})
    for piece in reply.thinking:
        yield chunk({"reasoning_content": piece})
    for at, piece in enumerate(reply.text):
        yield chunk({"content": piece})
        if at == 0:
            yield FIRST
    for at, call in enumerate(reply.calls):
        function: dict[str, Any] = {"name": call.name, "arguments": ""}
        yield chunk({"tool_calls": [{"index": at, "id": f"call_{at}", "type": "function", "function": function}]})
        for start in range(0, len(call.text), 12):
            function = {"arguments": call.text[start : start + 12]}
            yield chunk({"tool_calls": [{"index": at, "function": function}]})
    yield LAST
    yield chunk({}, _finish(reply))
    yield event(base | {"choices": [], "usage": _usage(reply)})
    yield event("[DONE]")
