"""Starts the processes of `run_command` and of what it asks git: environment, sandbox, what stands in for secrets."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from attrs import frozen

from kore_ls.agents.commands import CommandLimits, CommandResult, run_command
from kore_ls.agents.environment import git_identity, toolchain_homes
from kore_ls.agents.git.stand_ins import StandIns, stand_ins
from kore_ls.agents.sandbox.confine import confine
from kore_ls.agents.sandbox.kinds import Sandbox, SandboxKind
from kore_ls.agents.sandbox.profile import Profile, command_profile
from kore_ls.agents.tools.folder_watch import FolderWatch


@frozen(kw_only=True)
class CommandChild:
    """One command's child: where it runs (`cwd` in `folder`), with which environment, behind which sandbox.

    `mark` is what its processes are known by after the server was killed.
    """

    folder: Path
    cwd: Path
    env: Mapping[str, str]
    sandbox: Sandbox
    network: bool
    watch: FolderWatch
    mark: str

    @property
    def confined(self) -> bool:
        """Whether there is a sandbox."""
        return self.sandbox.kind is not SandboxKind.NONE

    async def run(
        self,
        argv: Sequence[str],
        limits: CommandLimits,
        on_output: Callable[[str], Awaitable[None]] | None = None,
    ) -> tuple[CommandResult, Profile]:
        """How it ended, and what it was allowed to see. Raises ToolProblem where it can't be started."""
        with ExitStack() as stack:
            env = {**self.env, **git_identity(Path.home())}
            if self.confined:
                env["GIT_CONFIG_GLOBAL"] = os.devnull  # git refuses to work where it may not read it
            scratch = None
            if self.sandbox.kind is SandboxKind.LANDLOCK:
                scratch = _temporary(stack)
                env = toolchain_homes(Path.home()) | env | {"TMPDIR": str(scratch), "HOME": str(scratch)}
            instead: StandIns | None = None
            if self.confined:
                secrets = self.watch.protected.secrets
                instead = await asyncio.to_thread(stand_ins, self.folder, secrets, _temporary(stack))
                env |= instead.environment()
            profile = command_profile(
                self.folder,
                self.watch.protected,
                network=self.network,
                scratch=scratch,
                git=self.watch.git,
                stand_ins=() if instead is None else instead.pairs,
                lists=None if instead is None else instead.lists,
            )
            done = await run_command(
                confine(self.sandbox, list(argv), profile, self.cwd),
                cwd=self.cwd,
                env=env,
                limits=limits,
                on_output=on_output,
                mark=self.mark,
            )
            return done, profile


def _temporary(stack: ExitStack) -> Path:
    """A directory that goes when `stack` ends."""
    made = tempfile.TemporaryDirectory(prefix="kore-", ignore_cleanup_errors=True)
    return Path(os.path.realpath(stack.enter_context(made)))
