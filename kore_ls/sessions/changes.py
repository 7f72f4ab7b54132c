"""The steps a session can take, as pure functions from a record to the next one. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import evolve, frozen

from kore_ls.errors import InvalidParams, SessionClosed
from kore_ls.model import limits
from kore_ls.model.ids import SessionId, is_id
from kore_ls.model.limits import JsonObject, Rule
from kore_ls.model.mode import AgentMode
from kore_ls.model.session import AgentChoice, SessionRecord, SessionStatus, check_transition


@frozen(kw_only=True)
class SessionUpdate:
    """What to change of a session; None leaves a field alone. `metadata` is merged, a None value removes its key."""

    mode: AgentMode | None = None
    agent: AgentChoice | None = None
    config: JsonObject | None = None
    tags: tuple[str, ...] | None = None
    description: str | None = None
    pinned: bool | None = None
    archived: bool | None = None
    metadata: JsonObject | None = None


def checked(field: str, value: Any, rule: Rule) -> None:
    """Raise InvalidParams naming the field if the value breaks the rule."""
    if (problem := rule(value)) is not None:
        raise InvalidParams([f"params.{field}: {problem}"])


def renamed(record: SessionRecord, name: str, now: int) -> SessionRecord:
    """The session under another name."""
    return evolve(record, name=name, updated_at=max(record.updated_at, now))


def updated(record: SessionRecord, update: SessionUpdate, now: int) -> SessionRecord:
    """The session with an update applied. Raises InvalidParams if the merged metadata or config is too large."""
    changes: dict[str, Any] = {}
    if update.mode is not None:
        changes["agent_mode"] = update.mode
    for name in ("agent", "tags", "pinned", "archived"):
        if getattr(update, name) is not None:
            changes[name] = getattr(update, name)
    if update.description is not None:
        changes["description"] = update.description or None
    if update.config is not None:
        changes["config"] = _merged(record.config or {}, update.config, "config") or None
    if update.metadata is not None:
        changes["metadata"] = _merged(record.metadata, update.metadata, "metadata")
    after = evolve(record, **changes)
    return after if after == record else evolve(after, updated_at=max(record.updated_at, now))


def _merged(before: JsonObject, update: JsonObject, field: str) -> JsonObject:
    merged = {key: value for key, value in {**before, **update}.items() if value is not None}
    checked(field, merged, limits.metadata_problem)
    return merged


def switched_to(record: SessionRecord) -> SessionRecord:
    """A closed session is reopened; any other stays as it is."""
    if record.status is SessionStatus.CLOSED:
        return evolve(record, status=SessionStatus.IDLE)
    return record


def closed(record: SessionRecord) -> SessionRecord:
    """The session, closed; closing a closed one is fine."""
    return evolve(record, status=SessionStatus.CLOSED)


def paused(record: SessionRecord) -> SessionRecord:
    """Raises SessionClosed, BadTransition."""
    check_transition(record.id, record.status, SessionStatus.PAUSED)
    return evolve(record, status=SessionStatus.PAUSED)


def resumed(record: SessionRecord, *, working: bool = False) -> SessionRecord:
    """A paused session goes on: `working` with the turn it has, else idle. Raises SessionClosed, BadTransition."""
    if record.status is SessionStatus.CLOSED:
        raise SessionClosed(sessionId=record.id)
    if record.status is not SessionStatus.PAUSED:
        check_transition(record.id, record.status, record.status)
    return evolve(record, status=SessionStatus.RUNNING if working else SessionStatus.IDLE)


def deleted(record: SessionRecord, now: int) -> SessionRecord:
    """Hidden, and restorable."""
    return record if record.deleted_at is not None else evolve(record, deleted_at=now)


def restored(record: SessionRecord) -> SessionRecord:
    """Visible again."""
    return evolve(record, deleted_at=None)


def checked_id(session_id: str) -> SessionId:
    """The id as one, or InvalidParams."""
    if not is_id(session_id):
        raise InvalidParams([f"params.sessionId: {limits.id_problem(session_id)}"])
    return SessionId(session_id)


def checked_mode(mode: AgentMode | str) -> AgentMode:
    """The mode as one, or InvalidParams."""
    try:
        return AgentMode(mode)
    except ValueError:
        raise InvalidParams(["params.mode: must be one of build, plan, general"]) from None


def checked_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """The tags without doubles, or InvalidParams."""
    unique = tuple(dict.fromkeys(tags))
    checked("tags", unique, limits.tags_problem)
    for index, tag in enumerate(unique):
        checked(f"tags[{index}]", tag, limits.tag_problem)
    return unique


def fork_of(source: SessionRecord, session_id: SessionId, name: str, now: int) -> SessionRecord:
    """What a copy of a session starts with: all that it is, but not its place in the list nor what it has used."""
    return evolve(
        source,
        id=session_id,
        name=name,
        status=SessionStatus.IDLE,
        created_at=now,
        updated_at=now,
        parent_id=source.id,
        pinned=False,
        archived=False,
        usage=None,
    )


def fork_name(name: str) -> str:
    """What a fork is called where nobody says."""
    return _suffixed(name, " (fork)")


def rewound_name(name: str) -> str:
    """What the copy is called that keeps what a rewound session held."""
    return _suffixed(name, " (before rewind)")


def _suffixed(name: str, suffix: str) -> str:
    return name[: limits.NAME_CHARS - len(suffix)] + suffix
