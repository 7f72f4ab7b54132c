"""One prompt and its answer: sends it, shows what comes as it comes, and stops the turn when the user does."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from kore_ls.cli.caller import Caller, Json
from kore_ls.cli.chat.server import ServerGone
from kore_ls.cli.failures import CommandFailed
from kore_ls.cli.safe_text import body, line
from kore_ls.cli.screen import Screen
from kore_ls.errors import KoreError
from kore_ls.model.display import shortened
from kore_ls.model.message import Role

TITLE_CHARS = 120
UNTRUSTED = "this folder is not trusted, so its agents only read; kore-ls trust changes that"
_ENDS = {
    "maxTokens": "the answer was cut off: the model's limit is reached",
    "maxTurns": "the agent stopped: it took too many steps",
    "refusal": "the agent refused to go on",
    "interrupted": "the turn was interrupted",
}
_ENDED = ("tool.complete", "tool.error")
_CALLS = ("tool.start", "tool.update", *_ENDED)


class Answering:
    """Follows one turn at a time. `heard` takes every event of the server."""

    def __init__(self, caller: Caller, screen: Screen, *, trusted: bool) -> None:
        self._caller = caller
        self._screen = screen
        self._trusted = trusted
        self._session_id: str | None = None
        self._events: asyncio.Queue[Json] = asyncio.Queue()
        self._in_line = False
        self._shown: set[str] = set()

    def heard(self, event: Json) -> None:
        """An event of any session."""
        if self._session_id is not None and event.get("sessionId") == self._session_id:
            self._events.put_nowait(event)

    async def answer(self, session_id: str, prompt: str) -> None:
        """Have the prompt answered. Cancelling it stops the turn. Raises KoreError, CommandFailed, ServerGone."""
        self._session_id, self._events = session_id, asyncio.Queue()
        try:
            started = await self._caller.call("kore/turn/start", sessionId=session_id, prompt=prompt)
            while not self._show(await self._events.get(), started["turnId"]):
                pass
        except asyncio.CancelledError:
            with contextlib.suppress(KoreError, ServerGone):
                await self._caller.call("kore/turn/cancel", sessionId=session_id)
            raise
        finally:
            self._session_id = None
            self._end_line()

    def _show(self, event: Json, turn_id: str) -> bool:
        """Show an event of the turn; whether it was its last. Raises CommandFailed where the turn failed."""
        data, kind = event["data"], event["type"]
        if kind == "message.added" and data["message"]["role"] == Role.SYSTEM.value:
            self._say(body(data["message"]["content"]))
        if event.get("turnId") != turn_id:
            return False
        if kind == "message.streaming" and data["kind"] == "text":
            self._screen.raw(body(data["delta"]))
            self._in_line = not data["delta"].endswith("\n")
        elif kind in _CALLS:
            self._show_call(data["toolCall"], kind)
        elif kind == "agent.error":
            self._end_line()
            self._screen.fail(f"the agent failed: {line(data['error']['message'])}")
        elif kind == "turn.finished":
            self._end_line()
            if (end := _ENDS.get(data["stopReason"])) is not None:
                self._screen.note(end)
            if data["stopReason"] == "error":
                raise CommandFailed("the prompt was not answered")
            return True
        return False

    def _show_call(self, call: Json, kind: str) -> None:
        """Once what it is about is known, at the latest when it ends: it begins with no more than the tool's name."""
        if call["id"] not in self._shown and (call["title"] != call["name"] or kind in _ENDED):
            self._shown.add(call["id"])
            self._say(f"* {_title(call)}")
        if kind == "tool.error":
            self._tool_failed(call)

    def _tool_failed(self, call: Json) -> None:
        self._say(f"  {_title(call)}: {call['status']}")
        if call["status"] == "denied" and not self._trusted:
            self._trusted = True  # said once
            self._screen.note(UNTRUSTED)

    def _say(self, text: str) -> None:
        self._end_line()
        self._screen.note(text)

    def _end_line(self) -> None:
        if self._in_line:
            self._in_line = False
            self._screen.raw("\n")


def _title(call: Any) -> str:
    return shortened(line(call["title"]), TITLE_CHARS)
