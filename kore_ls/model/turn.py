"""A turn: one prompt and all that an agent does to answer it."""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from kore_ls.model.ids import SessionId, TurnId


class TurnState(Enum):
    """Whether a turn still goes on."""

    RUNNING = "running"
    DONE = "done"


class StopReason(Enum):
    """Why a turn ended. `interrupted`: its process died or was shut down."""

    END_TURN = "endTurn"
    MAX_TOKENS = "maxTokens"
    MAX_TURNS = "maxTurns"
    REFUSAL = "refusal"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    ERROR = "error"


@frozen(kw_only=True)
class Position:
    """A place in a text file: line from 0, character in UTF-16 units from 0."""

    line: int
    character: int


@frozen(kw_only=True)
class TextSpan:
    """From `start` up to `end`, which is not included."""

    start: Position
    end: Position


@frozen(kw_only=True)
class PromptContext:
    """Something of the editor that the user attached to a prompt: a document, part of it, or its unsaved text."""

    uri: str
    range: TextSpan | None = None
    text: str | None = None


@frozen(kw_only=True)
class Prompt:
    """What a turn answers."""

    text: str
    context: tuple[PromptContext, ...] = ()


@frozen(kw_only=True)
class Turn:
    """A turn as it is stored. `first_seq` is the user's message, `last_seq` the last message that it made."""

    turn_id: TurnId
    session_id: SessionId
    state: TurnState
    stop_reason: StopReason | None = None
    started_at: int
    ended_at: int | None = None
    first_seq: int
    last_seq: int | None = None
    changed_files: tuple[str, ...] = ()
