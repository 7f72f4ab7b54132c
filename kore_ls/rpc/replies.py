"""Turns results and failures into response messages; what can't be sent becomes an internal error."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any

from kore_ls.errors import KoreError
from kore_ls.model.limits import WIRE_BYTES
from kore_ls.rpc.codec import Codec, dumps
from kore_ls.rpc.envelope import Id
from kore_ls.rpc.faults import ResponseError, error_object, internal_error, log_failure
from kore_ls.rpc.outbox import Outbox

logger = logging.getLogger(__name__)


def random_reference() -> str:
    """A short word by which an unexpected failure is found in the log."""
    return os.urandom(4).hex()


class Replies:
    """Writes messages to an outbox. `what` names a failing thing for the log, in our own words."""

    def __init__(self, outbox: Outbox, codec: Codec, reference: Callable[[], str]) -> None:
        self._outbox = outbox
        self._encode = codec.unstructure
        self._reference = reference

    def result(self, id_: Id, what: str, value: Any) -> None:
        """Answer a request with its result, or with an internal error if that can't be sent."""
        try:
            body = dumps({"jsonrpc": "2.0", "id": id_, "result": value}, self._encode)
            if len(body) > WIRE_BYTES:
                raise ValueError("too big to be sent")
        except Exception as error:
            return self.failure(id_, what, error)
        self._outbox.send(body)

    def failure(self, id_: Id, what: str, error: BaseException) -> None:
        """Answer a request with an error; one that is not ours is logged and shown as a reference only."""
        if not isinstance(error, KoreError | ResponseError):
            error = self._unexpected(what, error)
        message = {"jsonrpc": "2.0", "id": id_, "error": error_object(error)}
        try:
            body = dumps(message, self._encode)
        except Exception as unsendable:
            body = dumps(message | {"error": error_object(self._unexpected(what, unsendable))})
        self._outbox.send(body)

    def refuse(self, id_: Id | None, code: int, text: str) -> None:
        """Answer what is no proper request."""
        self.send({"jsonrpc": "2.0", "id": id_, "error": {"code": code, "message": text}})

    def send(self, message: dict[str, Any]) -> None:
        """Send a message of our own; TypeError or ValueError if it can't be sent."""
        self._outbox.send(dumps(message, self._encode))

    def _unexpected(self, what: str, error: BaseException) -> ResponseError:
        reference = self._reference()
        log_failure(logger, what, error, reference)
        return internal_error(reference)
