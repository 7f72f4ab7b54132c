"""Questions to the user about what an agent wants to do, and their answers. Pure values."""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from kore_ls.model.ids import SessionId, TurnId
from kore_ls.model.message import ToolCall


class OptionKind(Enum):
    """What an answer to a permission request means; `always` is for this session and exactly this request."""

    ALLOW_ONCE = "allowOnce"
    ALLOW_ALWAYS = "allowAlways"
    REJECT_ONCE = "rejectOnce"
    REJECT_ALWAYS = "rejectAlways"


@frozen(kw_only=True)
class PermissionOption:
    """One possible answer; `name` is in the user's language."""

    id: str
    name: str
    kind: OptionKind


@frozen(kw_only=True)
class PermissionRequest:
    """A question to the user. `summary` is the server's own words, safe to show; `diff` is unified diff text."""

    request_id: str
    session_id: SessionId
    turn_id: TurnId
    call: ToolCall
    summary: str
    diff: str | None = None
    options: tuple[PermissionOption, ...]


class PermissionOutcome(Enum):
    """Whether a request was answered."""

    SELECTED = "selected"
    CANCELLED = "cancelled"


@frozen(kw_only=True)
class PermissionAnswer:
    """The answer to a request; an unknown `option_id` counts as a rejection. `feedback` is told to the agent."""

    outcome: PermissionOutcome
    option_id: str | None = None
    feedback: str | None = None
