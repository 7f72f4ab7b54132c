"""A server whose agent streams without an end, fast or slowly: `python -m tests.e2e.turn_server --stdio`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

from kore_ls import __version__
from kore_ls.agents.agent import AgentEvent, AnsweredTurn, TextDelta
from kore_ls.api import TABLE
from kore_ls.api.application import Application
from kore_ls.lsp.serving import serve_stdio
from kore_ls.model.session import SessionRecord
from kore_ls.sessions.app import App
from kore_ls.storage.home import default_state_dir


class Streamer:
    """Says `word` again and again: at a prompt `flood` as quickly as it can, else a hundred times a second."""

    async def answer(self, turn: AnsweredTurn) -> AsyncIterator[AgentEvent]:
        pause = 0.0 if turn.prompt.text == "flood" else 0.01
        while True:
            yield TextDelta(text="word ")
            await asyncio.sleep(pause)

    async def close(self) -> None:
        pass


def streamer(session: SessionRecord) -> Streamer:
    """The factory."""
    return Streamer()


if __name__ == "__main__":
    sys.exit(serve_stdio(Application(App(default_state_dir(), streamer)), TABLE, __version__))
