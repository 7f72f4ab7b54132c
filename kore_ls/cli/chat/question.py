"""Permission requests at the terminal: shown in the server's words, answered by a number typed after they are shown."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from typing import Any

from kore_ls.cli.caller import Json
from kore_ls.cli.safe_text import body, line
from kore_ls.cli.screen import Screen

METHOD = "kore/permission/request"
MOST_LINES = 60
_MOST_BYTES = 4096
_LOOK_S = 0.03
"""How often keys are looked for where nothing tells of them."""


class Questions:
    """Answers what the server asks. Without a terminal every request is refused: nothing else stands for its user.

    `forget_typed` drops the keys that the prompt has read and not used yet: they are no answer to a question.
    """

    def __init__(self, screen: Screen, *, interactive: bool, forget_typed: Callable[[], None]) -> None:
        self._screen = screen
        self._interactive = interactive
        self._forget_typed = forget_typed
        self._one = asyncio.Lock()

    async def asked(self, method: str, params: Any) -> Any | None:
        """The result of a request of the server; None for what this client does not offer."""
        if method != METHOD or not isinstance(params, dict):
            return None
        if not self._interactive:
            self._screen.note(f"refused, as nobody is at a terminal: {line(params['summary'])}")
            return _refusal(params)
        async with self._one:
            return await self._ask(params)

    async def _ask(self, request: Json) -> Json:
        self._forget_typed()
        self._screen.show()
        self._screen.show(body(request["summary"]))
        if request.get("diff"):
            lines = body(request["diff"]).split("\n")
            self._screen.show("\n".join(lines[:MOST_LINES]))
            if len(lines) > MOST_LINES:
                self._screen.note(f"({len(lines) - MOST_LINES} more lines)")
        options = request["options"]
        for number, option in enumerate(options, start=1):
            self._screen.show(f"  {number}  {line(option['name'])}")
        _discard_typed(sys.stdin.fileno())  # and not after: who has seen the next line may answer at once
        self._screen.raw(f"1-{len(options)}, then Enter; words after the number are told to the agent; Enter refuses: ")
        chosen, _, feedback = (await _typed(self._screen.raw)).strip().partition(" ")
        if chosen not in (str(number) for number in range(1, len(options) + 1)):
            return _refusal(request)
        answer = {"outcome": "selected", "optionId": options[int(chosen) - 1]["id"]}
        return answer | ({"feedback": feedback.strip()} if feedback.strip() else {})


def _refusal(request: Json) -> Json:
    """`rejectOnce` where that is offered."""
    for option in request["options"]:
        if option["kind"] == "rejectOnce":
            return {"outcome": "selected", "optionId": option["id"]}
    return {"outcome": "cancelled"}


async def _typed(echo: Callable[[str], None]) -> str:
    """A line typed at the terminal from now on; empty where there is no more. Cancelling it leaves nothing behind."""
    if sys.platform == "win32":
        import msvcrt

        return await line_of_keys(msvcrt.kbhit, msvcrt.getwch, echo)
    loop = asyncio.get_running_loop()
    descriptor = sys.stdin.fileno()
    ready: asyncio.Future[str] = loop.create_future()

    def read() -> None:
        try:
            text = os.read(descriptor, _MOST_BYTES).decode("utf-8", "replace")
        except OSError:
            text = ""
        if not ready.done():
            ready.set_result(text)

    loop.add_reader(descriptor, read)
    try:
        return await ready
    finally:
        loop.remove_reader(descriptor)


async def line_of_keys(pressed: Callable[[], bool], next_key: Callable[[], str], echo: Callable[[str], None]) -> str:
    """A line typed key by key, where no event loop waits for a terminal (Windows); Ctrl-C and Ctrl-Z end it empty."""
    text = ""
    while True:
        while pressed():
            key = next_key()
            if key in ("\x03", "\x1a"):
                return ""
            if key in ("\r", "\n"):
                echo("\n")
                return text
            if key in ("\0", "\xe0"):  # an arrow or function key: one more code follows
                next_key()
            elif key == "\b":
                echo("\b \b" if text else "")
                text = text[:-1]
            elif len(text) < _MOST_BYTES:
                echo(key)
                text += key
        await asyncio.sleep(_LOOK_S)


def _discard_typed(descriptor: int) -> None:
    """What was typed before a question is no answer to it."""
    if sys.platform == "win32":
        import msvcrt

        while msvcrt.kbhit():
            msvcrt.getwch()
    else:
        import termios

        termios.tcflush(descriptor, termios.TCIFLUSH)
