"""Rules that refine the permission gate: the user's own, and remembered "always" answers. Pure values."""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from kore_ls.model.message import ToolKind
from kore_ls.model.mode import AgentMode


class Answer(Enum):
    """What may happen with a tool call, mildest first."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


@frozen(kw_only=True)
class Rule:
    """One rule of the user. It counts where everything it names fits; what it leaves out fits everything.

    `paths` are globs (`*`, `?`, `**`) relative to the folder, or absolute ones; all paths of a call must fit one.
    `argv` are first words of a command. `allow` turns "ask" into "allow" and never loosens a "deny"; it counts for
    commands in the sandbox, for others only if it says `unsandboxed`.
    """

    answer: Answer
    modes: frozenset[AgentMode] = frozenset()
    kinds: frozenset[ToolKind] = frozenset()
    paths: tuple[str, ...] = ()
    argv: tuple[str, ...] = ()
    unsandboxed: bool = False


@frozen(kw_only=True)
class Remembered:
    """An "always" answer of one session: it counts for exactly the same kind, paths, command and freedom.

    `paths` are real paths; `network` and `unsandboxed` are what the command was allowed.
    """

    id: str
    answer: Answer
    tool: str
    kind: ToolKind
    paths: tuple[str, ...] = ()
    argv: tuple[str, ...] = ()
    network: bool = False
    unsandboxed: bool = False
    created_at: int
