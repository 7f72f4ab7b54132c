"""Messages typed at a terminal: one may have several lines, a paste stays one. Its history is in memory only."""

from __future__ import annotations

from collections.abc import Callable

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import Completer, WordCompleter
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input.typeahead import clear_typeahead
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

CONTINUATION = "… "


class Interrupted(Exception):
    """Ctrl-C was pressed; `idle`: on an empty line."""

    def __init__(self, *, idle: bool) -> None:
        super().__init__(idle)
        self.idle = idle


class TerminalInput:
    """Reads entries with a prompt whose text is asked for at each drawing; see `Input`."""

    def __init__(self, prompt: Callable[[], str], commands: list[str]) -> None:
        self._prompt = prompt
        self._session: PromptSession[str] = PromptSession(
            history=InMemoryHistory(),
            multiline=True,
            key_bindings=_keys(),
            prompt_continuation=CONTINUATION,
            completer=_completer(commands),
            complete_while_typing=False,
        )

    async def read(self) -> str | None:
        """The next entry; None at Ctrl-D. Raises Interrupted."""
        try:
            return await self._session.prompt_async(self._message, handle_sigint=False)
        except EOFError:
            return None

    def _message(self) -> FormattedText:
        return FormattedText([("bold", self._prompt()), ("", "› ")])

    def redraw(self) -> None:
        """Ask for the prompt's text again."""
        self._session.app.invalidate()

    def forget_typed(self) -> None:
        """Drop what was typed behind the last entry and read together with it."""
        clear_typeahead(self._session.input)

    def interrupt(self) -> None:
        """Act as if Ctrl-C had been pressed."""
        app = self._session.app
        if app.is_running and not app.is_done:
            app.exit(exception=Interrupted(idle=not self._session.default_buffer.text))


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter")
    def accept(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.document.text_before_cursor.endswith("\\"):
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def new_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("c-c")
    def interrupt(event: KeyPressEvent) -> None:
        event.app.exit(exception=Interrupted(idle=not event.current_buffer.text))

    @Condition
    def empty() -> bool:
        from prompt_toolkit.application import get_app

        return not get_app().current_buffer.text

    @keys.add("c-d", filter=empty)
    def leave(event: KeyPressEvent) -> None:
        event.app.exit(exception=EOFError)

    return keys


def _completer(commands: list[str]) -> Completer:
    return WordCompleter([f"/{each}" for each in commands], sentence=True)
