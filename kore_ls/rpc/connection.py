"""One JSON-RPC peer: reads each message once, answers each request exactly once, knows its life cycle.

Methods of the table are served here; everything else is the room's, which is made when it is first needed. Neither
pygls nor its types are known here.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, Protocol

from kore_ls.errors import KoreError
from kore_ls.model.limits import WIRE_BYTES
from kore_ls.rpc.calls import Calls
from kore_ls.rpc.codec import Codec, TooDeep, loads
from kore_ls.rpc.envelope import Glimpse, Id, glimpse, is_id
from kore_ls.rpc.faults import INVALID_REQUEST, METHOD_NOT_FOUND, NOT_INITIALIZED, PARSE_ERROR, log_failure
from kore_ls.rpc.framing import Broken, Framer, Oversize
from kore_ls.rpc.methods import Method, MethodTable
from kore_ls.rpc.outbox import Channel, Outbox
from kore_ls.rpc.replies import Replies, random_reference
from kore_ls.rpc.work import Work

logger = logging.getLogger(__name__)

SLOW_BYTES = 256 << 10
"""Unsent output beyond this makes a client a slow one, for which what can be merged is."""
GREETING_BYTES = 1 << 20
"""How big a message may be before the client has proved that it may be here."""

GLIMPSE_BYTES = 1 << 16
"""How much of a message that can't be read is looked at for its id."""


class Room(Protocol):
    """Whoever serves the methods that are not in the table."""

    def request(self, method: str, params: Any) -> Any:
        """The JSON result of a request, or a coroutine for it; raises KoreError or ResponseError."""

    def notification(self, method: str, params: Any) -> None:
        """Take a notification; `params` as they came, None where absent."""

    async def close(self) -> None:
        """The connection ends: release everything."""


RoomFactory = Callable[["Connection"], Room]


class Phase(Enum):
    """Where a connection is in its life."""

    NEW = "new"
    RUNNING = "running"
    SHUT = "shut"
    CLOSED = "closed"


def _nothing(_: Any) -> None:
    return None


class Connection:
    """A peer over a channel, which feeds it (`feed`, `pause_writing`, `resume_writing`) and ends with it.

    `ended` is called with a word when the connection should end, `greeted` with the params of an `initialize` that was
    served. With `admit`, nothing is served until it has returned True for them. `resync=False` ends the connection
    where a header block is broken. `grace` is the time in seconds that requests in work get when it closes.
    `context` is what handlers get as their first argument; the room sets it.
    """

    def __init__(
        self,
        table: MethodTable,
        channel: Channel,
        room: RoomFactory,
        *,
        ended: Callable[[str], None] = _nothing,
        greeted: Callable[[Any], None] = _nothing,
        admit: Callable[[Any], bool] | None = None,
        resync: bool = True,
        grace: float = 1.0,
        reference: Callable[[], str] = random_reference,
    ) -> None:
        self.context: Any = None
        self.phase = Phase.NEW
        self.shutdown_seen = False
        self._methods = table
        self._codec = Codec()
        self._channel = channel
        self._work = Work(self._regulate)
        self._outbox = Outbox(channel, self._work.busy)
        self._replies = Replies(self._outbox, self._codec, reference)
        self._calls = Calls(self._replies.send)
        self._framer = Framer(WIRE_BYTES if admit is None else GREETING_BYTES)
        self._make_room = room
        self._room: Room | None = None
        self._ended, self._greeted, self._admit, self._resync = ended, greeted, admit, resync
        self._grace = grace
        self._shutdown: asyncio.Task[None] | None = None
        self._winding: asyncio.Task[None] | None = None
        self._blocked = False

    # What comes in

    def feed(self, data: bytes) -> None:
        """Take the next bytes from the channel."""
        for frame in self._framer.feed(data):
            if self.phase is Phase.CLOSED:
                return
            if isinstance(frame, bytearray):
                self._receive(frame)
            elif isinstance(frame, Oversize):
                self._oversize(frame)
            else:
                self._broken(frame)

    def _receive(self, body: bytearray) -> None:
        try:
            message = loads(body)
        except TooDeep:
            return self._unread(glimpse(bytes(body[:GLIMPSE_BYTES])), "the message is nested too deep")
        except ValueError:
            return self._replies.refuse(None, PARSE_ERROR, "the message is not JSON")
        if type(message) is not dict:
            return self._replies.refuse(None, INVALID_REQUEST, "the message must be an object; there are no batches")
        if "method" not in message:
            return self._replied(message)
        method, id_ = message["method"], message.get("id")
        if "id" in message and not is_id(id_):
            self._replies.refuse(None, INVALID_REQUEST, "id must be an integer or a string")
        elif type(method) is not str or message.get("jsonrpc") != "2.0":
            self._replies.refuse(id_, INVALID_REQUEST, 'jsonrpc must be "2.0" and method a string')
        elif id_ is None:
            self._notification(method, message.get("params"))
        else:
            self._request(id_, method, message.get("params"), len(body))

    def _replied(self, message: dict[str, Any]) -> None:
        id_ = message.get("id")
        if self._calls.owns(id_):
            self._calls.replied(message)
        elif "result" not in message and "error" not in message:
            self._replies.refuse(id_ if is_id(id_) else None, INVALID_REQUEST, "method is missing")

    def _request(self, id_: Id, method: str, params: Any, size: int) -> None:
        if id_ in self._work:
            self._replies.refuse(id_, INVALID_REQUEST, "a request with this id is still in work")
        elif self.phase is Phase.NEW:
            if method == "initialize":
                return self._initialize(id_, params)
            self._replies.refuse(id_, NOT_INITIALIZED, "initialize must come first")
        elif self.phase is not Phase.RUNNING:
            self._replies.refuse(id_, INVALID_REQUEST, "the server is shut down")
        elif (declared := self._methods.get(method)) is not None:
            self._work.start(self._replies, id_, size, method, self.call, declared, params)
        elif method == "initialize":
            self._replies.refuse(id_, INVALID_REQUEST, "already initialized")
        elif method == "shutdown":
            self.phase, self.shutdown_seen = Phase.SHUT, True
            self._shutdown = self._work.start(self._replies, id_, size, method, self._wind_down)
        elif method.startswith("kore/"):
            self._replies.refuse(id_, METHOD_NOT_FOUND, "no such method")
        else:
            self._request_room(id_, method, params, size)

    def _notification(self, method: str, params: Any) -> None:
        if method == "exit":
            self._ended("exit")
        elif self.phase is not Phase.RUNNING:
            return
        elif method == "$/cancelRequest":
            id_ = params.get("id") if type(params) is dict else None
            if is_id(id_):
                self._work.cancel(id_)
        elif (declared := self._methods.get(method)) is not None:
            self._work.note(method, self.call, declared, params)
        elif not method.startswith("kore/"):
            try:
                self.room.notification(method, params)
            except KoreError as error:
                logger.warning("a notification failed: %s", error.kind)
            except Exception as error:
                log_failure(logger, "a notification", error)

    def _oversize(self, frame: Oversize) -> None:
        if self._admit is not None and self.phase is Phase.NEW:
            self._abort("oversize")
        else:
            self._unread(glimpse(frame.head), f"the message exceeds {self._framer.limit} bytes")

    def _unread(self, seen: Glimpse, text: str) -> None:
        """Answer whoever waits for what could not be read."""
        if seen.reply:
            self._calls.replied({"id": seen.id, "error": {"code": INVALID_REQUEST, "message": text}})
        else:
            self._replies.refuse(seen.id, INVALID_REQUEST, text)

    def _broken(self, _: Broken) -> None:
        if self._resync:
            self._replies.refuse(None, PARSE_ERROR, "the header block is broken")
        else:
            self._abort("broken")

    def _abort(self, reason: str) -> None:
        self.phase = Phase.CLOSED
        self._outbox.close()
        self._channel.abort()
        self._ended(reason)

    # What is done about it

    @property
    def room(self) -> Room:
        """The room of this connection; made now, if it was not yet needed."""
        if self._room is None:
            self._room = self._make_room(self)
        return self._room

    async def call(self, declared: Method, params: Any) -> Any:
        """The result of a method of the table, as its handler returns it; raises what it raises, and InvalidParams."""
        decoded: Any = self._codec.structure(params, declared.params)
        await self.let_through()
        return await declared.handler(self.context, decoded)

    async def let_through(self) -> None:
        """Wait for what is held."""
        await self._work.let_through()

    def hold(self, what: str, run: Callable[..., Awaitable[None]], *args: Any) -> None:
        """Do `await run(*args)`, one after the other; methods of the table wait until it is done or has failed."""
        self._work.hold(what, run, *args)

    def _initialize(self, id_: Id, params: Any) -> None:
        if self._admit is not None:
            if not self._admit(params):
                self._replies.refuse(id_, INVALID_REQUEST, "the token is missing or wrong")
                self.phase = Phase.CLOSED
                return self._ended("refused")
            self._framer.limit = WIRE_BYTES
        self.phase = Phase.RUNNING
        try:
            result = self.room.request("initialize", params)
        except BaseException as error:
            self.phase = Phase.NEW
            return self._replies.failure(id_, "initialize", error)
        self._replies.result(id_, "initialize", result)
        self._greeted(params)

    def _request_room(self, id_: Id, method: str, params: Any, size: int) -> None:
        what = "a request of the language room"
        try:
            outcome = self.room.request(method, params)
        except BaseException as error:
            return self._replies.failure(id_, what, error)
        if inspect.iscoroutine(outcome):
            task = self._work.start(self._replies, id_, size, what, _awaited, outcome)
            task.add_done_callback(lambda _: outcome.close())
        else:
            self._replies.result(id_, what, outcome)

    # What goes out

    def notify(self, method: str, params: Any = None) -> None:
        """Send a notification; `params` may hold attrs values, None leaves them out."""
        message = {"jsonrpc": "2.0", "method": method}
        self._replies.send(message if params is None else message | {"params": params})

    async def request(self, method: str, params: Any = None, *, timeout: float | None) -> Any:
        """Ask the client; its result as JSON. `timeout` in seconds; for the errors see `Calls.request`."""
        return await self._calls.request(method, params, timeout)

    def encode(self, value: Any) -> Any:
        """A result of `call` as JSON values."""
        return self._codec.unstructure(value)

    # Flow and end

    def pause_writing(self) -> None:
        """The channel's unsent output is too much: the client does not read."""
        self._blocked = True
        self._regulate()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._blocked = False
        self._regulate()

    @property
    def slow(self) -> bool:
        """Whether the client reads more slowly than it is written to."""
        return self._blocked or self._channel.get_write_buffer_size() > SLOW_BYTES

    def _regulate(self) -> None:
        if self._blocked or self._work.too_much:
            self._channel.pause_reading()
        else:
            self._channel.resume_reading()

    async def close(self) -> None:
        """End: let requests in work finish for a moment, cancel the rest, close the room, hand out what is unsent."""
        if self.phase is not Phase.SHUT:
            self.phase = Phase.CLOSED
        await self._wind_down()
        await self._work.settled(self._grace)  # `shutdown` has been waiting for this, too
        self.phase = Phase.CLOSED
        self._outbox.flush()
        self._outbox.close()

    async def _wind_down(self) -> None:
        if self._winding is None:
            self._winding = asyncio.get_running_loop().create_task(self._wind())
        await asyncio.shield(self._winding)

    async def _wind(self) -> None:
        self._calls.close()
        await self._work.finish(self._shutdown, self._grace)
        if self._room is not None:
            await self._room.close()


async def _awaited(outcome: Awaitable[Any]) -> Any:
    return await outcome
