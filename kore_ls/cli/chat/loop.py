"""The chat's loop: reads entries, obeys commands, has messages answered; what fails is reported, and it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

from kore_ls.agents.slash import USAGES
from kore_ls.cli.chat.answering import Answering
from kore_ls.cli.chat.commands import COMMANDS, Chat, Quit, agent_name
from kore_ls.cli.chat.server import Server, ServerGone
from kore_ls.cli.failures import ADVICE, CommandFailed, explained
from kore_ls.errors import KoreError

SLASHES = ("/", "／")
CHAT_ADVICE = {
    **ADVICE,
    "sessionNotFound": "/list shows what is there",
    "sessionClosed": "/switch reopens it, /new starts another",
    "sessionExists": "/import --copy, --skip or --replace PATH says what to do with it",
    "storeForeign": "it may have come with a repository; /adopt copies its conversations into a store of your own",
}
"""What to do about an error, by its kind, inside the chat."""


_STOP_SECONDS = 2


class Input(Protocol):
    """Where entries come from."""

    async def read(self) -> str | None:
        """The next entry; None when there are no more."""


class Loop:
    """One run of the chat. `failed` says whether any entry could not be obeyed or kept."""

    def __init__(self, chat: Chat, server: Server, answering: Answering) -> None:
        self._chat = chat
        self._server = server
        self._answering = answering
        self.failed = False
        self._offered = False
        self.working: asyncio.Task[None] | None = None

    async def run(self, entries: Input) -> None:
        """Take entries until there are no more. Raises ServerGone, and what reading raises."""
        while True:
            try:
                entry = await self._next(entries)
                if entry is None:
                    return
                await self._stoppable(self.take(entry))
            except (KoreError, CommandFailed) as error:
                self.failed = True
                self.report(error)
            except Quit:
                return

    def report(self, error: KoreError | CommandFailed) -> None:
        """Say what went wrong, and what to do about it here."""
        self._chat.screen.fail(explained(error, CHAT_ADVICE))

    async def _next(self, entries: Input) -> str | None:
        """Wait for an entry, or for the end of the server."""
        reading = asyncio.ensure_future(entries.read())
        gone = asyncio.ensure_future(self._server.ended.wait())
        try:
            await asyncio.wait([reading, gone], return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                return reading.result()
            raise self._server.gone()
        finally:
            gone.cancel()
            if not reading.done():
                reading.cancel()
                await asyncio.wait([reading])

    async def _stoppable(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work so that `stop` can end it, as the end of the server does. Raises what it raises, ServerGone."""
        working = self.working = asyncio.create_task(work)
        gone = asyncio.ensure_future(self._server.ended.wait())
        try:
            await asyncio.wait([working, gone], return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise self._server.gone()
            if working.cancelled():
                raise CommandFailed("stopped")
            working.result()
        finally:
            self.working = None
            gone.cancel()
            if working.cancel():
                await asyncio.wait([working], timeout=_STOP_SECONDS)
            if working.done() and not working.cancelled():
                working.exception()  # else asyncio tells it: that the server is gone is told once

    def stop(self) -> bool:
        """End the work on the entry in hand; whether there was any."""
        return self.working is not None and self.working.cancel()

    async def take(self, entry: str) -> None:
        """Obey a command or have a message answered. Raises KoreError, CommandFailed, Quit, ServerGone."""
        if not entry.strip():
            return
        if not entry.startswith(SLASHES) or "\n" in entry:
            return await self._say(entry)
        if entry[1:].startswith(SLASHES):
            return await self._say(entry[1:])
        name, _, argument = entry[1:].partition(" ")
        command = COMMANDS.get(name.lower().strip())
        if command is None and name.lower().strip() in USAGES:
            return await self._say(entry)
        if command is None:
            raise CommandFailed(
                "there is no such command", "/help shows them; // at the start of a message stands for /"
            )
        await command.work(self._chat, argument.strip())

    async def _say(self, text: str) -> None:
        session = await self._chat.conversation.needed()
        try:
            await self._answering.answer(session["id"], text)
        finally:
            await self._chat.conversation.refresh()
        if not text.startswith(SLASHES):
            await self._offer()

    async def _offer(self) -> None:
        """Once, where nobody answered: say who could."""
        if self._offered:
            return
        self._offered = True
        agents = await self._chat.conversation.agents()
        if any(each["current"] and each["backend"] != "builtin" for each in agents):
            return
        usable = [
            (number, each)
            for number, each in enumerate(agents, 1)
            if each["available"] and each["backend"] != "builtin"
        ]
        for number, each in usable:
            self._chat.screen.note(f"/agent {number} has this session answered by {agent_name(each)}")


def reported(gone: ServerGone) -> CommandFailed:
    """The end of the server in words, with the end of its log."""
    from kore_ls.cli.safe_text import line

    code = "" if gone.exit_code is None else f" (exit code {gone.exit_code})"
    log = "\n".join(line(text) for text in gone.log)
    return CommandFailed(f"the server is gone{code}; what it had acknowledged is saved", log or None)
