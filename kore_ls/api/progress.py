"""`$/progress` for long work, to clients that gave a token."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any

from kore_ls.errors import InvalidParams


class Progress:
    """Begins on entering, always ends on leaving; does nothing without a token. Raises InvalidParams for odd ones."""

    def __init__(self, notify: Callable[[str, Any], None], token: Any, title: str) -> None:
        if token is not None and type(token) not in (str, int):
            raise InvalidParams(["params.workDoneToken: must be a string or an integer"])
        self._notify = notify
        self._token = token
        self._title = title

    def _send(self, **value: Any) -> None:
        if self._token is not None:
            self._notify("$/progress", {"token": self._token, "value": value})

    def __enter__(self) -> Progress:
        self._send(kind="begin", title=self._title, cancellable=True)
        return self

    def report(self, message: str, percentage: int | None = None) -> None:
        """Say how far the work is."""
        self._send(kind="report", message=message, **({} if percentage is None else {"percentage": percentage}))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._send(kind="end")
