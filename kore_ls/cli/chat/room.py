"""One run of the chat: the server, the conversation and the terminal or pipe, from the first word to the last."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kore_ls.cli.chat.answering import Answering
from kore_ls.cli.chat.commands import COMMANDS, Chat
from kore_ls.cli.chat.conversation import Conversation
from kore_ls.cli.chat.loop import Input, Loop, reported
from kore_ls.cli.chat.question import Questions
from kore_ls.cli.chat.server import Server, ServerGone
from kore_ls.cli.safe_text import line
from kore_ls.cli.screen import Screen
from kore_ls.cli.session_choice import chosen_session
from kore_ls.cli.transcript import message_text, newest_messages
from kore_ls.errors import KoreError
from kore_ls.model.display import shortened
from kore_ls.sessions.trust import TrustList
from kore_ls.storage.home import default_state_dir

RECENT = 4
RECENT_LINES = 12
PROMPT_CHARS = 40
TERMINATED = 143


class Room:
    """One run: the server, the conversation, the screen."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._screen = Screen()
        self._refreshing: asyncio.Task[None] | None = None
        self._conversation: Conversation | None = None
        self._answering: Answering | None = None
        self._terminal: Any = None
        self._stale = False
        self._terminated = False

    async def run(self, session: str | None, *, new: bool) -> int:
        """Until the user leaves; the exit code."""
        main = asyncio.current_task()
        assert main is not None

        def terminate() -> None:
            self._terminated = True
            main.cancel()

        _on_signal(signal.SIGTERM, terminate)
        server: Server | None = None
        try:
            interactive = sys.stdin.isatty() and sys.stdout.isatty()
            questions = Questions(self._screen, interactive=interactive, forget_typed=self._forget_typed)
            server = await Server.start(self._folder, self._heard, questions.asked)
            return await self._talk(server, session, new=new)
        except ServerGone as gone:
            raise reported(gone) from None
        except asyncio.CancelledError:
            if self._terminated:
                return TERMINATED
            raise
        finally:
            if self._refreshing is not None:
                self._refreshing.cancel()
            if server is not None:
                await server.stop()

    async def _talk(self, server: Server, session: str | None, *, new: bool) -> int:
        conversation = self._conversation = Conversation(server)
        trusted = TrustList(default_state_dir()).trusted(self._folder) is True
        self._answering = Answering(server, self._screen, trusted=trusted)
        loop = Loop(Chat(conversation, self._screen), server, self._answering)
        interactive = sys.stdin.isatty() and sys.stdout.isatty()
        if interactive:
            self._screen.show(f"Kore LS in {line(str(self._folder))}; /help lists the commands")
        try:
            if session is not None:
                await conversation.switch_to((await chosen_session(server, session))["id"])
            elif new:
                conversation.start_fresh()
            else:
                await conversation.continue_current()
        except KoreError as error:
            if session is not None:
                raise
            loop.report(error)  # such as a foreign store: it can be adopted from here
        else:
            if interactive:
                await self._show_recent(conversation)
        if interactive:
            await self._at_terminal(loop)
            return 0
        from kore_ls.cli.chat.piped import PipedInput

        await loop.run(PipedInput())
        return 1 if loop.failed else 0

    async def _show_recent(self, conversation: Conversation) -> None:
        session = conversation.session
        if session is None:
            return self._screen.note("no session yet: the first message makes one")
        self._screen.note(f"{line(session['name'])} ({session['mode']}, {session['messageCount']} messages)\n")
        async for message in newest_messages(conversation.caller, session, RECENT):
            self._screen.show(message_text(message, most_lines=RECENT_LINES))

    async def _at_terminal(self, loop: Loop) -> None:
        from kore_ls.cli.chat.terminal import Interrupted, TerminalInput

        terminal = self._terminal = TerminalInput(self._prompt, list(COMMANDS))

        def interrupt() -> None:
            if not loop.stop():
                terminal.interrupt()

        _on_signal(signal.SIGINT, interrupt)
        twice = _Twice(terminal)
        while True:
            try:
                return await loop.run(twice)
            except Interrupted as interrupted:
                if interrupted.idle and twice.armed:
                    return
                twice.armed = True
                self._screen.note("Ctrl-C again leaves")

    def _prompt(self) -> str:
        session = self._conversation.session if self._conversation is not None else None
        return f"{shortened(line(session['name']), PROMPT_CHARS)} [{session['mode']}] " if session is not None else ""

    def _forget_typed(self) -> None:
        if self._terminal is not None:
            self._terminal.forget_typed()

    def _heard(self, method: str, params: Any) -> None:
        """A turn is followed; another program's changes show at the next prompt, without a word."""
        if method != "kore/event" or not isinstance(params, dict):
            return
        if self._answering is not None:
            self._answering.heard(params)
        if params.get("type") != "store.changed":
            return
        self._stale = True
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.ensure_future(self._refresh())

    async def _refresh(self) -> None:
        while self._stale and self._conversation is not None:
            self._stale = False
            with contextlib.suppress(ServerGone):
                await self._conversation.refresh()
            if self._terminal is not None:
                self._terminal.redraw()


class _Twice:
    """The terminal, and whether the last thing that came from it was a Ctrl-C."""

    def __init__(self, terminal: Input) -> None:
        self._terminal = terminal
        self.armed = False

    async def read(self) -> str | None:
        """See `Input`."""
        entry = await self._terminal.read()
        self.armed = False
        return entry


def _on_signal(number: int, act: Callable[[], object]) -> None:
    """Call `act` when the signal comes, where the system can."""
    with contextlib.suppress(NotImplementedError, RuntimeError):
        asyncio.get_running_loop().add_signal_handler(number, act)
