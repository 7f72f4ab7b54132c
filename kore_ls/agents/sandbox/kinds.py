"""What this machine has to confine a child process with. Pure values."""

from __future__ import annotations

from enum import Enum

from attrs import frozen


class SandboxKind(Enum):
    """The means, strongest first; the word is what `kore/store/status` reports."""

    BUBBLEWRAP = "bubblewrap"
    LANDLOCK = "landlock"
    NONE = "none"


@frozen(kw_only=True)
class Sandbox:
    """What was found by `probe`; `program` is bubblewrap's real path."""

    kind: SandboxKind
    program: str | None = None


NO_SANDBOX = Sandbox(kind=SandboxKind.NONE)
