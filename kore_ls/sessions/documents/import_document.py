"""Documents from outside as sessions ready to be stored: every value is checked here, nothing is trusted.

Accepts the export document, the seed's forms, and arrays of either. Reads no file and touches no store.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import frozen

from kore_ls.errors import ImportInvalid
from kore_ls.model.bundle import SessionBundle
from kore_ls.model.ids import IdSource, SessionId
from kore_ls.model.limits import (
    IMPORT_MESSAGES,
    description_problem,
    metadata_problem,
    name_problem,
    tag_problem,
    tags_problem,
)
from kore_ls.model.message import Message, Role
from kore_ls.model.mode import AgentMode
from kore_ls.model.problems import Problems
from kore_ls.model.session import LastMessage, SessionRecord, SessionStatus, Usage, preview_of
from kore_ls.sessions.documents.export_document import DOCUMENT_KEYS, FORMAT, IMPORTED, VERSION
from kore_ls.sessions.documents.import_fields import REPLACEMENT, Fields, check_depth, fault
from kore_ls.sessions.documents.import_messages import MessageReader, first_time, timed
from kore_ls.sessions.documents.seed_form import session_in_our_names, sessions_in

FALLBACK_NAME = "Imported session"
FALLBACK_NAME_CHARS = 60


def parse(document: Any, *, now: int, new_id: IdSource) -> list[SessionBundle]:
    """All sessions of a parsed JSON document, in its order; `now` (Unix ms) stands in where it tells no time.

    Raises ImportInvalid, whose `place` says where, for the first thing that is wrong; then nothing is imported.
    """
    check_depth(document)
    reader = _SessionReader(now=now, new_id=new_id, messages=MessageReader(new_id=new_id, bad_message=_refuse))
    bundles: list[SessionBundle] = []
    known: set[SessionId] = set()
    messages = 0
    for place, entry in _sessions(document):
        bundle = reader.read(entry, place)
        if bundle.record.id in known:
            raise fault(f"{place}.id", "is used twice")
        known.add(bundle.record.id)
        messages += len(bundle.messages)
        if messages > IMPORT_MESSAGES:
            raise fault(f"{place}.messages", f"are more than {IMPORT_MESSAGES} with those before")
        bundles.append(bundle)
    return bundles


def parse_rows(
    sessions: Iterable[dict[str, Any]], *, now: int, new_id: IdSource
) -> tuple[list[SessionBundle], list[str]]:
    """What can be used of a foreign database's sessions, and the problems with the rest; raises for no value.

    `sessions` have the keys of the export document and `deleted_at`. A session or a message that breaks a rule is
    left out, and a problem names its place.
    """
    problems = Problems()

    def leave_out(error: ImportInvalid) -> None:
        problems.note(f"left out: {error.message}")

    messages = MessageReader(new_id=new_id, bad_message=leave_out)
    reader = _SessionReader(now=now, new_id=new_id, messages=messages, rows=True)
    bundles: list[SessionBundle] = []
    known: set[SessionId] = set()
    for index, entry in enumerate(sessions):
        place = f"sessions[{index}]"
        try:
            bundle = reader.read(entry, place)
            if bundle.record.id in known:
                raise fault(f"{place}.id", "is used twice")
        except ImportInvalid as error:
            leave_out(error)
            continue
        known.add(bundle.record.id)
        bundles.append(bundle)
    return bundles, problems.texts()


def _refuse(error: ImportInvalid) -> None:
    raise error


def _sessions(document: Any) -> list[tuple[str, Any]]:
    """Each session with its place in the document; a document that is one session has the empty place."""
    if isinstance(document, list):
        found = [(f"[{index}]", entry) for index, entry in enumerate(document)]
    elif not isinstance(document, dict):
        raise fault("document", "must be an object or an array")
    elif "format" in document or (entries := sessions_in(document)) is None:
        return [("", document)]
    else:
        found = [(f"sessions[{index}]", entry) for index, entry in enumerate(entries)]
    if not found:
        raise fault("document", "holds no session")
    if len(found) > IMPORT_MESSAGES:
        raise fault("document", f"must have at most {IMPORT_MESSAGES} sessions")
    return found


@frozen(kw_only=True)
class _SessionReader:
    now: int
    new_id: IdSource
    messages: MessageReader
    rows: bool = False
    """Whether the sessions are a database's rows, which have no unknown keys and may be deleted ones."""

    def read(self, entry: Any, place: str) -> SessionBundle:
        """One session: idle if it was running, with its messages renumbered and nothing in it still to be done."""
        fields = _session_fields(entry, place)
        session_id = SessionId(fields.id("id") or self.new_id())
        untimed = self.messages.read(fields, session_id)
        created_at = fields.time("created_at")
        if created_at is None:
            created_at = first_time(untimed)
        if created_at is None:
            created_at = self.now
        messages = tuple(timed(untimed, created_at))
        updated_at = fields.time("updated_at")
        parent_id = fields.id("parent_id")
        record = SessionRecord(
            id=session_id,
            name=_name(fields, messages),
            agent_mode=fields.word("agent_mode", AgentMode) or AgentMode.BUILD,
            status=_status(fields),
            created_at=created_at,
            updated_at=_last_time(messages, created_at) if updated_at is None else updated_at,
            metadata=fields.metadata() if self.rows else _metadata(fields),
            tags=_tags(fields),
            description=fields.text("description", description_problem) or None,
            pinned=fields.flag("pinned"),
            archived=fields.flag("archived"),
            deleted_at=fields.time("deleted_at") if self.rows else None,
            imported=True,
            parent_id=None if parent_id is None else SessionId(parent_id),
            forked_at_seq=fields.count("forked_at_seq"),
            message_count=len(messages),
            last_seq=len(messages),
            last_message=_last(messages),
            usage=_usage(fields),
        )
        return SessionBundle(record=record, messages=messages)


def _session_fields(entry: Any, place: str) -> Fields:
    if not isinstance(entry, dict):
        raise fault(place, "must be an object")
    if "format" not in entry:
        fields = Fields(session_in_our_names(entry), place, loose=True)
        if "messages" not in fields.value and "agent_mode" not in fields.value:
            raise fields.fault("messages", "is required")  # else any JSON object would be an empty session
        return fields
    fields = Fields(entry, place)
    if entry["format"] != FORMAT:
        raise fields.fault("format", f"must be {FORMAT}")
    if type(version := entry.get("version")) is not int or version < 1:
        raise fields.fault("version", "must be an integer from 1")
    if version > VERSION:
        raise fields.fault("version", f"is newer than {VERSION}, the newest that this version of Kore LS reads")
    return fields


def _status(fields: Fields) -> SessionStatus:
    status = fields.word("status", SessionStatus)
    return SessionStatus.IDLE if status in (None, SessionStatus.RUNNING) else status


def _name(fields: Fields, messages: Iterable[Message]) -> str:
    """The session's name; where it has none, the start of its first prompt."""
    name = _without_nul(fields.text("name") or "")
    if not name.strip():
        prompts = (_without_nul(preview_of(message.content)) for message in messages if message.role is Role.USER)
        name = next(filter(None, prompts), FALLBACK_NAME)[:FALLBACK_NAME_CHARS]
    if (problem := name_problem(name)) is not None:
        raise fields.fault("name", problem)
    return name


def _tags(fields: Fields) -> tuple[str, ...]:
    tags = tuple(map(_without_nul, fields.texts("tags")))
    if (problem := tags_problem(tags)) is not None:
        raise fields.fault("tags", problem)
    for index, tag in enumerate(tags):
        if (problem := tag_problem(tag)) is not None:
            raise fields.fault(f"tags[{index}]", problem)
    return tags


def _without_nul(text: str) -> str:
    return text.replace("\0", REPLACEMENT)


def _metadata(fields: Fields) -> dict[str, Any]:
    """The document's metadata and, under `imported`, its unknown top-level keys."""
    metadata = fields.metadata()
    unknown = {key: value for key, value in fields.value.items() if key not in DOCUMENT_KEYS}
    if not unknown:
        return metadata
    unknown = Fields({IMPORTED: unknown}, fields.place_of("metadata")).object(IMPORTED)
    earlier = metadata.get(IMPORTED, {})
    if not isinstance(earlier, dict):
        earlier = {IMPORTED: earlier}  # as if it had been one of the unknown keys, which it becomes with the export
    metadata[IMPORTED] = {**earlier, **unknown}
    if (problem := metadata_problem(metadata)) is not None:
        raise fields.fault(f"metadata.{IMPORTED}", problem)
    return metadata


def _usage(fields: Fields) -> Usage | None:
    value = fields.value.get("usage")
    if value is None:
        return None
    if not isinstance(value, dict):
        raise fields.fault("usage", "must be an object")
    usage = Fields(value, fields.place_of("usage"))
    return Usage(
        input_tokens=usage.count("input_tokens") or 0,
        output_tokens=usage.count("output_tokens") or 0,
        cost=usage.amount("cost"),
    )


def _last_time(messages: tuple[Message, ...], created_at: int) -> int:
    return max(created_at, messages[-1].timestamp) if messages else created_at


def _last(messages: tuple[Message, ...]) -> LastMessage | None:
    if not messages:
        return None
    last = messages[-1]
    return LastMessage(seq=last.seq, role=last.role, preview=preview_of(last.content), timestamp=last.timestamp)
