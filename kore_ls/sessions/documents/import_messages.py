"""The messages of an imported session: checked one by one, put in order, numbered. Nothing is trusted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from attrs import evolve, frozen

from kore_ls.errors import ImportInvalid
from kore_ls.model.ids import IdSource, MessageId, SessionId, TurnId
from kore_ls.model.limits import IMPORT_MESSAGES, content_problem
from kore_ls.model.message import UNFINISHED, Message, MessageState, Role, ToolCall, ToolKind, ToolStatus
from kore_ls.sessions.documents.import_fields import Fields, fault
from kore_ls.sessions.documents.seed_form import message_in_our_names

_NO_TIME = -1


@frozen(kw_only=True)
class MessageReader:
    """Reads a session's messages; `bad_message` raises, or takes a note and lets the message be left out."""

    new_id: IdSource
    bad_message: Callable[[ImportInvalid], None]

    def read(self, session: Fields, session_id: SessionId) -> list[Message]:
        """The messages numbered from 1; those without a time have a negative one, for `timed`."""
        entries = session.items("messages")
        if len(entries) > IMPORT_MESSAGES:
            raise session.fault("messages", f"must have at most {IMPORT_MESSAGES} entries")
        place = session.place_of("messages")
        placed = ((f"{place}[{index}]", entry) for index, entry in _in_order(entries))
        return list(self.each(placed, session_id, loose=session.loose))

    def each(
        self, entries: Iterable[tuple[str, Any]], session_id: SessionId, *, loose: bool = False
    ) -> Iterator[Message]:
        """The messages of (place, entry), one by one, numbered from 1; those without a time have a negative one."""
        known: set[str] = set()
        for place, entry in entries:
            try:
                message = self._message(_message_fields(entry, place, loose), session_id, known)
            except ImportInvalid as error:
                self.bad_message(error)
                continue
            known.add(message.id)
            yield message

    def _message(self, fields: Fields, session_id: SessionId, known: set[str]) -> Message:
        role, content = fields.word("role", Role), fields.text("content", content_problem)
        if role is None:
            raise fields.fault("role", "is required")
        if content is None:
            raise fields.fault("content", "is required")
        timestamp = fields.time("timestamp")
        turn_id = fields.id("turn_id")
        message_id = self._message_id(fields, known)
        return Message(
            id=message_id,
            session_id=session_id,
            seq=len(known) + 1,
            role=role,
            content=content,
            timestamp=_NO_TIME if timestamp is None else timestamp,
            metadata=fields.metadata(),
            turn_id=None if turn_id is None else TurnId(turn_id),
            state=fields.word("state", MessageState),
            thinking=fields.text("thinking", content_problem),
            tool_calls=self._tool_calls(fields, message_id),
        )

    def _message_id(self, fields: Fields, known: set[str]) -> MessageId:
        """The message's own id; a new one where it has none, or where a loose document uses it again."""
        message_id = fields.id("id")
        if message_id in known and not fields.loose:
            raise fields.fault("id", "is used twice")
        if message_id is None or message_id in known:
            message_id = self.new_id()
        return MessageId(message_id)

    def _tool_calls(self, message: Fields, message_id: MessageId) -> tuple[ToolCall, ...] | None:
        calls: dict[str, ToolCall] = {}
        place = message.place_of("tool_calls")
        for index, entry in enumerate(message.items("tool_calls")):
            if not isinstance(entry, dict):
                raise fault(f"{place}[{index}]", "must be an object")
            call = self._tool_call(Fields(entry, f"{place}[{index}]", message.loose), message_id)
            if call.id in calls:
                raise fault(f"{place}[{index}].id", "is used twice")
            calls[call.id] = call
        return tuple(calls.values()) or None

    def _tool_call(self, fields: Fields, message_id: MessageId) -> ToolCall:
        name, title = fields.text("name", content_problem), fields.text("title", content_problem)
        if not name:
            raise fields.fault("name", "is required")
        status = fields.word("status", ToolStatus) or ToolStatus.COMPLETED
        return ToolCall(
            id=fields.id("id") or self.new_id(),
            message_id=message_id,
            name=name,
            kind=fields.word("kind", ToolKind) or ToolKind.OTHER,
            title=name if title is None else title,
            arguments=fields.object("arguments"),
            status=ToolStatus.CANCELLED if status in UNFINISHED else status,
            result=fields.json("result"),
            started_at=fields.time("started_at"),
            ended_at=fields.time("ended_at"),
        )


def _message_fields(entry: Any, place: str, loose: bool) -> Fields:
    if not isinstance(entry, dict):
        raise fault(place, "must be an object")
    return Fields(message_in_our_names(entry) if loose else entry, place, loose)


def _in_order(entries: list[Any]) -> Iterable[tuple[int, Any]]:
    """(place in the document, message): by `seq` if every message has one of its own, else as they stand."""
    numbers = [entry["seq"] for entry in entries if isinstance(entry, dict) and type(entry.get("seq")) is int]
    if len(set(numbers)) < len(entries):
        return enumerate(entries)
    return sorted(enumerate(entries), key=lambda item: numbers[item[0]])


def first_time(messages: Iterable[Message]) -> int | None:
    """The time of the first message that has one."""
    return next((message.timestamp for message in messages if message.timestamp != _NO_TIME), None)


def timed(messages: Iterable[Message], start: int) -> Iterator[Message]:
    """The messages, those without a time with that of the one before (the first: `start`)."""
    last = start
    for message in messages:
        if message.timestamp == _NO_TIME:
            message = evolve(message, timestamp=last)
        last = message.timestamp
        yield message
