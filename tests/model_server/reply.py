"""What the model server answers, whatever the wire format."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen


@frozen
class Call:
    """A tool call that the model makes."""

    name: str
    arguments: Mapping[str, Any] | str = field(factory=dict)

    @property
    def text(self) -> str:
        """The arguments as they stand on the wire."""
        given = self.arguments
        return given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)


@frozen(kw_only=True)
class Reply:
    """One answer. `text` comes in these pieces. With a `status` other than 200 it is an error with this `code`.

    `hold`: after the first piece wait until the test lets go or the client goes. `cut`: end the connection after the
    text, in mid-stream; `short`: end the answer there, as if it were whole. `stray`: send this after the first piece.
    """

    text: tuple[str, ...] = ()
    thinking: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()
    tokens: tuple[int, int] = (100, 7)
    status: int = 200
    code: str = ""
    retry_after: int | None = None
    hold: bool = False
    cut: bool = False
    short: bool = False
    stray: bytes = b""
    stop: str = ""


@frozen(kw_only=True)
class Asked:
    """A request as it came."""

    path: str
    headers: Mapping[str, str]
    body: Any
