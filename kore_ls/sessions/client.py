"""What a connection's client can do for its user and for agents, besides hearing events; implemented by `lsp`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from kore_ls.model.document import Document, EditResult


class Client(Protocol):
    """One connection's client. What it can't do is never an error."""

    @property
    def slow(self) -> bool:
        """Whether it reads more slowly than it is written to."""

    async def ask(self, method: str, params: Any, *, timeout: float | None) -> Any | None:
        """Its JSON result of a request; None where it has none, fails, is gone, or takes longer than `timeout` s."""

    async def choose(self, question: str, titles: Sequence[str]) -> str | None:
        """Let its user choose one of `titles`; None if nothing was chosen."""

    async def ready(self) -> None:
        """Wait until `document` knows all that the client has said so far."""

    def document(self, path: Path) -> Document | None:
        """The open document of a file."""

    async def edit(self, path: Path, *, before: str, after: str, version: int | None) -> EditResult:
        """Change an open document; see `agents.ports.Editor`."""

    def indexing(self, folder: str, rows: int | None, stop: Callable[[], None]) -> None:
        """So many messages of an encrypted store are indexed in the background; None: it is over. `stop` ends it."""

    async def language(self, name: str, params: Mapping[str, Any]) -> Any | None:
        """Ask the language servers of the editor; see `agents.ports.Editor`."""
