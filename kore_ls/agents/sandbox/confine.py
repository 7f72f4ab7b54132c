"""A command as it is started confined: one call, whatever this machine has. Starts nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from attrs import frozen

from kore_ls.agents.protection import ProtectedFiles
from kore_ls.agents.sandbox.bubblewrap import MOST_MOUNTS, bubblewrap_argv
from kore_ls.agents.sandbox.kinds import Sandbox, SandboxKind
from kore_ls.agents.sandbox.landlock import granted, landlock_argv
from kore_ls.agents.sandbox.profile import Profile


@frozen(kw_only=True)
class Confined:
    """How to start it: with `grants`, the child inherits a descriptor to read them from, whose number `argv` takes."""

    argv: Callable[[int], list[str]]
    grants: bytes | None = None


def can_confine(kind: SandboxKind, protected: ProtectedFiles) -> bool:
    """Whether everything that is protected really will be."""
    if kind is SandboxKind.NONE or not protected.complete:
        return False
    return len(protected.fixed) + len(protected.linked) + len(protected.secrets) <= MOST_MOUNTS


def confine(sandbox: Sandbox, argv: list[str], profile: Profile, cwd: Path) -> Confined:
    """`argv` in the sandbox; without one, as it is."""
    if sandbox.kind is SandboxKind.BUBBLEWRAP and sandbox.program is not None:
        wrapped = bubblewrap_argv(sandbox.program, argv, profile, cwd)
        return Confined(argv=lambda descriptor: wrapped)
    if sandbox.kind is SandboxKind.LANDLOCK:
        return Confined(argv=lambda descriptor: landlock_argv(argv, descriptor), grants=granted(profile))
    return Confined(argv=lambda descriptor: argv)
