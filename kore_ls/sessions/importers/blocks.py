"""Contents in the form of Anthropic's messages, which several tools keep. Pure."""

from __future__ import annotations

from typing import Any

from kore_ls.sessions.importers.assembly import Assembly
from kore_ls.sessions.importers.records import inner


def _blocks(content: Any) -> list[Any]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return content if isinstance(content, list) else []


def say_blocks(content: Any, assembly: Assembly, at: int | None) -> None:
    """An assistant's content, as part of the step that goes on: texts, thinking and calls."""
    for block in _blocks(content):
        match block:
            case {"type": "text", "text": str(words)}:
                assembly.say(words)
            case {"type": "thinking", "thinking": str(words)}:
                assembly.think(words)
            case {"type": "tool_use" | "server_tool_use", "id": str(call_id), "name": str(name)}:
                assembly.call(call_id, name, inner(block, "input"), at)
            case {"type": "redacted_thinking"}:
                pass
            case _:
                assembly.about(unknown=block)


def heard_blocks(content: Any, assembly: Assembly, key: str, at: int | None) -> tuple[list[str], int]:
    """A user's content: results go into their calls; the texts and the number of images are returned."""
    words: list[str] = []
    images = 0
    for block in _blocks(content):
        match block:
            case {"type": "tool_result", "tool_use_id": str(call_id)}:
                failed = block.get("is_error") is True
                assembly.result(call_id, block.get("content"), failed=failed, at=at, key=f"{key} {call_id}")
            case {"type": "text", "text": str(said)}:
                words.append(said)
            case {"type": "image"}:
                images += 1
    return words, images
